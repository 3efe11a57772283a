"""The small world all commands of `tests/fault/words.py` are given in: a repository, one to share with, and a third.

repo/   two commits, the first tagged and once live; alerts, metrics, a note, an incident; work to commit
hub/    where repo has pushed, and ben since then
ben/    a clone of hub
empty/  a folder
"""

from __future__ import annotations

import io
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from unittest.mock import patch

from mlver.cli.groups import load
from mlver.cli.main import main
from mlver.objects.commit import Environment

NOW = datetime(2024, 4, 22, 3, 7, tzinfo=UTC)
_BEGAN = NOW - timedelta(days=20)
_ENVIRONMENT = Environment("3.11", "CPython", "Linux")
_PROJECT = """\
[stages.prod]
fallback = "models/fallback.json"

[stages.gated]
require = ["recall >= 0.99"]

[metrics.recall]
direction = "higher"
unit = "share"

[slo.recall]
stage = "prod"
require = ["recall >= 0.5"]
"""
_STORY = (
    "init",
    "write mlver.toml " + shlex.quote(_PROJECT),
    'write config/pipeline.json {"impute":"median"}',
    'write rules/rules.json \'[{"id":"R1","when":"x >= 3","then":"refer"}]\'',
    "write models/triage.joblib 'the first model'",
    'write models/fallback.json {"always":"refer"}',
    "write data/t.csv 'id,x,label\n1,2,0\n2,4,1\n3,5,1\n'",
    "commit -m first",
    "promote prod",
    "tag first",
    "branch side",
    'write rules/rules.json \'[{"id":"R2","when":"x >= 4","then":"refer"}]\'',
    "write models/triage.joblib 'the second model'",
    "write data/late.csv 'id,x,label\n3,5,1\n4,1,0\n'",
    "commit -m second",
    "promote prod",
    "metrics add HEAD recall=0.8 --n 40",
    "metrics add first recall=0.7 --n 40",
    "alerts add recall.low --id A1 --severity page --stage prod",
    "alerts add drift --id A2 --severity warn --stage prod",
    "alerts mute drift --for 90d --reason scanner",
    "note HEAD 'late labels of clinic B'",
    "incident open INC-1 --alert A1 --reason 'recall fell'",
    "evidence prod --out ../whole.tar",
    "remote add origin ../hub",
    "push",
    "clone ../hub ../ben",
    "ben: write data/bens.csv 'id,x\n9,9\n'",
    "ben: commit -m bens",
    "ben: push",
    "note HEAD 'nothing else'",
)


@dataclass(frozen=True)
class Answer:
    """What a command line said."""

    code: int
    out: str
    err: str


def say(folder: Path, *words: str, at: datetime = NOW) -> Answer:
    """Give a command line in this process, as ana at a moment that never changes."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["-C", str(folder), "--date", at.isoformat(), *words])
    return Answer(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))


@contextmanager
def still() -> Iterator[None]:
    """Nothing of this machine or its user comes in; looking for installed packages takes longer than all the rest."""
    plain = {"MLVER_AUTHOR": "ana", "MLVER_CONFIG": "", "TZ": "UTC", "NO_COLOR": "1", "COLUMNS": "100"}
    with (
        patch.dict(os.environ, plain),
        patch("mlver.verbs.commit.capture_environment", lambda: _ENVIRONMENT),
        patch("mlver.cli.groups.load", cache(load)),  # a process makes each command once
    ):
        yield


def build(root: Path) -> None:
    """Make the world in `root`, which is made."""
    for name in ("repo", "hub", "empty"):
        (root / name).mkdir(parents=True)
    (root / "alerts.jsonl").write_text('{"id": "A9", "type": "psi", "at": "2024-04-21T00:00Z", "severity": "warn"}\n')
    tell(root, _STORY, _BEGAN)


def tell(root: Path, story: tuple[str, ...], at: datetime = NOW - timedelta(days=1)) -> None:
    """Do what the lines say, one a minute: a command, or `write PATH TEXT`, `flip`, `unlink`."""
    for number, line in enumerate(story):
        where, _, rest = line.partition(": ") if line.startswith("ben: ") else ("repo", "", line)
        words = shlex.split(rest)
        folder = root / where
        if words[0] == "write":
            _write(folder / words[1], " ".join(words[2:]), number)
        elif words[0] == "flip":
            _flip(folder)
        elif words[0] == "unlink":
            (folder / ".mlver/releases/prod/all/current").unlink()
        else:
            said = say(folder, *words, at=at + timedelta(minutes=number))
            assert said.code == 0 or words[0] == "merge", f"{line}: {said}"


def _write(path: Path, text: str, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if text.endswith("\n") else text + "\n")
    os.utime(path, (1_600_000_000 + number, 1_600_000_000 + number))  # well in the past: no entry of the cache is racy


def _flip(folder: Path) -> None:
    """Turn a bit in the frame of the largest pack: repair finds it by trial."""
    pack = max((folder / ".mlver/packs").iterdir(), key=lambda path: (path.stat().st_size, path.name))
    data = bytearray(pack.read_bytes())
    data[90] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)
    pack.chmod(0o444)
