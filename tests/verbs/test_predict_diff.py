"""`diff --predict`: which predictions flipped, where, for better or worse; and nothing else happens."""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlver.errors import Refused, UnknownRevision, UsageError
from mlver.repo import programs
from mlver.repo.intervals import wilson
from mlver.repo.measuring import CommandFailed
from mlver.verbs.diff import diff
from mlver.verbs.predict import PredictDiffResult, predict_diff
from mlver.verbs.status import status
from tests import warm
from tests.kit import Bench

X, Y = load_breast_cancer(return_X_y=True, as_frame=True)
TABLE = X.round(4).assign(label=Y, clinic=np.where(X.index % 4 == 0, "C", "A"))
TABLE.insert(0, "patient_id", [f"P{number:04d}" for number in range(len(X))])
OLD = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
NEW = make_pipeline(StandardScaler(), LogisticRegression(C=0.001)).fit(X, Y)
SERVE = """
import csv, json, sys
limit = json.load(open("config/limits.json"))["refer_above"]
rows = csv.DictReader(open(sys.argv[1]))
print("patient_id,prediction")
for row in rows:
    print(f"{row['patient_id']},{int(float(row['mean radius']) > limit)}")
"""
COMMAND = [sys.executable, "serve.py", "{data}"]


def joblibbed(model: Any) -> bytes:
    stream = io.BytesIO()
    joblib.dump(model, stream)
    return stream.getvalue()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "clinic")
    bench.write("data/w3.csv", TABLE.to_csv(index=False))
    bench.write("models/triage.joblib", joblibbed(OLD))
    bench.write("serve.py", SERVE)
    bench.write("config/limits.json", {"refer_above": 14})
    bench.commit("v1")
    bench.write("models/triage.joblib", joblibbed(NEW))
    bench.write("config/limits.json", {"refer_above": 17.5})
    bench.commit("v2")
    return bench


@pytest.fixture
def warmed() -> Iterator[None]:
    """Models run in forks; without it, as they do for a user."""
    with warm.predicting():
        yield


def predict(bench: Bench, old: str = "HEAD~1", new: str | None = "HEAD", **options: Any) -> PredictDiffResult:
    return predict_diff(bench.repo, old, new, "data/w3.csv", environment=dict(os.environ), **options)


def state(bench: Bench) -> dict[str, bytes]:
    files = (path for path in bench.root.rglob("*") if path.is_file() and "cache" not in path.parts)
    return {path.relative_to(bench.root).as_posix(): path.read_bytes() for path in files}


def test_flips_are_those_worked_out_by_hand(bench: Bench) -> None:
    before = state(bench)
    result = predict(bench, trust=True, label="label", limit=1000)
    a, b, truth = OLD.predict(TABLE[X.columns]), NEW.predict(TABLE[X.columns]), Y.to_numpy()
    clinic = TABLE["clinic"].to_numpy()
    names = TABLE["patient_id"].to_numpy()
    flipped = a != b
    worse, better = flipped & (a == truth), flipped & (b == truth)
    assert 0 < flipped.sum() < len(a)
    assert worse.any()
    assert result.flips.count == flipped.sum()
    assert result.flips.n == len(a) == result.rows
    assert (result.flips.low, result.flips.high) == wilson(flipped.mean(), len(a))
    assert {row.key for row in result.flipped} == set(names[flipped])
    assert {row.key for row in result.flipped if row.verdict == "regression"} == set(names[worse])
    assert {row.key for row in result.flipped if row.verdict == "mend"} == set(names[better])
    assert result.correct is not None
    assert (result.correct.right_before, result.correct.right_now) == ((a == truth).sum(), (b == truth).sum())
    assert result.correct.net == better.sum() - worse.sum()
    assert {(one.old, one.new): one.rows for one in result.directions} == {
        (was, now): count for was, now in [(0, 1), (1, 0)] if (count := ((a == was) & (b == now)).sum())
    }
    for one in result.slices:
        rows = clinic == one.name.removeprefix("clinic=")
        assert (one.flips.count, one.flips.n) == (flipped[rows].sum(), rows.sum())
        assert one.correct is not None
        assert (one.correct.regressions, one.correct.mends) == (worse[rows].sum(), better[rows].sum())
    assert {one.name for one in result.slices} == {"clinic=A", "clinic=C"}
    assert result.flipped[0].verdict == "regression"
    assert state(bench) == before


