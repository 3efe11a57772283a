"""Models in the walled-in process: real ones predict as they do outside, hostile ones do nothing at all."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils._testing import TempMemmap

from mlver.errors import Refused
from mlver.repo.predictor import child
from mlver.repo.predictor.loading import load_model
from mlver.repo.predictor.names import Forbidden
from mlver.repo.predictor.parent import CannotPredict, Prediction, predict_walled_in
from tests import warm

ROOT = Path(__file__).resolve().parents[2]
X, Y = load_breast_cancer(return_X_y=True, as_frame=True)
TABLE = X.assign(clinic=np.where(X.index % 3 == 0, "C", "A"))


def arrow(frame: pd.DataFrame) -> bytes:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def joblibbed(model: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    joblib.dump(model, stream, **options)
    return stream.getvalue()


def predict(model: bytes, frame: pd.DataFrame = TABLE, *, skops: bool = False, timeout: float = 60) -> Prediction:
    return predict_walled_in(model, arrow(frame), "m.joblib", skops=skops, timeout=timeout)


@pytest.fixture
def warmed() -> Iterator[None]:
    """The process behind walls is a fork of one that has the libraries; without it, as it is for a user."""
    with warm.predicting():
        yield


def scaled() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)


def mixed() -> Pipeline:
    parts = [("num", StandardScaler(), ["mean radius", "mean area"]), ("cat", OneHotEncoder(), ["clinic"])]
    return make_pipeline(ColumnTransformer(parts), LogisticRegression()).fit(TABLE, Y)


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(10, n_jobs=4, random_state=1).fit(X, Y)


@pytest.mark.parametrize("make", [scaled, mixed, forest])
def test_a_model_predicts_as_it_does_outside(make: Callable[[], Any], request: pytest.FixtureRequest) -> None:
    if make is not forest:
        request.getfixturevalue("warmed")
    model = make()
    said = predict(joblibbed(model, compress=3))
    assert list(said.values) == model.predict(TABLE[list(model.feature_names_in_)]).tolist()
    assert said.by == "name"
    assert list(said.columns) == list(model.feature_names_in_)


@pytest.mark.usefixtures("warmed")
def test_a_model_without_names_of_columns_takes_the_numbers_in_order() -> None:
    model = LinearRegression().fit(X.to_numpy(), Y)
    said = predict(pickle.dumps(model))
    assert said.by == "place"
    assert np.allclose(said.values, model.predict(X.to_numpy()))


@pytest.mark.usefixtures("warmed")
def test_a_model_of_skops_predicts() -> None:
    skops = pytest.importorskip("skops.io")
    model = scaled()
    assert list(predict(skops.dumps(model), skops=True).values) == model.predict(X).tolist()


@pytest.mark.parametrize(
    ("model", "frame", "says"),
    [
        ({"model": None}, TABLE, "the file holds a dict, not one estimator"),
        (StandardScaler().fit(X), TABLE, "not one estimator that predicts"),
        (LogisticRegression(max_iter=5), TABLE, "takes None of them"),
        (LinearRegression().fit(X, Y), TABLE.drop(columns=["mean area"]), "columns the table does not have: mean area"),
        (LinearRegression().fit(X.to_numpy()[:, :4], Y), TABLE, "takes 4 of them; the table has 30 of numbers"),
        (LinearRegression().fit(X, Y), TABLE.assign(**{"mean area": np.nan}), "NaN"),
        (LinearRegression().fit(X, np.c_[Y, Y]), TABLE, "not predict one value for each row"),
    ],
)
def test_what_does_not_fit_is_said(model: Any, frame: pd.DataFrame, says: str) -> None:
    with pytest.raises(child.Cannot, match=says):
        child._predict(joblibbed(model), frame)


@pytest.mark.usefixtures("warmed")
def test_what_does_not_fit_is_said_with_the_name_of_the_model() -> None:
    with pytest.raises(CannotPredict, match=r"^m\.joblib: the file holds a dict, not one estimator") as caught:
        predict(joblibbed({"model": None}))
    assert "--serve" in str(caught.value.hint)


# -- hostile ---------------------------------------------------------------------------------


class Does:
    """Pickles as a call of anything."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def globally(module: str, name: str, argument: str) -> bytes:
    """A pickle that calls a name with one text, whether or not the name is there."""
    words = [b"\x80\x04", *(b"\x8c" + bytes([len(w)]) + w.encode() for w in (module, name)), b"\x93"]
    return b"".join([*words, b"\x8c", bytes([len(argument)]), argument.encode(), b"\x85R."])


def objects(inner: Any) -> bytes:
    """A file of joblib whose array of objects, which joblib hands to a plain unpickler, holds a call."""
    return joblibbed(np.array([inner, 1], dtype=object))


def hidden(inner: Any) -> Pipeline:
    return make_pipeline(FunctionTransformer(inner), LogisticRegression())


