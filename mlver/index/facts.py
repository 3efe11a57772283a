"""The facts as a table, so that a question about one commit or alert does not read the whole log.

Rows are kept by the batch they stand in, batches by their id, so a row is never stale. The table is
made from the log and can be deleted, damaged, locked or read-only at any time; then it is made anew,
in memory if need be. It is sealed as a whole: questions count and group inside SQLite, where no checksum of a
row could be looked at. Batches are objects of the log, or files of alerts under their blob ids.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from mlver.index.cache_file import CacheFile
from mlver.objects.ids import parents_first

_VERSION = 2
_SCHEMA = """
CREATE TABLE batch (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE);
CREATE TABLE parent (batch INTEGER NOT NULL, parent INTEGER NOT NULL, PRIMARY KEY (batch, parent)) WITHOUT ROWID;
CREATE TABLE fact (
    number INTEGER PRIMARY KEY, batch INTEGER NOT NULL, id BLOB, type TEXT NOT NULL, at INTEGER NOT NULL,
    known INTEGER NOT NULL, "by" TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL,
    "commit" TEXT, alert TEXT, word TEXT, level TEXT
);
CREATE INDEX by_commit ON fact ("commit") WHERE "commit" IS NOT NULL;
CREATE INDEX by_alert ON fact (alert, type) WHERE alert IS NOT NULL;
CREATE INDEX by_type ON fact (type || '');
CREATE INDEX by_file ON fact (batch) WHERE id IS NULL;
"""
_INSERT = "INSERT INTO fact VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_REACH = """
INSERT INTO temp.reach WITH RECURSIVE r(n) AS (
    SELECT number FROM batch WHERE id = ? UNION SELECT parent.parent FROM parent JOIN r ON parent.batch = r.n
) SELECT n FROM r WHERE TRUE ON CONFLICT DO NOTHING
"""
# for rare types: as an expression it is used by none but those who ask for it
OF_TYPE = "(type || '')"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FactRow(NamedTuple):
    """One fact. Times in microseconds since 1970; `subject` and `body` are JSON.

    `id` is None for what stands in a file and not in the log. `word` is the type of an alert, or the
    outcome of an action; `level` the severity of an alert.
    """

    id: bytes | None
    type: str
    at: int
    known: int
    by: str
    subject: str
    body: str
    commit: str | None = None
    alert: str | None = None
    word: str | None = None
    level: str | None = None


def micros(at: datetime) -> int:
    """Return a moment as microseconds since 1970, exactly."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment(micros: int) -> datetime:
    """Return the moment so many microseconds after 1970, UTC."""
    return _EPOCH + timedelta(microseconds=micros)


# returns the parents of a batch, and its rows
Reader = Callable[[bytes], tuple[Sequence[bytes], Sequence[FactRow]]]


class FactIndex:
    """The table. Every question names the batches it is about, `roots`, and sees these and all before them."""

    def __init__(self, path: Path | None) -> None:
        self._file = CacheFile(path, _SCHEMA, _VERSION, "facts", self._begin, sealed=True)
        self._roots: Mapping[bytes, Reader] | None = None

    def select(self, roots: Mapping[bytes, Reader], query: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a query. `reach` lists the numbers of the batches that it may see."""

        def work(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
            self._bring_up(db, roots)
            with self._file.reading():
                return db.execute(query, dict(values)).fetchall()

        return self._file.attempt(work)

    def batches(self, roots: Mapping[bytes, Reader]) -> set[bytes]:
        """Return the ids of `roots` and of all batches before them."""
        return {id for (id,) in self.select(roots, "SELECT id FROM batch WHERE number IN reach", {})}

    def facts(self, roots: Mapping[bytes, Reader], where: str, values: Mapping[str, Any]) -> Iterator[FactRow]:
        """Yield the facts for which the condition `where` holds, in the order of the log, each once."""
        columns = 'id, type, at, known, "by", subject, body, "commit", alert, word, level'
        query = f"SELECT {columns} FROM fact WHERE batch IN reach AND ({where}) ORDER BY number"  # noqa: S608
        seen: set[bytes] = set()
        for row in map(FactRow._make, self.select(roots, query, values)):
            if row.id is None or row.id not in seen:
                seen.update((row.id,) if row.id else ())
                yield row

    def close(self) -> None:
        """Close the file. It is opened again when needed."""
        self._file.close()

    def _begin(self, db: sqlite3.Connection) -> None:
        db.execute("CREATE TEMP TABLE reach (n INTEGER PRIMARY KEY)")
        self._roots = None

    def _bring_up(self, db: sqlite3.Connection, roots: Mapping[bytes, Reader]) -> None:
        """Have the table hold what `roots` lead to, and make `reach` theirs."""
        if self._roots is not None and self._roots.keys() == roots.keys():
            return
        with self._file.reading():
            pass  # what is held can be believed from here on: batches only come
        for root, read in roots.items():
            self._take_in(db, root, read)
        with self._file.reading():
            db.execute("DELETE FROM temp.reach")
            for root in roots:
                db.execute(_REACH, (root,))
        self._roots = dict(roots)

    def _take_in(self, db: sqlite3.Connection, root: bytes, read: Reader) -> None:
        """Add the batch `root` and those before it, as far as they are missing, the oldest first."""
        missing: dict[bytes, tuple[Sequence[bytes], Sequence[FactRow]]] = {}

        def above(id: bytes) -> Sequence[bytes] | None:
            if db.execute("SELECT 1 FROM batch WHERE id = ?", (id,)).fetchone() is not None:
                return None
            missing[id] = read(id)
            return missing[id][0]

        order = list(parents_first([root], above))
        if not order:
            return
        with self._file.writing():
            for id in order:
                _insert(db, id, *missing[id])


def _insert(db: sqlite3.Connection, id: bytes, parents: Sequence[bytes], rows: Sequence[FactRow]) -> None:
    cursor = db.execute("INSERT OR IGNORE INTO batch (id) VALUES (?)", (id,))
    if not cursor.rowcount:
        return  # another process was faster
    number = cursor.lastrowid
    for parent in parents:
        db.execute("INSERT INTO parent SELECT ?, number FROM batch WHERE id = ?", (number, parent))
    db.executemany(_INSERT, ((number, *row) for row in rows))
