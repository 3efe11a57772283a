"""Run: what a command read and wrote, as one derivation that the next commit attaches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlver.errors import UsageError
from mlver.objects.commit import Derivation, Environment
from mlver.repo.repository import system_clock
from mlver.verbs.run import RunResult, begin, record, run
from mlver.verbs.undo import undo
from tests.kit import Bench

ON_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is Linux's")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "clinic")
    bench.write("data/train.csv", "id,label\nP1,0\nP2,1\n")
    bench.write("data/other.csv", "id,label\nP3,0\n")
    bench.write("config/pipeline.json", {"C": 1})
    bench.write("mlver.toml", "")
    return bench


def python(bench: Bench, code: str, *, name: str = "train.py", **words: object) -> RunResult:
    """Run a script of the work tree, observed."""
    bench.write(name, textwrap.dedent(code))
    command = [sys.executable, name]
    return run(bench.repo, command, environment=dict(os.environ), **words)  # type: ignore[arg-type]


def paths(result: RunResult) -> tuple[list[str], list[str]]:
    return [one.path for one in result.inputs], [one.path for one in result.outputs]


def stored(bench: Bench, result: RunResult) -> Derivation:
    assert result.derivation is not None
    return bench.repo.store.get_object(Derivation, result.derivation)


def test_reads_of_pandas_and_open_are_seen_and_the_commit_carries_them(bench: Bench) -> None:
    bench.write("prepare.py", "LIMIT = 3\n")
    result = python(
        bench,
        """
        import json
        import pandas
        import prepare
        table = pandas.read_csv("data/train.csv")
        open("model.txt", "w").write(json.dumps([len(table), json.load(open("config/pipeline.json"))]))
        open("model.txt").read()
        """,
    )
    expected = ["config/pipeline.json", "data/train.csv", "prepare.py", "train.py"]
    assert paths(result) == (expected, ["model.txt"])
    assert (result.observed, result.same, result.exit, result.changed) == (True, False, 0, ())
    commit = bench.repo.commit(bench.commit("v1"))
    assert commit.derivations == {"model.txt": result.derivation}
    snapshot = bench.repo.head_snapshot()
    assert {one.path: (one.id, one.kind) for one in result.inputs} == {
        path: (snapshot[path].id, snapshot[path].kind) for path in expected
    }
    derivation = stored(bench, result)
    assert (derivation.command, derivation.source) == ((sys.executable, "train.py"), "run")
    assert derivation.environment is not None
    environment = bench.repo.store.get_object(Environment, derivation.environment)
    assert environment.python == ".".join(map(str, sys.version_info[:3]))
    assert "pandas" in environment.packages
    assert list((bench.repo.dot / "tmp").iterdir()) == []


@ON_LINUX
def test_reads_of_what_is_not_python_are_seen(bench: Bench) -> None:
    script = "cat data/train.csv > copy.csv; sort < copy.csv > data/sorted.csv; cat data/other.csv >> data/sorted.csv"
    result = run(bench.repo, ["sh", "-c", script], environment=dict(os.environ))
    assert paths(result) == (["data/other.csv", "data/train.csv"], ["copy.csv", "data/sorted.csv"])
    assert result.observed


@ON_LINUX
def test_reads_of_arrow_which_python_does_not_hear_of_are_seen(bench: Bench) -> None:
    code = """
    import pyarrow.csv
    table = pyarrow.csv.read_csv("data/train.csv")
    open("rows.txt", "w").write(str(table.num_rows))
    """
    assert paths(python(bench, code)) == (["data/train.csv", "train.py"], ["rows.txt"])


def test_a_file_written_before_it_is_read_is_no_input_and_one_read_first_is(bench: Bench) -> None:
    bench.write("old_model.txt", "1")
    result = python(
        bench,
        """
        import os
        open("data/other.csv", "w").write("id\\n")
        open("data/other.csv").read()
        open("fresh.tmp", "w").write("2")
        os.replace("fresh.tmp", "old_model.txt")
        open("old_model.txt").read()
        text = open("data/train.csv").read()
        open("data/train.csv", "w").write(text + "P9,1\\n")
        """,
    )
    assert paths(result) == (["data/train.csv", "train.py"], ["data/other.csv", "data/train.csv", "old_model.txt"])
    assert result.changed == ("data/train.csv",)
    assert result.inputs[0].id != result.outputs[1].id


def test_processes_that_the_command_starts_are_seen_too(bench: Bench) -> None:
    bench.write("child.py", "open('data/other.csv').read()\n")
    code = """
    import subprocess, sys
    subprocess.run([sys.executable, "child.py"], check=True, close_fds=True)
    open("out.txt", "w").write("x")
    """
    assert paths(python(bench, code))[0] == ["child.py", "data/other.csv", "train.py"]


def test_declared_inputs_count_and_code_that_was_read_joins_them(bench: Bench) -> None:
    bench.write("helper.py", "X = 1\n")
    code = """
    import helper
    open("data/other.csv").read()
    open("models.txt", "w").write(open("data/train.csv").read())
    """
    result = python(bench, code, inputs=["data/train.csv"], outputs=["models.txt"])
    assert paths(result) == (["data/train.csv", "helper.py", "train.py"], ["models.txt"])
    assert (result.observed, result.undeclared) == (False, ("data/other.csv",))


def test_an_output_named_in_the_command_is_no_input(bench: Bench) -> None:
    bench.write("model.txt", "old")
    bench.write("train.sh", "cat $1 > $2")
    command = ["sh", "train.sh", "data/train.csv", "model.txt"]
    assert paths(run(bench.repo, command, inputs=["config"]))[0] == ["config/pipeline.json", "train.sh"]


def test_folders_and_globs_name_what_is_in_them(bench: Bench) -> None:
    bench.write("train.sh", "mkdir models; echo 1 > models/a.txt; echo 2 > models/b.txt")
    result = run(bench.repo, ["sh", "train.sh"], inputs=["data", "config/*.json"], outputs=["models"])
    assert paths(result) == (
        ["config/pipeline.json", "data/other.csv", "data/train.csv", "train.sh"],
        ["models/a.txt", "models/b.txt"],
    )


def test_without_observation_all_data_config_rules_and_code_are_taken(bench: Bench) -> None:
    bench.write("metrics/old.json", {"recall": 1})
    bench.write("train.sh", "echo 1 > model.joblib")
    result = run(bench.repo, ["sh", "train.sh"])
    inputs = ["config/pipeline.json", "data/other.csv", "data/train.csv", "train.sh"]
    assert paths(result) == (inputs, ["model.joblib"])
    assert not result.observed
    environment = stored(bench, result).environment
    assert environment is not None


def test_a_command_that_fails_records_nothing_and_tells_its_status(bench: Bench) -> None:
    before = bench.repo.state.id
    failed = run(bench.repo, ["sh", "-c", "echo 1 > model.txt; exit 3"], environment=dict(os.environ))
    assert (failed.exit, failed.derivation, failed.outputs) == (3, None, ())
    killed = run(bench.repo, ["sh", "-c", "kill -9 $$"])
    assert killed.exit == 128 + 9
    assert bench.reopen().state.id == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"outputs": ["model.txt"]}, r"model\.txt was not written"),
        ({"outputs": ["debug.pem"]}, r"debug\.pem is left out"),
        ({"outputs": ["../x"]}, "outside the work tree"),
        ({"inputs": ["data/nothing.csv"]}, r"data/nothing\.csv"),
        ({"cwd": "nowhere"}, "nowhere"),
    ],
)
def test_wrong_declarations_are_named_and_record_nothing(bench: Bench, words: dict, says: str) -> None:
    before = bench.repo.state.id
    with pytest.raises(UsageError, match=says):
        run(bench.repo, ["sh", "-c", "echo 1 > debug.pem"], **words)
    assert bench.reopen().state.id == before


@pytest.mark.parametrize("command", [[], ["no-such-program-here"], ["./data/train.csv"], ["a\0b"]])
def test_a_command_that_cannot_be_started_is_a_usage_error(bench: Bench, command: list[str]) -> None:
    with pytest.raises(UsageError):
        run(bench.repo, command)


def test_the_same_again_makes_the_same_and_records_nothing_new(bench: Bench) -> None:
    code = "open('model.txt', 'w').write(open('data/train.csv').read())"
    first = python(bench, code)
    bench.commit("v1")
    operation = bench.repo.state.id
    os.utime(bench.root / "model.txt", ns=(1, 1))
    again = python(bench, code)
    assert (again.same, again.derivation, paths(again)) == (True, first.derivation, paths(first))
    assert bench.repo.state.id == operation
    bench.write("data/train.csv", "id,label\n")
    other = python(bench, code)
    assert not other.same
    assert other.derivation != first.derivation


def test_bytes_changed_after_the_run_do_not_carry_its_derivation(bench: Bench) -> None:
    python(bench, "open('model.txt', 'w').write('1')")
    bench.write("model.txt", "tampered")
    assert bench.repo.commit(bench.commit("v1")).derivations == {}


def test_undo_takes_a_recorded_run_back(bench: Bench) -> None:
    python(bench, "open('model.txt', 'w').write('1')")
    undo(bench.repo)
    assert bench.reopen().view.pending == {}


def test_same_inputs_and_same_date_give_the_same_derivation(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        bench = Bench(tmp_path / name)
        bench.repo.now = lambda: datetime(2024, 4, 22, tzinfo=UTC)
        bench.write("data/train.csv", "id\nP1\n")
        found.append(python(bench, "open('model.txt', 'w').write(open('data/train.csv').read())").derivation)
    assert found[0] == found[1]
    bench.repo.now = system_clock
    seconds = stored(bench, python(bench, "open('model.txt', 'w').write('2')")).seconds
    assert seconds is not None
    assert seconds > 0


def test_parameters_name_and_folder_are_recorded(bench: Bench) -> None:
    bench.write("config/show.sh", "cat pipeline.json > ../out.txt")
    result = run(bench.repo, ["sh", "show.sh"], cwd="config", name="show", parameters={"C": 1.0, "gap": float("nan")})
    derivation = stored(bench, result)
    assert (derivation.name, derivation.parameters) == ("show", {"C": 1.0, "gap": "NaN"})
    assert "config/show.sh" in paths(result)[0]


def test_recording_without_a_command(bench: Bench) -> None:
    before = begin(bench.repo)
    bench.write("features.csv", "id\nP1\n")
    result = record(bench.repo, before, command=(), inputs=["data/train.csv"], name="features", source="api")
    assert paths(result) == (["data/train.csv"], ["features.csv"])
    assert stored(bench, result).source == "api"
    nothing = record(bench.repo, begin(bench.repo), command=(), source="api")
    assert (nothing.derivation, nothing.outputs, nothing.same) == (None, (), True)


def test_the_users_own_sitecustomize_still_runs_and_its_errors_are_its_own(bench: Bench, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import builtins\nbuiltins.MINE = 'here'\n")
    bench.write("train.py", "open('out.txt', 'w').write(MINE + open('data/train.csv').read())")
    environment = dict(os.environ) | {"PYTHONPATH": str(site)}
    result = run(bench.repo, [sys.executable, "train.py"], environment=environment)
    assert paths(result) == (["data/train.csv", "train.py"], ["out.txt"])
    (site / "sitecustomize.py").write_text("raise RuntimeError('mine')")
    bench.write("train.py", "open('out.txt', 'w').write('x')")
    assert run(bench.repo, [sys.executable, "train.py"], environment=environment).exit == 0


def test_a_program_that_hides_from_us_is_not_disturbed(bench: Bench) -> None:
    bench.write(
        "train.py", "import os\nos.closerange(3, 100)\nopen('out.txt', 'w').write(open('data/train.csv').read())"
    )
    closing = run(bench.repo, [sys.executable, "train.py"], environment=dict(os.environ))
    assert (bench.root / "out.txt").read_text().startswith("id,label")
    assert "data/train.csv" in paths(closing)[0]
    isolated = run(bench.repo, [sys.executable, "-I", "train.py"], environment=dict(os.environ))
    assert isolated.exit == 0
    gone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"MLVER_OBSERVE": "/nowhere/x"}
    assert run(bench.repo, [sys.executable, "train.py"], environment=gone).exit == 0


CATCHES = """
import pathlib, signal, sys, time
def end(*_):
    pathlib.Path("stopped").touch()
    sys.exit(1)
signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGTERM, end)
pathlib.Path("started").touch()
time.sleep(60)
"""
CALLER = """
import os, sys
from pathlib import Path
from mlver.repo.repository import Repository
from mlver.verbs.run import run
try:
    result = run(Repository.open(Path(sys.argv[1])), [sys.executable, "train.py"], environment=dict(os.environ))
except KeyboardInterrupt:
    sys.exit(130)
sys.exit(result.exit)
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 1)])
def test_a_signal_is_handed_on_and_nothing_is_recorded(bench: Bench, number: signal.Signals, status: int) -> None:
    bench.write("train.py", CATCHES)
    before = bench.repo.state.id
    here = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    process = subprocess.Popen([sys.executable, "-c", CALLER, str(bench.root)], env=os.environ | here)
    deadline = time.monotonic() + 30
    while not (bench.root / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(30) == status
    assert (bench.root / "stopped").exists()
    assert bench.reopen().state.id == before
    assert list((bench.repo.dot / "tmp").iterdir()) == []
