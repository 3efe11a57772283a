"""Caches damaged, locked, refused and cut short in every way: no answer may change, no command fail for it.

    python -m tests.fault.caches [PART/PARTS] [NAME...]

SQLite works in C, where `tests.fault.calls` does not see it. So its files are spoilt beforehand, one and all at once,
rows that nothing is wrong with for SQLite say something else, and its statements fail while it runs: full, locked,
refused, damaged, at each statement. Nobody may wait for a cache for long, least of all for a pipe in its place.
Prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sqlite3
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.fault.cache_rows import lying_rounds, warm
from tests.fault.rig import DISK, Round, Scene, Stage, stage
from tests.fault.words import READS, WRITES, Act
from tests.fault.world import Answer

FILES = ("objects.db", "facts.db", "graph.db", "index.db", "stats.db", "derived.db", "moves.db", "remote-origin.db")
_ASKED = "query --path"  # asks for a cache itself: where it cannot be, that is the answer
_MOST = 40
_REAL = sqlite3.connect
_LONGEST = 15.0  # seconds to wait for a lock of a cache
_TRIES = 50  # how often one command may find a cache locked
_BUSY = re.compile(r"PRAGMA busy_timeout = (\d+)", re.IGNORECASE)


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database, " * 400)


def _torn(path: Path) -> None:
    data = path.read_bytes() if path.is_file() else b"SQLite format 3\0"
    path.write_bytes(data[: len(data) * 2 // 3])


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes() if path.is_file() else b"SQLite format 3\0" * 8)
    for at in range(120, len(data), 509):
        data[at] ^= 0x55
    path.write_bytes(data)


def _strange(path: Path) -> None:
    path.unlink(missing_ok=True)
    with closing(_REAL(path)) as db:
        db.execute("CREATE TABLE strangers (x)")
        db.execute("PRAGMA user_version = 1")


def _pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _socket(path: Path) -> None:
    path.unlink(missing_ok=True)
    here = os.getcwd()
    os.chdir(path.parent)  # names of sockets are short
    try:
        with closing(socket.socket(socket.AF_UNIX)) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(here)


def _folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    (path / "in the way").mkdir(parents=True)


def _nowhere(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/nowhere/at/all")


def _elsewhere(path: Path) -> None:
    path.unlink(missing_ok=True)
    target = path.parent.parent.parent / "config/pipeline.json"
    path.symlink_to(target)


def _journal(path: Path) -> None:
    """A journal of another process that died, of nonsense: SQLite would play it back."""
    path.with_name(path.name + "-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(range(256)) * 8)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _no_folder(path: Path) -> None:
    shutil.rmtree(path)


def _file_for_it(path: Path) -> None:
    shutil.rmtree(path)
    path.write_text("in the way")


def _pipe_for_it(path: Path) -> None:
    shutil.rmtree(path)
    os.mkfifo(path)


def _link_for_it(path: Path) -> None:
    shutil.rmtree(path)
    path.symlink_to("/nowhere/at/all")


SPOILT: dict[str, Callable[[Path], None]] = {
    "garbage": _garbage,
    "empty": _empty,
    "torn": _torn,
    "flipped": _flipped,
    "of somebody else": _strange,
    "a pipe": _pipe,
    "a socket": _socket,
    "a folder": _folder,
    "a link to nowhere": _nowhere,
    "a link to a file": _elsewhere,
    "a foreign journal": _journal,
}
WHOLE: dict[str, Callable[[Path], None]] = {  # the folder itself
    "no folder": _no_folder,
    "a file for a folder": _file_for_it,
    "a pipe for a folder": _pipe_for_it,
    "a link to nowhere for a folder": _link_for_it,
}
FAILING = {
    "full": (sqlite3.OperationalError, "database or disk is full", sqlite3.SQLITE_FULL),
    "locked": (sqlite3.OperationalError, "database is locked", sqlite3.SQLITE_BUSY),
    "refused": (sqlite3.OperationalError, "disk I/O error", sqlite3.SQLITE_IOERR),
    "read-only": (sqlite3.OperationalError, "attempt to write a readonly database", sqlite3.SQLITE_READONLY),
    "damaged": (sqlite3.DatabaseError, "database disk image is malformed", sqlite3.SQLITE_CORRUPT),
}


class Waiting(BaseException):
    """A command waits for a cache. It is no error, so nobody can handle it."""


class _Statements:
    """The statements made on files so far; the `at`-th fails. Who asks to wait for a lock is refused at once."""

    def __init__(self, at: int | None, how: str) -> None:
        self.made, self.fired = 0, False
        self.waits = dict[str, None]()
        self._at, self._how, self._locked = at, how, 0

    def run(self, statement: Callable[..., Any], words: tuple[Any, ...], *, reading: bool) -> Any:
        """Make a statement; raise Waiting when too many were in vain for a lock."""
        if asked := _BUSY.fullmatch(str(words[0])):
            self._patient(int(asked[1]) / 1000)
            return statement("PRAGMA busy_timeout")
        self.count(reading=reading)
        try:
            return statement(*words)
        except sqlite3.OperationalError as error:
            self._locked += error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if self._locked > _TRIES:
                self.waits[f"it tried {self._locked} times to get the lock of a cache"] = None
                raise Waiting from None
            raise

    def _patient(self, seconds: float) -> None:
        if seconds > _LONGEST:
            self.waits[f"it would wait {seconds:g} s for the lock of a cache"] = None

    def count(self, *, reading: bool) -> None:
        self.made += not (reading and self._how == "read-only")  # who only reads is never told so
        if self.made == self._at and not self.fired:
            self.fired = True
            kind, text, code = FAILING[self._how]
            error = kind(text)
            error.sqlite_errorcode = code
            raise error

    def connect(self, path: Any, *args: Any, **more: Any) -> sqlite3.Connection:
        """Stand in for `sqlite3.connect`; nobody waits for a lock."""
        statements, reading = self, "mode=ro" in str(path)
        self._patient(more.get("timeout", 5.0))

        class Counted(sqlite3.Connection):
            def execute(self, *words: Any) -> Any:
                return statements.run(super().execute, words, reading=reading)

            def executemany(self, *words: Any) -> Any:
                return statements.run(super().executemany, words, reading=reading)

            def executescript(self, *words: Any) -> Any:
                return statements.run(super().executescript, words, reading=reading)

        kind = sqlite3.Connection if str(path) == ":memory:" else Counted
        made: sqlite3.Connection = _REAL(path, *args, **{**more, "timeout": 0.01, "factory": kind})
        return made


@contextmanager
def statements(at: int | None = None, how: str = "full") -> Iterator[_Statements]:
    """Let the `at`-th statement on a file fail within the block."""
    counted = _Statements(at, how)
    with patch("sqlite3.connect", counted.connect):
        yield counted


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Somebody else writes to the cache and does not end."""
    with closing(_REAL(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield


@contextmanager
def pipes_watched(cache: Path) -> Iterator[list[str]]:
    """Let go whoever waits for a pipe in place of the cache folder or a file of it; the list names what for."""
    pipes = [path for path in (cache, *(cache / file for file in FILES)) if path.is_fifo()]
    waited, over = list[str](), threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            for path in pipes:
                with suppress(OSError):  # nobody has opened it to read
                    end = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
                    waited.extend([path.name] if stat.S_ISFIFO(os.fstat(end).st_mode) else [])
                    os.close(end)

    watching = threading.Thread(target=watch)
    if pipes:
        watching.start()
    try:
        yield waited
    finally:
        over.set()
        if pipes:
            watching.join()


def spoil_rounds(scene: Scene, kinds: list[str] | None = None) -> Iterator[Round]:
    """Give the command with its caches spoilt in each way, one file and all of them."""
    cache = scene.root / "repo/.mlver/cache"
    for name, spoil in SPOILT.items():
        for which in [*([file] for file in FILES), [*FILES]]:
            if kinds is None or f"{name} {len(which)}" in kinds:
                for file in which:
                    spoil(cache / file)
                yield _round(scene, f"{name}: {', '.join(which)}")
    for name, spoil in WHOLE.items():
        if kinds is None or name in kinds:
            spoil(cache)
            yield _round(scene, name)
    for file in FILES:
        if (cache / file).is_file() and (kinds is None or "held" in kinds):
            with held(cache / file):
                yield _round(scene, f"held: {file}")


def failing_rounds(scene: Scene, most: int = _MOST) -> Iterator[Round]:
    """Give the command with each statement failing in each way; of many statements, about so many of them."""
    with statements() as counted:
        yield _judged(scene, "no statement fails", counted)
    step = 1 + counted.made // most
    for how in FAILING:
        at = 1
        while True:
            with statements(at, how) as counted:
                round_ = _judged(scene, f"statement {at} {how}", counted)
            if not counted.fired:
                break
            yield round_
            at += step


def _round(scene: Scene, what: str) -> Round:
    with statements() as counted:
        return _judged(scene, what, counted)


def _judged(scene: Scene, what: str, counted: _Statements) -> Round:
    with pipes_watched(scene.root / "repo/.mlver/cache") as waited:
        try:
            round_ = scene.play_as_it_is(what)
        except Waiting:
            scene.ground.reset()
            round_ = Round(scene.name, 0, what, Answer(-1, "", ""))
    round_.problems += [*counted.waits, *(f"it waits for a pipe, {name}" for name in {*waited})]
    if scene.name == _ASKED and round_.answer.code == DISK and "answers without it" in round_.answer.err:
        round_.problems.remove(f"exit {DISK}")
    return round_


def commands() -> dict[str, Act]:
    """Every command, those that only read first."""
    return {**{f"{name} (reads)": act for name, act in READS.items()}, **WRITES}


def rounds_of(on: Stage, name: str) -> Iterator[Round]:
    """All rounds of a command."""
    scene = on.scene(name, commands()[name])
    warm(scene)
    yield from lying_rounds(scene, FILES)
    yield from spoil_rounds(scene)
    yield from failing_rounds(scene)


def main(words: list[str]) -> int:
    """Run the campaign and print its figures; 1 when anything was violated."""
    part, parts = map(int, words.pop(0).split("/")) if words and "/" in words[0] else (1, 1)
    start, rounds, wrong = time.monotonic(), 0, list[str]()
    with stage() as on:
        for number, name in enumerate(words or commands()):
            if number % parts == part - 1:
                for round_ in rounds_of(on, name):
                    rounds += 1
                    if round_.problems:
                        wrong.append(str(round_))
                        print(round_, file=sys.stderr, flush=True)
                print(f"{name}: {rounds} rounds so far, {len(wrong)} wrong", file=sys.stderr, flush=True)
    found = {"campaign": "caches", "part": f"{part}/{parts}", "rounds": rounds, "violations": len(wrong), "seed": None}
    print(json.dumps(found | {"seconds": round(time.monotonic() - start)}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
