"""Questions in SQL: reading alone, in bounded time and memory, answered by the file or by the tables in memory."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any, TypeVar
from urllib.parse import quote

from mlver.errors import LocalIO, MlverError, Refused, UsageError
from mlver.frozen import frozen
from mlver.index.cache_file import is_damage
from mlver.index.history.database import PATIENCE, HistoryIndex
from mlver.index.history.tables import TABLES

_PULSE = 20_000  # steps of SQLite between two looks at the clock
_LARGEST = 64 << 20  # bytes of one value
_HINT = "mlver query --schema"
_READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE)
_FUNCTIONS_BARRED = ("load_extension", "fts3_tokenizer", "readfile", "writefile", "edit")
_PRAGMAS = ("data_version", "table_info", "table_xinfo", "table_list", "index_list", "index_info", "compile_options")
_ACTIONS = {getattr(sqlite3, f"SQLITE_{word.replace(' ', '_')}"): word for word in (
    "INSERT", "UPDATE", "DELETE", "ATTACH", "DETACH", "PRAGMA", "TRANSACTION", "SAVEPOINT", "ALTER TABLE", "REINDEX",
    "ANALYZE", "CREATE TABLE", "CREATE VIEW", "CREATE INDEX", "CREATE TRIGGER", "CREATE TEMP TABLE", "CREATE VTABLE",
    "CREATE TEMP VIEW", "CREATE TEMP TRIGGER", "CREATE TEMP INDEX", "DROP TABLE", "DROP VIEW", "DROP INDEX",
    "DROP TRIGGER", "DROP VTABLE", "FUNCTION",
)}  # fmt: skip
Parameters = Sequence[Any] | Mapping[str, Any]


@frozen
class Rows:
    """What a question gave: names of columns, each different, and rows; `more` when a limit cut them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    more: bool


_T = TypeVar("_T")


class _Guard:
    """Lets a statement read and do nothing else; remembers what it reads and what it was denied."""

    def __init__(self) -> None:
        self.read: set[str] = set()
        self.denied: str | None = None

    def __call__(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        if action in _READING:
            self.read.add(first or "")
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and second not in _FUNCTIONS_BARRED:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS:
            return sqlite3.SQLITE_OK
        name = second if action == sqlite3.SQLITE_FUNCTION else first
        self.denied = self.denied or " ".join(filter(None, (_ACTIONS.get(action, "that"), name)))
        return sqlite3.SQLITE_DENY


def tables_read(index: HistoryIndex, sql: str, parameters: Parameters) -> set[str]:
    """Return the tables and views that a question reads; nothing is read. Raises like `ask`."""
    guard = _Guard()
    with closing(_reader(index)) as reader:
        reader.guarded(guard, lambda db: db.execute(f"EXPLAIN {sql}", parameters).fetchone())
    return guard.read


def ask(
    index: HistoryIndex,
    sql: str,
    parameters: Parameters = (),
    *,
    limit: int | None = None,
    seconds: float | None = None,
) -> Rows:
    """Return the answer to one SELECT, at most `limit` rows, within so many `seconds`.

    UsageError for what SQLite does not understand, Refused for what would write, load code or take too long.
    """

    def work(db: sqlite3.Connection) -> Rows:
        cursor = db.execute(sql, parameters)
        if cursor.description is None:
            raise UsageError("query: nothing is asked", hint="begin with SELECT or WITH")
        rows = cursor.fetchmany(limit + 1) if limit is not None else cursor.fetchall()
        more = limit is not None and len(rows) > limit
        return Rows(_names(cursor.description), tuple(rows[:limit]), more)

    with closing(_reader(index)) as reader:
        return reader.guarded(_Guard(), work, seconds)


_OF_THE_FILE = (
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
)  # fmt: skip


class _Reader:
    """A connection that may read; its own one to the file, or the index's when that is in memory."""

    def __init__(self, db: sqlite3.Connection, *, own: bool) -> None:
        self._db, self._own = db, own

    def guarded(self, guard: _Guard, work: Callable[[sqlite3.Connection], _T], seconds: float | None = None) -> _T:
        db, deadline = self._db, None if seconds is None else time.monotonic() + seconds
        db.execute("PRAGMA query_only = ON")
        largest = db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST)
        db.set_authorizer(guard)
        if deadline is not None:
            db.set_progress_handler(lambda: time.monotonic() > deadline, _PULSE)
        try:
            return work(db)
        except sqlite3.Error as error:
            if is_damage(error) or (self._own and _code(error) in _OF_THE_FILE):
                raise  # `attempt` goes on without the file
            raise _complaint(error, guard, seconds) from error
        except (OverflowError, UnicodeEncodeError) as error:
            raise UsageError(f"query: {error}", hint=_HINT) from error
        finally:
            db.set_progress_handler(None, 0)
            db.set_authorizer(None)
            db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, largest)
            db.execute("PRAGMA query_only = OFF")

    def close(self) -> None:
        if self._own:
            self._db.close()


def _reader(index: HistoryIndex) -> _Reader:
    shared = index.connection
    if index.path is None:
        return _Reader(shared, own=False)
    db = sqlite3.connect(f"file:{quote(str(index.path))}?mode=ro", uri=True, timeout=PATIENCE, isolation_level=None)
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("SELECT 1 FROM search LIMIT 0")  # FTS5 sets itself up, by statements that the guard would deny
    return _Reader(db, own=True)


def _complaint(error: sqlite3.Error, guard: _Guard, seconds: float | None) -> MlverError:
    if guard.denied:
        return Refused(f"query: a question may only read, not {guard.denied}", hint="begin with SELECT or WITH")
    code = _code(error)
    if code == sqlite3.SQLITE_INTERRUPT:
        return Refused(f"query: not answered within {seconds:g} s", hint="mlver query --timeout SECONDS")
    if code in (*_OF_THE_FILE, sqlite3.SQLITE_NOMEM):
        return LocalIO(f"query: {error}")
    if code == sqlite3.SQLITE_READONLY:
        return Refused("query: a question may only read", hint="begin with SELECT or WITH")
    return UsageError(f"query: {_words(str(error))}", hint=_HINT)


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _words(text: str) -> str:
    """Return SQLite's complaint; one about a table or column with the names that come close."""
    if text.startswith("You can only execute one statement"):
        return "one question at a time"
    missing = re.fullmatch(r"no such (table|column): (?:\w+\.)?(\S+)", text)
    if missing is None:
        return text
    from difflib import get_close_matches

    tables = [table for table in TABLES if not table.hidden]
    names = [t.name for t in tables] if missing[1] == "table" else [name for t in tables for name in t.columns]
    if missing[1] == "column" and (held := [t.name for t in tables if missing[2] in t.columns]):
        return f"{text} in what is asked; {', '.join(held[:5])} {'has' if len(held) == 1 else 'have'} one"
    close = get_close_matches(missing[2], sorted({n for n in names if not n.startswith("_")}), n=3, cutoff=0.5)
    return f"{text}; did you mean {', '.join(close)}?" if close else text


def _names(description: Any) -> tuple[str, ...]:
    """Return the names of the columns; a second `id` is `id_2`."""
    found: list[str] = []
    for entry in description:
        name, count = str(entry[0]), 1
        while name in found:
            count += 1
            name = f"{entry[0]}_{count}"
        found.append(name)
    return tuple(found)
