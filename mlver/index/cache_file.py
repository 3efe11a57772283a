"""A SQLite file that may be lost: opened whatever its state, made anew when damaged, in memory when it must be."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from mlver.errors import LocalIO

_T = TypeVar("_T")
Schema = str | Callable[[], str]
_PATIENCE = 2.0  # seconds to wait for another process that writes the cache; it may have been stopped
_SUFFIXES = ("", "-journal", "-wal", "-shm")
# The file may come from anywhere, and may be thrown away: distrust it, and do not wait for the disk.
_PRAGMAS = ("PRAGMA trusted_schema = OFF", "PRAGMA cell_size_check = ON", "PRAGMA synchronous = OFF")

_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA)
_TRIES: Final = 2  # once made anew, once left for memory
_inherited: list[sqlite3.Connection] = []  # of a parent process: not ours to close


class Unsound(sqlite3.DatabaseError):
    """A row is not there, or not as it was written: the file is made anew."""


class CacheFile:
    """A cache as this process has it open, from the first question on. Safe to use from several threads.

    `begun` is called with each new connection; what it raises counts as damage. `what` names the cache in errors.
    """

    def __init__(
        self,
        path: Path | None,
        schema: Schema,
        version: int,
        what: str,
        begun: Callable[[sqlite3.Connection], object] | None = None,
    ) -> None:
        self.path = path  # None once it had to be left for memory
        self.losses = 0  # how often all that it held was given up
        self.lock = threading.RLock()
        self._schema, self._version, self._what, self._begun = schema, version, what, begun
        self._db: sqlite3.Connection | None = None
        self._pid = 0

    @property
    def db(self) -> sqlite3.Connection:
        """The open connection, in autocommit mode. Raises `sqlite3.Error`, for `again`."""
        if self._db is None or self._pid != os.getpid():  # a connection must not cross a fork
            self.close()
            self._db, self._pid = connect(self.path, self._schema, self._version), os.getpid()
            if not self._db.execute("PRAGMA database_list").fetchone()[2]:
                self.path = None
            if self._begun is not None:
                self._begun(self._db)
        return self._db

    def attempt(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Return what `work` does with the connection, alone. See `again`."""
        with self.lock:
            return self.again(lambda: work(self.db))

    def again(self, work: Callable[[], _T]) -> _T:
        """Return what `work` returns. It is called again when the file was damaged and made anew, or left for memory.

        Raises LocalIO when even that fails.
        """
        for _ in range(_TRIES):
            try:
                return work()
            except sqlite3.Error as error:
                self.give_up(damaged=is_damage(error))
        try:
            return work()
        except sqlite3.Error as error:
            raise LocalIO(f"cannot keep {self._what} in memory: {error}") from error

    def offer(self, work: Callable[[sqlite3.Connection], _T]) -> _T | None:
        """Return what `work` does, None when it cannot: for what is no matter if it is not read, or not kept."""
        with self.lock:
            try:
                return work(self.db)
            except sqlite3.Error as error:
                if is_damage(error):  # else it is locked, read-only or full
                    self.give_up(damaged=True)
                return None

    def give_up(self, *, damaged: bool) -> None:
        """Go on without what the file holds: make it anew when it is damaged, else in memory."""
        with self.lock:
            self.close()
            self.losses += 1
            if not (damaged and self.path is not None and delete(self.path)):
                self.path = None

    def close(self) -> None:
        """Close the file. It is opened again when needed."""
        with self.lock:
            if self._db is not None:
                self._db.close() if self._pid == os.getpid() else _inherited.append(self._db)
            self._db = None


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is to blame, and not the question or the disk."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return isinstance(error, Unsound)
    return code & 0xFF in (*_DAMAGE, sqlite3.SQLITE_CONSTRAINT)


def connect(path: Path | None, schema: Schema, version: int) -> sqlite3.Connection:
    """Return a connection in autocommit mode with `schema` in place, in memory when the file cannot be used.

    A file of another `version` is made anew. `schema` is a script of CREATE statements, or writes one.
    """
    if path is not None:
        try:
            path.parent.mkdir(exist_ok=True)
            return _prepared(path if is_plain(path) else None, schema, version)
        except sqlite3.OperationalError:
            return _prepared(None, schema, version)
        except sqlite3.Error:
            if delete(path):
                with contextlib.suppress(sqlite3.Error):
                    return _prepared(path, schema, version)
        except OSError:
            return _prepared(None, schema, version)
    return _prepared(None, schema, version)


def is_plain(path: Path) -> bool:
    """Whether a regular file is there, or nothing: a pipe would wait for ever, a link lead anywhere."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return True


def delete(path: Path) -> bool:
    """Remove the file and what SQLite puts beside it; False when that is not allowed."""
    try:
        for suffix in _SUFFIXES:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    except OSError:  # read-only
        return False
    return True


def is_sound(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with a file, or another process is at it just now. Reads all of it."""
    if not is_plain(path):
        return False
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE)
        try:
            for pragma in _PRAGMAS[:2]:
                db.execute(pragma)
            return bool(db.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",))
        finally:
            db.close()
    except sqlite3.OperationalError:
        return True
    except sqlite3.Error:
        return False


def _prepared(path: Path | None, schema: Schema, version: int) -> sqlite3.Connection:
    db = sqlite3.connect(path or ":memory:", timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        for pragma in _PRAGMAS:
            db.execute(pragma)
        if db.execute("PRAGMA user_version").fetchone() != (version,):
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
                raise Unsound("a cache of another version")
            script = schema if isinstance(schema, str) else schema()
            db.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {version};\nCOMMIT;")
    except BaseException:
        db.close()
        raise
    return db
