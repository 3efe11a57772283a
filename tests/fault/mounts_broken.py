"""Builds that are wrong on a disk that is full or sealed: `tests.fault.mounts` must find each of them.

    python -m tests.fault.mounts_broken

Prints one line of JSON: what the rig says of the sound build and of each wrong one, with the same command and rounds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mlver.errors import LocalIO
from mlver.repo.worktree import WorkTree
from mlver.storage import durable
from mlver.storage.durable import NewFile
from tests.fault.defects import left_behind
from tests.fault.mounts import disk, full_rounds, readonly_rounds
from tests.fault.rig import Round, Stage


@contextmanager
def full_taken_for_done() -> Iterator[None]:
    """A write that finds the disk full is taken for one that was made."""
    write, settle, publish = NewFile.write, NewFile._settle, NewFile._publish
    failed = set[str]()

    def wrong_write(self: NewFile, data: Any) -> None:
        try:
            write(self, data)
        except LocalIO:
            failed.add(self.temp_name)

    def wrong_settle(self: NewFile, mode: int) -> None:
        if self.temp_name not in failed:
            settle(self, mode)

    def wrong_publish(self: NewFile, path: Path, replace: bool) -> bool:
        return self.temp_name in failed or publish(self, path, replace)

    with patch.multiple(NewFile, write=wrong_write, _settle=wrong_settle, _publish=wrong_publish):
        yield


@contextmanager
def reading_writes() -> Iterator[None]:
    """Who looks at the work tree has to write down what was seen."""

    def keep(self: WorkTree, _: object) -> None:
        durable.write_file(self.root / ".mlver/seen", b"")

    with patch.object(WorkTree, "keep", keep):
        yield


Rounds = Callable[[Stage], Iterator[Round]]


def _full(on: Stage) -> Iterator[Round]:
    return full_rounds(on, "tag", (0, 1, 2, 4))


def _sealed(on: Stage) -> Iterator[Round]:
    return readonly_rounds(on, ["status"])


# by what is wrong: the build, and rounds that show it
BUILDS: dict[str, tuple[Callable[[], AbstractContextManager[None]], Rounds]] = {
    "nothing, on a full disk": (nullcontext, _full),
    "nothing, on a sealed disk": (nullcontext, _sealed),
    "a full disk is taken for success": (full_taken_for_done, _full),
    "a temporary file stays on a full disk": (left_behind, _full),
    "a reader has to write": (reading_writes, _sealed),
}


def inside() -> dict[str, list[str]]:
    """Play all builds in a name space of its own; return what the rig says of each."""
    command = ["unshare", "-Urm", sys.executable, "-m", "tests.fault.mounts_broken", "--inside"]
    found: dict[str, list[str]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def main(words: list[str]) -> int:
    """Play all builds on one small disk."""
    if not words:
        print(json.dumps(inside()))
        return 0
    found = {}
    with tempfile.TemporaryDirectory() as name, disk(Path(name)) as on:
        for build, (wrong, rounds) in BUILDS.items():
            with wrong():
                found[build] = sorted({problem for round_ in rounds(on) for problem in round_.problems})[:3]
            on.forget()
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
