"""Commands that answer in a blink load none of the heavy libraries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NOT_AT_ONCE = {"asyncio", "ssl", "http", "multiprocessing", "concurrent", "email", "xml", "unittest", "yaml", "tomlkit"}
HEAVY = {"pyarrow", "numpy", "pandas", "sklearn", "scipy", "joblib", "sqlite_utils", "duckdb", "obstore"}

# Python imports this by itself when it starts; at the end, however it comes, it writes down what was imported.
RECORDER = """\
import atexit, os, sys
_write, _path, _exit = open, os.environ["RECORD_MODULES"], os._exit
def _record(code=0):
    with _write(_path, "w") as file:
        file.write("\\n".join(sorted(sys.modules)))
def _end(code):
    _record()
    _exit(code)
atexit.register(_record)
os._exit = _end
"""


class Recorder:
    """Runs Python in a folder and tells which top-level packages it loaded."""

    def __init__(self, folder: Path, work_tree: Path) -> None:
        self._report = folder / "modules.txt"
        self._work_tree = work_tree
        (folder / "sitecustomize.py").write_text(RECORDER)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MLVER_")}
        self._environment = kept | {
            "PYTHONPATH": os.pathsep.join([str(folder), str(Path(__file__).resolve().parents[2])]),
            "RECORD_MODULES": str(self._report),
            "MLVER_AUTHOR": "Ana <ana@example.org>",
            "MLVER_DATE": "2024-02-05T09:00Z",
        }

    def loaded_by(self, *arguments: str) -> set[str]:
        return {name.split(".")[0] for name in self.modules_of(*arguments)}

    def modules_of(self, *arguments: str) -> list[str]:
        self._report.unlink(missing_ok=True)
        self.run(*arguments)
        return self._report.read_text().splitlines()

    def change(self, path: str, text: str) -> None:
        (self._work_tree / path).write_text(text)

    def outcome_of(self, *arguments: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
        """How it ended, with whatever code, and the modules it loaded."""
        self._report.unlink(missing_ok=True)
        done = self._done(*arguments)
        return done, set(self._report.read_text().splitlines())

    def _done(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], cwd=self._work_tree, env=self._environment, capture_output=True, text=True
        )

    def run(self, *arguments: str) -> None:
        done = self._done(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    work_tree = tmp_path_factory.mktemp("project")
    for path, text in {
        "data/train.csv": "patient_id,label\nP1,0\nP2,1\n",
        "config/pipeline.json": '{"impute": "median"}\n',
        "rules/rules.json": '[{"id": "R1", "then": "refer"}]\n',
        "alerts/history.jsonl": '{"id": "A1", "type": "null_fraction"}\n',
        "train.py": "print('training')\n",
    }.items():
        (work_tree / path).parent.mkdir(exist_ok=True)
        (work_tree / path).write_text(text)
    return Recorder(tmp_path_factory.mktemp("recorder"), work_tree)


@pytest.fixture(scope="module")
def in_repository(recorder: Recorder) -> Recorder:
    recorder.loaded_by("-m", "mlver", "init")
    recorder.loaded_by("-m", "mlver", "commit", "-m", "first")
    return recorder


def test_the_recorder_sees_a_heavy_import(recorder: Recorder) -> None:
    assert "pyarrow" in recorder.loaded_by("-c", "import pyarrow")


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_asking_what_mlver_is_loads_nothing_heavy(recorder: Recorder, argument: str) -> None:
    loaded = recorder.loaded_by("-m", "mlver", argument)
    assert "mlver" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("command", ["status", "status --json", "log", "log --json", "log --oneline"])
def test_a_quick_command_loads_nothing_heavy(in_repository: Recorder, command: str) -> None:
    assert in_repository.loaded_by("-m", "mlver", *command.split()) & HEAVY == set()


def test_status_with_changed_files_loads_nothing_heavy(tmp_path: Path) -> None:
    project = tmp_path / "project"
    changed = Recorder(tmp_path, project)
    (project / "data").mkdir(parents=True)
    (project / "data" / "train.csv").write_text("a,b\n1,2\n")
    changed.loaded_by("-m", "mlver", "init")
    changed.loaded_by("-m", "mlver", "commit", "-m", "first")
    (project / "data" / "train.csv").write_text("a,b\n1,3\n")
    assert changed.loaded_by("-m", "mlver", "status") & HEAVY == set()


def test_pages_of_text_are_laid_out_without_rich(tmp_path: Path) -> None:
    project = tmp_path / "project"
    fresh = Recorder(tmp_path, project)
    (project / "data").mkdir(parents=True)
    fresh.change("data/train.csv", "a,b\n1,2\n")
    fresh.run("-m", "mlver", "init")
    fresh.run("-m", "mlver", "commit", "-m", "first")
    for command in ("status", "commit -m x", "log", "log --oneline", "show", "op log", "restore -f data/train.csv"):
        fresh.change("data/train.csv", f"a,b\n1,{len(command)}\n")
        assert "rich" not in fresh.loaded_by("-m", "mlver", *command.split()), command
    assert "rich" not in fresh.loaded_by("-m", "mlver", "--help")


def test_importing_the_package_loads_nothing_heavy(recorder: Recorder) -> None:
    assert recorder.loaded_by("-c", "import mlver, mlver.errors, mlver.objects.commit") & HEAVY == set()


@pytest.mark.parametrize("command", ["search first", "query SELECT\t1", "deployed"])
def test_a_question_whose_tables_are_there_loads_nothing_heavy(in_repository: Recorder, command: str) -> None:
    words = [word.replace("\t", " ") for word in command.split(" ")]
    in_repository.run("-m", "mlver", *words)
    assert in_repository.loaded_by("-m", "mlver", *words) & HEAVY == set()


@pytest.mark.parametrize(
    ("command", "most", "most_of_all"),
    [  # docs/design/startup.md: what a command loads is what it costs
        ("--version", 4, 110),
        ("status", 135, 325),
        ("--json status", 134, 325),
        ("--json log", 111, 300),
        ("log", 112, 300),
        ("--json deployed", 113, 300),
        ("--json rollback prod --dry-run --reason slow", 187, 390),
    ],
)
def test_a_command_loads_no_more_than_it_did(live: Recorder, command: str, most: int, most_of_all: int) -> None:
    modules = live.modules_of("-m", "mlver", *command.split())
    top = {name.split(".")[0] for name in modules}
    assert len([name for name in modules if name.split(".")[0] == "mlver"]) <= most
    assert len(modules) <= most_of_all
    assert top & (HEAVY | NOT_AT_ONCE | {"rich"}) == set()


@pytest.fixture(scope="module")
def live(in_repository: Recorder) -> Recorder:
    """After two promotions, so that there is something to go back to."""
    in_repository.run("-m", "mlver", "promote", "prod")
    in_repository.change("rules/rules.json", '[{"id": "R1", "then": "drop"}]\n')
    in_repository.run("-m", "mlver", "commit", "-m", "second")
    in_repository.run("-m", "mlver", "promote", "prod")
    return in_repository
