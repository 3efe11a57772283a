"""A SQLite file that may be lost: opened whatever its state, made anew when damaged, in memory when it must be."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from mlver.errors import LocalIO

if TYPE_CHECKING:
    from mlver.index.seal import Seal

_T = TypeVar("_T")
Schema = str | Callable[[], str]
_PATIENCE = 2.0  # seconds to wait for another process that writes the cache; it may have been stopped
_SEAL: Final = "-seal"
_SUFFIXES = ("", "-journal", "-wal", "-shm", _SEAL)
# The file may come from anywhere, and may be thrown away: distrust it, and do not wait for the disk.
_PRAGMAS = ("PRAGMA trusted_schema = OFF", "PRAGMA cell_size_check = ON", "PRAGMA synchronous = OFF")

_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA)
_TRIES: Final = 2  # once made anew, once left for memory
_inherited: list[sqlite3.Connection] = []  # of a parent process: not ours to close


class Unsound(sqlite3.DatabaseError):
    """A row is not there, or not as it was written: the file is made anew."""


class CacheFile:
    """A cache as this process has it open, from the first question on. Safe to use from several threads.

    `begun` is called with each new connection; what it raises counts as damage. `what` names the cache in errors. One
    that is `sealed` is read and written within `reading` and `writing`, which see that no byte of it has changed.
    """

    def __init__(
        self,
        path: Path | None,
        schema: Schema,
        version: int,
        what: str,
        begun: Callable[[sqlite3.Connection], object] | None = None,
        *,
        sealed: bool = False,
    ) -> None:
        self.path = path  # None once it had to be left for memory
        self.losses = 0  # how often all that it held was given up
        self.lock = threading.RLock()
        self._schema, self._version, self._what, self._begun = schema, version, what, begun
        self._seal = _seal_of(path) if sealed and path is not None else None
        self._db: sqlite3.Connection | None = None
        self._pid = 0

    @property
    def db(self) -> sqlite3.Connection:
        """The open connection, in autocommit mode. Raises `sqlite3.Error`, for `again`."""
        if self._db is None or self._pid != os.getpid():  # a connection must not cross a fork
            self.close()
            self._db, self._pid = connect(self.path, self._schema, self._version, self._seal), os.getpid()
            if not self._db.execute("PRAGMA database_list").fetchone()[2]:
                self.path = None
                if self._seal is not None:
                    self._seal.release()
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

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection while nobody writes. Raises Unsound when something is not as it was sealed."""
        db = self.db
        db.execute("BEGIN")
        try:
            self._look(db)
            yield db
            db.execute("COMMIT")
        except BaseException:
            _undo(db)
            raise

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for a transaction, all of which is there and sealed at the end, or nothing.

        Raises Unsound when something was not as it was sealed.
        """
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        try:
            self._look(db, again=True)
            yield db
            _commit(db, self._seal if self.path is not None else None)
        except BaseException:
            _undo(db)
            raise

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
            if self._seal is not None:
                self._seal.release()

    def _look(self, db: sqlite3.Connection, *, again: bool = False) -> None:
        if self._seal is not None and self.path is not None:
            whole = self._seal.is_as_sealed() if again else self._seal.is_whole(db)
            if not whole:
                raise Unsound("a cache is not as it was sealed")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is to blame, and not the question or the disk."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return isinstance(error, Unsound)
    return code & 0xFF in (*_DAMAGE, sqlite3.SQLITE_CONSTRAINT)


def connect(path: Path | None, schema: Schema, version: int, seal: Seal | None = None) -> sqlite3.Connection:
    """Return a connection in autocommit mode with `schema` in place, in memory when the file cannot be used.

    A file of another `version` is made anew, and gets a `seal`. `schema` is a script of CREATE statements, or writes
    one.
    """
    if path is not None:
        try:
            path.parent.mkdir(exist_ok=True)
            return _prepared(path if is_plain(path) else None, schema, version, seal)
        except sqlite3.OperationalError:
            return _prepared(None, schema, version)
        except sqlite3.Error:
            if delete(path):
                with contextlib.suppress(sqlite3.Error):
                    return _prepared(path, schema, version, seal)
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


def _seal_of(path: Path) -> Seal:
    from mlver.index.seal import Seal

    return Seal(path, path.with_name(path.name + _SEAL))


def _commit(db: sqlite3.Connection, seal: Seal | None) -> None:
    """Commit, and let nobody see the file before it has its seal."""
    if seal is None:
        db.execute("COMMIT")
        return
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    try:
        db.execute("COMMIT")
        seal.put(db)
    finally:
        db.execute("PRAGMA locking_mode = NORMAL")
    db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()  # now the lock is given back


def _undo(db: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):  # there is an error to raise already
        if db.in_transaction:
            db.execute("ROLLBACK")
        db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()


def _prepared(path: Path | None, schema: Schema, version: int, seal: Seal | None = None) -> sqlite3.Connection:
    if path is None:
        seal = None
    if seal is not None:
        seal.hold()
    db = sqlite3.connect(path or ":memory:", timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        for pragma in _PRAGMAS:
            db.execute(pragma)
        if db.execute("PRAGMA user_version").fetchone() != (version,):
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
                raise Unsound("a cache of another version")
            script = schema if isinstance(schema, str) else schema()
            db.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {version};")
            _commit(db, seal)
    except BaseException:
        db.close()
        raise
    return db