def test_the_users_command_is_asked_in_a_scratch_of_each_revision(bench: Bench) -> None:
    before = state(bench)
    result = predict(bench, serve=COMMAND)
    radius = TABLE["mean radius"]
    assert result.flips.count == ((radius > 14) & (radius <= 17.5)).sum()
    assert [(one.old, one.new) for one in result.directions] == [(1, 0)]
    assert result.correct is None
    assert {row.verdict for row in result.flipped} == {"unknown"}
    assert len(result.flipped) == 10
    assert result.truncated
    assert state(bench) == before
    assert status(bench.repo).clean


def test_the_work_tree_is_a_side_and_a_script_can_be_laid_over_both(bench: Bench) -> None:
    bench.write("config/limits.json", {"refer_above": 14})
    bench.write("tools/ask.py", SERVE)
    command = [sys.executable, "tools/ask.py", "{data}"]
    assert predict(bench, "HEAD~1", None, serve=command, lay=["tools/ask.py"]).same
    with pytest.raises(CommandFailed, match=r"ask\.py"):
        predict(bench, "HEAD~1", None, serve=command)


def test_labels_may_come_later_and_from_elsewhere(bench: Bench) -> None:
    bench.write("data/labels.csv", TABLE[["patient_id", "label"]].head(100).to_csv(index=False))
    bench.write("data/later.csv", "patient_id,truth\nP0000,1\n")
    result = predict(bench, serve=COMMAND, labels=["data/labels.csv"])
    assert result.correct is not None
    assert result.correct.labelled == 100
    assert predict(bench, serve=COMMAND, labels=["data/labels.csv", "data/later.csv"]).correct is not None
    with pytest.raises(UsageError, match=r"data/later.csv has no column diagnosis"):
        predict(bench, serve=COMMAND, labels=["data/later.csv"], label="diagnosis")
    with pytest.raises(UsageError, match=r"data/w3.csv has no column diagnosis"):
        predict(bench, serve=COMMAND, label="diagnosis")


def test_slices_are_those_of_the_project_or_of_a_column(bench: Bench) -> None:
    bench.write("mlver.toml", '[slices.large]\nwhere = "mean radius > 15"\n\n[slices.other]\nwhere = "age > 3"\n')
    result = predict(bench, serve=COMMAND)
    assert [(one.name, one.flips.n) for one in result.slices] == [("large", (TABLE["mean radius"] > 15).sum())]
    by_column = predict(bench, serve=COMMAND, by=["label"])
    assert {one.name for one in by_column.slices} == {"label=0", "label=1"}
    bench.write("mlver.toml", "[slices.large]\nwhere = \"read_csv('x') > 15\"\n")
    with pytest.raises((UsageError, Refused), match=r"mlver.toml"):
        predict(bench, serve=COMMAND)


