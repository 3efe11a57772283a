"""A seal on a cache file: the hash of all of its bytes, in a small file beside it. What has no seal is not believed.

The bytes are read beside SQLite, by a descriptor of our own. Closing any descriptor of a file drops all locks that a
process has on it, so ours are closed after the last connection to the file, as SQLite does with its own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Final

from xxhash import xxh3_128

_PART: Final = 8 << 20
_AT_ONCE: Final = 1 << 18  # a part is a multiple of it
_KEPT: Final = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MADE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_LONGEST: Final = 64
_lock = threading.Lock()
_abandoned: list[int] = []  # descriptors of seals that nobody let go of
_open: dict[tuple[int, int], tuple[set[int], list[int]]] = {}  # by file: descriptors in use, and those to be closed


class Seal:
    """The seal of a file, which lies in the file `beside`, for one connection at a time.

    Whoever asks holds a lock of SQLite on the file.

    All methods raise `sqlite3.OperationalError` where the disk does not let us.
    """

    def __init__(self, path: Path, beside: Path) -> None:
        self._path, self._beside = path, beside
        self._descriptor: int | None = None
        self._sealed: int | None = None  # the state of the connection in which all was as sealed

    def __del__(self) -> None:
        if self._descriptor is not None:  # closed later: this may come in the middle of anything
            _abandoned.append(self._descriptor)

    def hold(self) -> None:
        """Open the file, before a connection does; it is made where there is none."""
        self.release()
        with contextlib.suppress(IndexError):  # none is left, or another thread took the last
            while True:
                _let_go(_abandoned.pop())
        try:
            descriptor = os.open(self._path, _KEPT, 0o644)
        except OSError as error:
            raise sqlite3.OperationalError(f"cannot open {self._path.name}: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise sqlite3.OperationalError(f"{self._path.name} is no file")
        with _lock:
            _open.setdefault(_file(descriptor), (set(), []))[0].add(descriptor)
        self._descriptor, self._sealed = descriptor, None

    def release(self) -> None:
        """Let go of the file, after its connection was closed."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            _let_go(descriptor)

    def is_whole(self, db: sqlite3.Connection) -> bool:
        """Whether all is as it was sealed. The bytes are read once as long as nobody else writes them."""
        state = _state(db)
        if state != self._sealed and self._read() == self._hash():
            self._sealed = state
        return state == self._sealed

    def is_as_sealed(self) -> bool:
        """Whether all is as it was sealed; reads every byte."""
        return self._read() == self._hash()

    def put(self, db: sqlite3.Connection) -> None:
        """Seal what was just written; nobody else may write meanwhile."""
        try:
            self._beside.unlink(missing_ok=True)
            made = os.open(self._beside, _MADE, 0o644)
            try:
                os.write(made, self._hash())
            finally:
                os.close(made)
        except OSError as error:
            raise sqlite3.OperationalError(f"cannot seal {self._path.name}: {error.strerror}") from error
        self._sealed = _state(db)

    def _read(self) -> bytes:
        try:
            descriptor = os.open(self._beside, _READ)
        except OSError:
            return b""
        try:
            return os.read(descriptor, _LONGEST) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def _hash(self) -> bytes:
        """Return the hash of the file, in hex digits; of none when another one took its name."""
        try:
            named = os.stat(self._path, follow_symlinks=False)
            if self._descriptor is None or _file(self._descriptor) != (named.st_dev, named.st_ino):
                raise sqlite3.OperationalError(f"{self._path.name} was replaced")
            return _hash_of(self._descriptor)
        except OSError as error:
            raise sqlite3.OperationalError(f"cannot read {self._path.name}: {error.strerror}") from error


def _let_go(descriptor: int) -> None:
    with _lock:
        used, over = _open[_file(descriptor)]
        used.discard(descriptor)
        over.append(descriptor)
        if not used:
            del _open[_file(descriptor)]
            for each in over:
                os.close(each)


def _hash_of(descriptor: int) -> bytes:
    """Return the hash of a file, in hex digits: that of its parts, two of which are read at a time."""
    size = os.fstat(descriptor).st_size
    starts = range(0, size, _PART)
    found: dict[int, bytes] = {}

    def work(some: range) -> None:
        with contextlib.suppress(OSError):  # then a part is missing
            for start in some:
                found[start] = _part(descriptor, start)

    beside = threading.Thread(target=work, args=(starts[1::2],)) if len(starts) > 1 else None
    if beside is not None:
        beside.start()
    work(starts[::2])
    if beside is not None:
        beside.join()
    if len(found) != len(starts):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return xxh3_128(b"%d" % size + b"".join(found[start] for start in starts)).hexdigest().encode()


def _part(descriptor: int, start: int) -> bytes:
    hasher, at = xxh3_128(), start
    while at < start + _PART and (data := os.pread(descriptor, _AT_ONCE, at)):
        hasher.update(data)
        at += len(data)
    return hasher.digest()


def _file(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino


def _state(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA data_version").fetchone()[0])
