"""A SQLite file that may be lost: opened whatever its state, made anew when damaged, in memory when it must be."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

Schema = str | Callable[[], str]
_PATIENCE = 2.0  # seconds to wait for another process that writes the cache; it may have been stopped
_SUFFIXES = ("", "-journal", "-wal", "-shm")
# The file may come from anywhere, and may be thrown away: distrust it, and do not wait for the disk.
_PRAGMAS = ("PRAGMA trusted_schema = OFF", "PRAGMA cell_size_check = ON", "PRAGMA synchronous = OFF")


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
                raise sqlite3.DatabaseError("a cache of another version")
            script = schema if isinstance(schema, str) else schema()
            db.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {version};\nCOMMIT;")
    except BaseException:
        db.close()
        raise
    return db
