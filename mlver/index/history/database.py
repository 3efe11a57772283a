"""The file of the history index: opened whatever its state, filled in transactions, made anew when damaged.

Who fills it says what goes in (repo/indexing); this module knows tables, not repositories.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mlver.index.cache_file import CacheFile, Unsound
from mlver.index.history.ddl import schema_script
from mlver.index.history.tables import SEARCH, TABLES, VERSION

PATIENCE = 10  # seconds to wait for a lock; whoever holds the file is doing our work, unless it was stopped
_INSERTS = {
    table.name: f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(table.columns))})"  # noqa: S608
    for table in TABLES
    if table.query is None
}
_COLUMNS = ", ".join(SEARCH.columns)
_FIND = f"INSERT INTO search(rowid, {_COLUMNS}) SELECT number, {_COLUMNS} FROM texts WHERE number > ?"  # noqa: S608
_LOSE = f"INSERT INTO search(search, rowid, {_COLUMNS}) SELECT 'delete', number, {_COLUMNS} FROM texts WHERE "  # noqa: S608


class HistoryIndex:
    """The tables, in a file that may be lost, or in memory where no file can be."""

    def __init__(self, path: Path | None) -> None:
        self.file = CacheFile(path, schema_script, VERSION, "the history index", _begin, sealed=True)
        self.reading = self.file.reading
        self.attempt = self.file.again

    @property
    def path(self) -> Path | None:
        """Where the file is, None when the tables are in memory."""
        return self.file.path

    @property
    def connection(self) -> sqlite3.Connection:
        """The open connection, in autocommit mode."""
        return self.file.db

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written within is there at the end, or none of it."""
        with self.file.writing():
            yield

    def select(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.connection.execute(query, values).fetchall()

    def run(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Execute one statement and return the number of the row it inserted last."""
        return self.connection.execute(statement, values).lastrowid or 0

    def insert(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows, each with a value for every column of the table, in their order."""
        self.connection.executemany(_INSERTS[table], rows)

    def insert_texts(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add texts to be searched: a value for every column but the number."""
        last = self.select("SELECT coalesce(max(number), 0) FROM texts")[0]
        self.insert("texts", ((None, *row) for row in rows))
        self.run(_FIND, last)

    def delete_texts(self, where: str, values: Sequence[Any] = ()) -> None:
        """Remove the texts for which a condition holds. The full-text index does not follow by itself."""
        self.run(_LOSE + where, values)
        self.run(f"DELETE FROM texts WHERE {where}", values)  # noqa: S608

    def state(self, name: str) -> str | None:
        """Return what was noted under a name."""
        rows = self.select("SELECT value FROM _state WHERE name = ?", (name,))
        return rows[0][0] if rows else None

    def note(self, name: str, value: str | None) -> None:
        """Note how far the index has come; None forgets it."""
        self.run("DELETE FROM _state WHERE name = ?", (name,))
        if value is not None:
            self.insert("_state", [(name, value)])

    def changes(self) -> int:
        """Return a number that is another one after somebody else has written."""
        return int(self.select("PRAGMA data_version")[0][0])

    def clear(self) -> None:
        """Empty every table; within a transaction."""
        self.run("INSERT INTO search(search) VALUES ('delete-all')")
        for name in _INSERTS:
            self.run(f"DELETE FROM {name}")  # noqa: S608

    def close(self) -> None:
        """Close the file. It is opened again when needed."""
        self.file.close()


def _begin(db: sqlite3.Connection) -> None:
    found = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    if not found.issuperset(table.name for table in (*TABLES, SEARCH)):
        raise Unsound("tables are missing")  # somebody wrote to it
    db.execute(f"PRAGMA busy_timeout = {1000 * PATIENCE}")
