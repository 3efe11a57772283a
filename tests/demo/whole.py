"""The whole night, played once by commands that answer in JSON, for the tests that look at what came of it."""

from __future__ import annotations

import functools
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlver.demo import story
from mlver.demo.night import LIVE3, NIGHT
from mlver.demo.patients import Patients, deal
from mlver.demo.player import Player
from tests import warm

SEED = 46
AT_THE_PAGE = f"{NIGHT}T03:07Z"
_SERVE = """
import sys
sys.dont_write_bytecode = True  # a bundle stays as it is
sys.path.insert(0, ".")
import json
import pandas as pd
from triage import decide
table = pd.read_csv(sys.argv[1])
print(json.dumps(dict(zip(table.patient_id, map(int, decide(table))))))
"""
_BEFORE_ROLLBACK = "mlver rollback prod --dry-run"


class Recorder(Player):
    """Plays as `mlver demo --whole` does, but asks each command for JSON and keeps its answer.

    The repository as eve finds it, before anything is rolled back, is copied to `asleep`.
    """

    def __init__(self, folder: Path, asleep: Path) -> None:
        super().__init__(folder, pause=False, stream=io.StringIO())
        self.asleep = asleep
        self.answers: list[tuple[str, Any]] = []

    def _arguments(self, command: str) -> list[str]:
        program, *words = shlex.split(command)
        start = {"mlver": warm.mlver(), "python": (_python(),)}.get(program)
        return [*start, *words] if start else super()._arguments(command)

    def _environment(self) -> dict[str, str]:
        return {**super()._environment(), "PATH": _path()}

    def run(self, command: str, *, code: int = 0, folder: Path | None = None) -> str:
        if command.startswith(_BEFORE_ROLLBACK):
            shutil.copytree(self.folder, self.asleep, symlinks=True)
        program, _, rest = command.partition(" ")
        if program != "mlver":
            return self.ask(command, code=code, folder=folder)
        text = self.ask(f"mlver --json {rest}", code=code, folder=folder)
        document = json.loads(text)
        assert document["schema"].startswith("mlver."), command
        self.answers.append((command, document))
        return text


@dataclass
class Whole:
    """What the night left: its repository, everything its commands answered, and who was really ill."""

    folder: Path
    asleep: Path
    outside: Path
    answers: list[tuple[str, Any]]
    patients: Patients = field(default_factory=lambda: deal(SEED))
    _referred: dict[Path, dict[str, int]] = field(default_factory=dict)

    def said(self, start: str) -> list[Any]:
        """Return the answers to the commands that begin so, in the order in which they were given."""
        found = [document for command, document in self.answers if command.startswith(f"mlver {start}")]
        assert found, f"the story never says mlver {start}"
        return found

    def ask(self, command: str, *, folder: Path | None = None, code: int = 0, **environment: str) -> Any:
        """Return the JSON answer of a command given now."""
        words = [*warm.mlver(), "--json", *shlex.split(command)]
        surroundings = {**os.environ, "PATH": _path(), **environment}
        done = subprocess.run(words, cwd=folder or self.folder, env=surroundings, capture_output=True, text=True)
        assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout or done.stderr)

    def copy(self, where: Path, *, asleep: bool = False) -> Path:
        """Return a copy of the repository to do things to; with `asleep` as it was before the rollback."""
        shutil.copytree(self.asleep if asleep else self.folder, where, symlinks=True)
        return where

    def answers_of(self, bundle: Path) -> dict[str, int]:
        """Return whom of week 3 the bundle in a folder refers: patient -> 0 or 1; worked out once a folder."""
        if bundle not in self._referred:
            self._referred[bundle] = self._serve(bundle)
        return self._referred[bundle]

    def _serve(self, bundle: Path) -> dict[str, int]:
        words = [_python(), str(_programs() / "serve.py"), str(self.folder / LIVE3)]
        done = subprocess.run(words, cwd=bundle, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found: dict[str, int] = json.loads(done.stdout)
        return found

    def missed(self, bundle: Path, clinic: str = "") -> set[str]:
        """Return the ill patients of week 3 whom the bundle in a folder sends home."""
        week3 = self.patients.week3
        ill = week3[(week3.label == 1) & ((week3.clinic == clinic) | (clinic == ""))]
        referred = self.answers_of(bundle)
        return {str(id) for id in ill.patient_id if not referred[str(id)]}


def play(outside: Path) -> Whole:
    """Play the whole night in a folder of its own below `outside`, inside a git repository with work in it."""
    recorder = begin(outside)
    story.play(recorder, SEED, whole=True)
    return Whole(recorder.folder, recorder.asleep, outside, recorder.answers)


def begin(outside: Path) -> Recorder:
    """Return who plays, in a new git repository with a file that was edited and not committed."""
    folder = outside / "clinic"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "README").write_text("the clinic\n")
    git(folder, "add", "README")
    git(folder, "commit", "-qm", "first")
    (folder / "README").write_text("the clinic, edited and not committed\n")
    return Recorder(folder, outside / "asleep")


def git(folder: Path, *words: str) -> str:
    """Return what git says, as somebody fixed at a fixed time."""
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _SOMEBODY.items()}
    done = subprocess.run(
        ["git", *words], cwd=folder, env={**os.environ, **who}, capture_output=True, text=True, check=True
    )
    return done.stdout


_SOMEBODY = {"NAME": "ana", "EMAIL": "ana@example.org", "DATE": "2024-02-01T00:00:00Z"}


def _path() -> str:
    """Where `python` is: commands find the warm one, which has what the clinic's scripts import."""
    return os.pathsep.join([str(_programs()), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _python() -> str:
    return str(_programs() / "python")


@functools.cache
def _programs() -> Path:
    folder = warm.programs(Path(tempfile.mkdtemp(prefix="programs-")) / "bin")
    (folder / "serve.py").write_text(_SERVE)
    return folder