HOSTILE: dict[str, Callable[[str], bytes]] = {
    "os.system": lambda canary: pickle.dumps(Does(os.system, f"touch {canary}")),
    "a subprocess": lambda canary: pickle.dumps(Does(subprocess.check_call, ["touch", canary])),
    "eval": lambda canary: pickle.dumps(Does(eval, f"open({canary!r}, 'w')")),
    "a file": lambda canary: pickle.dumps(Does(open, canary, "w")),
    "numpy that writes": lambda canary: pickle.dumps(Does(np.savetxt, canary, [1])),
    "scikit-learn that writes": lambda canary: pickle.dumps(Does(TempMemmap, np.zeros(3))),
    "a dotted way through scikit-learn": lambda canary: globally("sklearn.utils.fixes", "sys.modules", canary),
    "a module scikit-learn imports": lambda canary: globally("sklearn.base", "warnings", canary),
    "a function of scikit-learn": lambda canary: globally("sklearn.datasets._base", "load_files", canary),
    "joblib's loader": lambda canary: globally("joblib", "load", canary),
    "joblib's cache": lambda canary: globally("joblib.memory", "Memory", canary),
    "an array of objects": lambda canary: objects(Does(os.system, f"touch {canary}")),
    "a step of a pipeline": lambda canary: joblibbed(hidden(os.system)),
    "an old name": lambda canary: b"cposix\nsystem\n(S'touch " + canary.encode() + b"'\ntR.",
    "a change of a class": lambda canary: b"csklearn.pipeline\nPipeline\n(N}S'predict'\nI1\nstb.",
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_model_is_not_even_loaded(how: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    with pytest.raises(Forbidden):
        load_model(HOSTILE[how](str(canary)))
    assert not canary.exists()


@pytest.mark.parametrize("how", ["os.system", "an array of objects"])
def test_a_hostile_model_is_refused_and_nothing_happens(
    how: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if how != "os.system":
        request.getfixturevalue("warmed")
    canary = tmp_path / "canary"
    with pytest.raises(Refused, match="which no model of scikit-learn needs"):
        predict(HOSTILE[how](str(canary)))
    assert not canary.exists()


@pytest.mark.usefixtures("warmed")
def test_bytes_that_are_no_pickle_are_no_traceback() -> None:
    for content in (b"", b"no pickle", b"\x1f\x8bbroken", joblibbed(scaled())[:900]):
        with pytest.raises(child.Cannot, match="Error"):
            child._predict(content, TABLE)
    with pytest.raises(CannotPredict, match=r"^m\.joblib: [A-Za-z]+Error: "):
        predict(b"no pickle")


def test_a_model_that_takes_for_ever_is_stopped() -> None:
    # a queue of one place runs through a range without an end
    endless = b"ccollections\ndeque\n(cbuiltins\nrange\n(L99999999999999L\ntRI1\ntR."
    with pytest.raises(CannotPredict, match=r"took longer than \d+ s, and was stopped"):
        predict(endless, timeout=3)


@pytest.mark.usefixtures("warmed")
def test_a_model_that_wants_all_memory_gets_none() -> None:
    greedy = b"cbuiltins\nbytearray\n(L99999999999L\ntR."
    with pytest.raises(CannotPredict, match="more memory than it may have"):
        predict(greedy)


# -- the walls alone, as if somebody had got through the list of names -----------------------

TRIES = """
import json, os, socket, sys, ctypes, threading, subprocess
sys.path.insert(0, {root!r})
from mlver.repo.predictor import walls
canary, secret = {canary!r}, {secret!r}
libc = ctypes.CDLL(None, use_errno=True)
if {hook}:
    walls.put_up(seconds=20, memory=1 << 30, output=1 << 20)
else:
    walls._limit(20, 1 << 30, 1 << 20)
    column, machine = walls._this_machine()
    walls._filter(walls._steps(column, machine), walls._SECCOMP[column])
def raw(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "raw")
tries = {{
    "write": lambda: open(canary, "w"),
    "append": lambda: os.open(canary, os.O_WRONLY | os.O_APPEND | os.O_CREAT),
    "system": lambda: os.system("touch " + canary) and 1 / 0,
    "popen": lambda: subprocess.Popen(["touch", canary]),
    "fork": os.fork,
    "exec": lambda: os.execv("/bin/touch", ["touch", canary]),
    "spawn": lambda: os.posix_spawn("/bin/touch", ["touch", canary], {{}}),
    "socket": socket.socket,
    "thread": lambda: threading.Thread(target=print).start(),
    "kill": lambda: os.kill(os.getppid(), 0),
    "remove": lambda: os.remove(secret),
    "rename": lambda: os.rename(secret, canary),
    "link": lambda: os.symlink(secret, canary),
    "mkdir": lambda: os.mkdir(canary),
    "chmod": lambda: os.chmod(secret, 0),
    "truncate": lambda: os.truncate(secret, 0),
    "memory file": lambda: os.memfd_create("x"),
    "more files": lambda: __import__("resource").setrlimit(7, (4096, 4096)),
    "ptrace": lambda: raw(101 if column_of() == 0 else 117, 0, 0, 0, 0),
    "another table of calls": lambda: raw(0x40000000 | 41, 1, 1, 0),
}}
def column_of():
    return walls._this_machine()[0]
if {hook}:
    tries["read"] = lambda: open(secret)
done = []
for name, attempt in tries.items():
    try:
        attempt()
    except (PermissionError, RuntimeError, ZeroDivisionError, ValueError):
        continue
    except OSError as error:
        if error.errno in (1, 38):
            continue
    done.append(name)
os.write(1, json.dumps(done).encode())
"""


@pytest.mark.parametrize("hook", [True, False], ids=["with the hook", "filter of the kernel alone"])
def test_behind_the_walls_nothing_works(hook: bool, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("kept")
    canary = tmp_path / "canary"
    script = TRIES.format(root=str(ROOT), canary=str(canary), secret=str(secret), hook=hook)
    done = subprocess.run([sys.executable, "-I", "-B", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
    assert not canary.exists()
    assert secret.read_text() == "kept"


def test_a_platform_without_walls_runs_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlver.repo.predictor import walls

    monkeypatch.setattr(walls.platform, "machine", lambda: "riscv64")
    with pytest.raises(walls.NoWalls, match="no filter for system calls on linux riscv64"):
        walls.put_up(seconds=1, memory=1, output=1)