@pytest.mark.usefixtures("warmed")
def test_amounts_differ_by_more_than_the_tolerance(bench: Bench) -> None:
    a, b = (LinearRegression().fit(X[["mean radius"]], X["mean area"] + add) for add in (0, 3))
    for model in (a, b):
        bench.write("models/triage.joblib", joblibbed(model))
        bench.commit("area")
    exact = predict(bench, trust=True, label="mean area")
    assert exact.numeric
    assert exact.flips.count == len(X)
    assert [one.new for one in exact.directions] == ["up"]
    assert predict(bench, trust=True, tolerance=3.5).same


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({}, UsageError, "is unknown: its names are no proof"),
        ({"model": "models/none.joblib"}, UnknownRevision, "no model models/none.joblib"),
        ({"model": "data/w3.csv"}, UsageError, "is no model, but data"),
        ({"trust": True, "lay": ["serve.py"]}, UsageError, "laid over a revision for a command"),
        ({"serve": ["python", "{date}"]}, UsageError, "unknown place {date}"),
        ({"serve": COMMAND, "by": ["town"]}, UsageError, "has no column town"),
        ({"serve": COMMAND, "timeout": 0.0}, UsageError, "time limit"),
        ({"serve": COMMAND, "tolerance": float("nan")}, UsageError, "tolerance"),
        ({"serve": ["no-such-program"]}, UsageError, "cannot run no-such-program"),
        ({"serve": [sys.executable, "-c", "1/0"]}, CommandFailed, "ZeroDivisionError"),
        (
            {"serve": [sys.executable, "-c", "import time; time.sleep(60)"], "timeout": 0.5},
            CommandFailed,
            "took longer",
        ),
    ],
)
def test_what_cannot_be_asked_is_said_and_changes_nothing(
    bench: Bench, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    before = state(bench)
    with pytest.raises(error, match=says):
        predict(bench, **options)
    assert state(bench) == before


def test_a_model_that_hangs_is_stopped_and_leaves_everything_as_it_was(bench: Bench) -> None:
    endless = b"ccollections\ndeque\n(cbuiltins\nrange\n(L99999999999999L\ntRI1\ntR."
    bench.write("models/triage.joblib", endless)
    bench.commit("hangs")
    before = state(bench)
    with pytest.raises(Exception, match=r"was stopped"):
        predict(bench, "HEAD", "HEAD", trust=True, timeout=3)
    assert state(bench) == before
    assert not programs._RUNNING


class Touches:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


def test_a_model_that_runs_code_is_never_loaded_whatever_is_trusted(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = tmp_path / "canary"
    bench.write("models/triage.joblib", pickle.dumps(Touches(canary)))
    bench.commit("evil")
    monkeypatch.setattr(programs.subprocess, "Popen", None)
    with pytest.raises(Refused, match=r"runs code when loaded \((posix|nt).system\); it is never loaded here"):
        predict(bench, trust=True)
    assert not canary.exists()


def test_a_plain_diff_starts_no_process_and_loads_no_model(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.subprocess, "Popen", None)
    monkeypatch.setattr(pickle, "loads", None)
    monkeypatch.setattr(pickle, "load", None)
    result = diff(bench.repo, "HEAD~1", "HEAD")
    assert {artifact.kind for artifact in result.artifacts} >= {"model", "config"}


def test_a_table_that_is_none_is_named(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"serve\.py is no table of rows"):
        predict_diff(bench.repo, "HEAD~1", "HEAD", "serve.py", serve=COMMAND)
    bench.write("data/empty.csv", "patient_id,mean radius\n")
    with pytest.raises(UsageError, match=r"data/empty.csv has no rows"):
        predict_diff(bench.repo, "HEAD~1", "HEAD", "data/empty.csv", serve=COMMAND)


def test_rows_without_a_prediction_are_counted_apart(bench: Bench) -> None:
    bench.write("serve.py", SERVE.replace("for row in rows:", "for row in list(rows)[:500]:"))
    bench.commit("v3")
    result = predict(bench, serve=COMMAND)
    assert (result.silent_old, result.silent_new) == (0, len(X) - 500)
    assert result.flips.n == 500
    assert not result.same


def test_predictions_and_labels_of_other_spelling_are_the_same() -> None:
    from mlver.verbs.predict_count import Counted, Row

    rows = [Row("a", 1, 1.0, "1"), Row("b", True, 1, 1), Row("c", "1", 1, 1.0), Row("d", "refer", "refer", "refer")]
    counted = Counted(rows, None)
    assert counted.flips().count == 0
    assert counted.correct().right_now == 4


@pytest.mark.usefixtures("warmed")
def test_a_first_column_that_happens_to_be_unique_is_still_a_feature(bench: Bench) -> None:
    bench.write("data/w3.csv", X.assign(**{"mean radius": range(len(X))}).to_csv(index=False))
    assert predict(bench, "HEAD", "HEAD", trust=True).same


@pytest.mark.usefixtures("warmed")
def test_models_of_skops_and_without_names_of_columns(bench: Bench) -> None:
    skops = pytest.importorskip("skops.io")
    bare = LogisticRegression(solver="newton-cholesky").fit(X.to_numpy(), Y)
    bench.write("models/bare.skops", skops.dumps(bare))
    bench.write("data/w3.csv", TABLE.drop(columns="clinic").to_csv(index=False))
    bench.commit("skops")
    result = predict(bench, "HEAD", "HEAD", model="models/bare.skops", trust=True, label="label")
    assert result.same
    assert result.correct is not None
    assert result.correct.right_now == (bare.predict(X.round(4).to_numpy()) == Y).sum()
    assert result.columns == tuple(X.columns)
