"""One file rewritten at each moment of a commit that reads it, in each way; no dice are thrown.

What is stored is the file as it was before or after, never some of both; the next commit has what lies there then. A
file system whose clock ticks slowly, as most kernels have, is imitated: there, a file may be rewritten after it was
read, and have the same size and times as before.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mlver.errors import NegativeAnswer
from mlver.repo.repository import Repository
from mlver.verbs.commit import commit
from tests.fault.calls import broken_calls
from tests.gc.beside import still

ALONE, MANY, LARGE = "alone", "among many", "large"  # how the file is read: each goes another way
IN_PLACE, TICK = "in place", "in place, within one tick"
_NAME = "a.bin"
_SIZES = {ALONE: 4_000, MANY: 4_000, LARGE: 3 << 20}
_PAST = 1_600_000_000_000_000_000


def _in_place(path: Path, data: bytes) -> None:
    with open(path, "r+b", buffering=0) as file:
        file.write(data)
        file.truncate(len(data))


def _time_set_back(path: Path, data: bytes) -> None:
    before = os.stat(path)
    _in_place(path, data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _renamed_over(path: Path, data: bytes) -> None:
    other = path.with_name(".new~")
    other.write_bytes(data)
    other.replace(path)


WAYS: dict[str, Callable[[Path, bytes], None]] = {
    IN_PLACE: _in_place,
    TICK: _in_place,
    "time set back": _time_set_back,
    "renamed over": _renamed_over,
    "longer": lambda path, data: _in_place(path, data + data[:100]),
    "shorter": lambda path, data: _in_place(path, data[:-100]),
}


class _Coarse:
    """What the system says of a file, with one time for all that was changed since a moment."""

    def __init__(self, real: os.stat_result, since: int) -> None:
        self._real = real
        self.st_mtime_ns, self.st_ctime_ns = (min(t, since) for t in (real.st_mtime_ns, real.st_ctime_ns))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@contextmanager
def one_tick() -> Iterator[None]:
    """Let the clock of the disk stand still, and that of the process nearly."""
    since = time.time_ns() // 1_000_000 * 1_000_000 + 1  # a clock that counts in ns, and ticks in ms
    fstat, stat = os.fstat, os.stat
    with (
        patch("os.fstat", lambda fd: _Coarse(fstat(fd), since)),
        patch("os.stat", lambda path, **more: _Coarse(stat(path, **more), since)),
        patch("mlver.repo.scan._stat", lambda entry: _Coarse(entry.stat(follow_symlinks=False), since)),
        patch("time.time_ns", lambda: since + 5_000_000),
    ):
        yield


class Moments:
    """A repository with a file, alone or with others beside it, and the moments at which a commit is at this file."""

    def __init__(self, root: Path, kind: str) -> None:
        self.root, self.kind, self.path = root, kind, root / _NAME
        root.mkdir()
        (root / ".mlverignore").write_text(".*~\n")
        self.repo = Repository.init(root, actor="judge")[0]
        self._turn = 0
        for _ in range(2):  # the first one is another one
            self._write()
            with broken_calls(root, file=self.path) as calls:
                commit(self.repo, "as it is", allow_empty=True)
            self.moments = range(1, len(calls.log) + 1)

    def _write(self) -> bytes:
        """Let the file, and those beside it, hold something else; return what it holds."""
        self._turn += 1
        data = bytes([self._turn % 251]) * _SIZES[self.kind]
        self.path.write_bytes(data)
        for number in range(12 if self.kind == MANY else 0):
            (self.root / f"b{number}.txt").write_text(f"{self._turn}")
        past = _PAST + self._turn * 1_000_000_000
        for path in self.root.glob("[ab]*"):
            os.utime(path, ns=(past, past))
        return data

    def play(self, way: str, at: int) -> list[str]:
        """Commit while the file is rewritten in a way just before a call; return what is wrong."""
        what = f"{self.kind}, {way}, before call {at}"
        old, wrong = self._write(), list[str]()
        with one_tick() if way == TICK else nullcontext():
            if way == TICK:
                os.utime(self.path)
            data = bytes([255 - self._turn % 4]) * len(old)
            with broken_calls(self.root, at, lambda: WAYS[way](self.path, data), file=self.path) as calls:
                try:
                    commit(self.repo, what, allow_empty=True)
                except NegativeAnswer as error:
                    wrong.append(f"{what}: {error.message}")
            assert calls.fired, what
            stored, new = self._stored(), self.path.read_bytes()
            if not wrong and stored not in (old, new) and way != TICK:  # within one tick nobody can tell
                wrong.append(f"{what}: {len(stored)} bytes were stored, of two versions")
            commit(self.repo, "afterwards", allow_empty=True)
            if self._stored() != new:
                wrong.append(f"{what}: it was overlooked")
        return wrong

    def _stored(self) -> bytes:
        return bytes(self.repo.head_snapshot().source(_NAME).open().read())


def run(kinds: tuple[str, ...] = (ALONE, MANY, LARGE), ways: tuple[str, ...] = tuple(WAYS)) -> tuple[int, list[str]]:
    """Return the number of rounds, and all that is wrong."""
    rounds, wrong = 0, list[str]()
    with tempfile.TemporaryDirectory() as folder, still():
        for kind in kinds:
            scene = Moments(Path(folder, kind), kind)
            for way in ways:
                for at in scene.moments:
                    rounds += 1
                    wrong += scene.play(way, at)
            scene.repo.close()
    return rounds, wrong
