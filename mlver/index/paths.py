"""Which commits changed which paths, as a table beside the commit graph, and which units of a file each touched.

A change is that against the first parent. The changes of a path are numbered and carry checksums, so that a lost or
flipped one is noticed. Units are remembered as 4 bytes each, by content and by how it was read: what is said to be
untouched is so, what is said to be touched must be looked at.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from xxhash import xxh3_64_intdigest, xxh32_digest

from mlver.index.cache_file import Unsound

Database = sqlite3.Connection
SCHEMA: Final = """
CREATE TABLE path (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, changes INTEGER NOT NULL);
CREATE TABLE change (
    path INTEGER, nth INTEGER, node INTEGER, old BLOB, new BLOB, kinds TEXT, checksum INTEGER, PRIMARY KEY (path, nth)
) WITHOUT ROWID;
CREATE TABLE compared (node INTEGER PRIMARY KEY, count INTEGER);
CREATE TABLE touched (
    way BLOB, nth INTEGER, keys BLOB, checksum INTEGER, PRIMARY KEY (way, nth)
) WITHOUT ROWID;
"""
UNLISTED: Final = -1  # changed so many paths that they are not listed, or could not be read
WIDEST: Final = 5000  # paths changed by one commit that are listed
MANY: Final = 2000  # units touched by one change that are listed
_STEP: Final = 1000  # commits of one transaction
_SIGNED: Final = 1 << 63
_WAITING: Final = """SELECT number, id FROM node
WHERE number > (SELECT coalesce(max(node), 0) FROM compared) ORDER BY number LIMIT ?"""
_BOTH: Final = """node.number, id, chain, place, rank, generation, links, parents, node.checksum,
change.path, change.nth, change.node, old, new, kinds, change.checksum"""
_WIDTH: Final = 9  # columns of a commit
_HISTORY: Final = f"""
SELECT {_BOTH}, keys, touched.checksum FROM change JOIN node ON node.number = change.node
LEFT JOIN touched ON way = ? AND touched.nth = change.nth
WHERE path = ? ORDER BY rank DESC, generation DESC, id
"""  # noqa: S608
_NEWEST: Final = f"""
SELECT {_BOTH} FROM change CROSS JOIN node ON node.number = change.node
WHERE path = (SELECT number FROM path WHERE name = ?) AND chain = ? AND place <= ? AND nth <= ?
ORDER BY nth DESC LIMIT 1
"""  # noqa: S608
_COUNT: Final = """INSERT INTO path (name, changes) VALUES (?, 1)
ON CONFLICT (name) DO UPDATE SET changes = changes + 1"""
_PATH: Final = "SELECT number, changes FROM path WHERE name = ?"


class Change(NamedTuple):
    """A commit, by number, changed a path: the content ids before and after, and its kinds in a row."""

    node: int
    old: bytes | None
    new: bytes | None
    kinds: str


Changed = tuple[str, bytes | None, bytes | None, str]  # path, content ids before and after, kinds
# returns what a commit changed; None when that is too much or unreadable
Reader = Callable[[bytes], Sequence[Changed] | None]


def bring_up(db: sqlite3.Connection, read: Reader) -> None:
    """Compare every commit of the graph that was not compared yet with its first parent."""
    while waiting := db.execute(_WAITING, (_STEP,)).fetchall():
        found = [(number, read(id)) for number, id in waiting]
        with db:
            db.execute("BEGIN IMMEDIATE")
            last = db.execute("SELECT coalesce(max(node), 0) FROM compared").fetchone()[0]
            for number, changes in found:
                if number > last:  # else another process was faster
                    _add(db, number, changes)


def _add(db: sqlite3.Connection, node: int, changes: Sequence[Changed] | None) -> None:
    db.execute("INSERT INTO compared VALUES (?, ?)", (node, UNLISTED if changes is None else len(changes)))
    for name, old, new, kinds in changes or ():
        db.execute(_COUNT, (name,))
        row = (*db.execute(_PATH, (name,)).fetchone(), node, old, new, kinds)
        db.execute("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, _checksum(row)))


def unlisted(db: sqlite3.Connection) -> list[int]:
    """Return the commits, by number, whose changes are not listed."""
    return [node for (node,) in db.execute("SELECT node FROM compared WHERE count < 0")]


def names(db: sqlite3.Connection) -> list[str]:
    """Return every path that a listed change is of."""
    return [name for (name,) in db.execute("SELECT name FROM path")]


def names_below(db: sqlite3.Connection, name: str) -> list[str]:
    """Return those that are the given path, or lie below it; none for what is no text, as no path is."""
    if not _is_text(name):
        return []
    query = "SELECT name FROM path WHERE name = ? OR (name > ? AND name < ?)"
    return [found for (found,) in db.execute(query, (name, f"{name}/", f"{name}0"))]


def _is_text(name: str) -> bool:
    try:
        return bool(name.encode()) or not name
    except UnicodeEncodeError:
        return False


def changes_of(db: sqlite3.Connection, name: str) -> list[Change]:
    """Return the listed changes of one path, in no order; Unsound when some are missing."""
    number, count = db.execute(_PATH, (name,)).fetchone() or (0, 0)
    found: list[Change] = []
    query = "SELECT path, nth, node, old, new, kinds, checksum FROM change WHERE path = ? ORDER BY nth"
    for nth, (*values, checksum) in enumerate(db.execute(query, (number,)), 1):
        if values[1] != nth or checksum != _checksum(values):
            raise Unsound("a change is not as it was written")
        found.append(Change._make(values[2:]))
    if len(found) != count:
        raise Unsound("changes are missing")
    return found


def mark(key: str) -> bytes:
    """Return what stands for a unit among those a change touched."""
    return xxh32_digest(key.encode("utf-8", "surrogatepass"))


def marks(keys: Iterable[str]) -> bytes | None:
    """Return what stands for some units in a row, None for too many."""
    found = [mark(key) for key in keys]
    return b"".join(found) if len(found) <= MANY else None


class Row(NamedTuple):
    """One change as it lies in the table, not checked yet: the commit, the change, and what it touched."""

    node: tuple[Any, ...]
    change: tuple[Any, ...]  # path, nth, node, old, new, kinds, checksum
    marks: bytes | None
    checksum: int | None

    def known_marks(self, way: bytes) -> bytes | None:
        """Return the marks of what the change touched, None when that is not known."""
        if self.marks is None or self.checksum != _checksum((way, *self.change[1:-1], self.marks)):
            return None
        return self.marks

    def checked(self) -> Change:
        """Return the change; Unsound when it is not as it was written."""
        if self.change[-1] != _checksum(self.change[:-1]):
            raise Unsound("a change is not as it was written")
        return Change._make(self.change[2:-1])


def history(db: sqlite3.Connection, way: bytes, name: str) -> list[Row]:
    """Return the listed changes of one path, newest first, for each to be checked when looked at; Unsound."""
    number, count = db.execute(_PATH, (name,)).fetchone() or (0, 0)
    rows = db.execute(_HISTORY, (way, number)).fetchall()
    if len(rows) != count:
        raise Unsound("changes are missing")
    return [Row(row[:_WIDTH], row[_WIDTH:-2], row[-2], row[-1]) for row in rows]


def newest(db: sqlite3.Connection, name: str, chain: int, place: int, nth: int) -> Row | None:
    """Return the last of the changes of a path up to a place in a chain, and up to the `nth`; it is not checked."""
    row = db.execute(_NEWEST, (name, chain, place, nth)).fetchone()
    return None if row is None else Row(row[:_WIDTH], row[_WIDTH:], None, None)


def remember(db: sqlite3.Connection, way: bytes, found: Iterable[tuple[Row, bytes]]) -> None:
    """Keep the marks of what changes touched."""
    rows = [(way, row.change[1], marks, _checksum((way, *row.change[1:-1], marks))) for row, marks in found]
    with db:
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT OR REPLACE INTO touched VALUES (?, ?, ?, ?)", rows)


def _checksum(values: Iterable[object]) -> int:
    parts = (value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass") for value in values)
    return xxh3_64_intdigest(b"\0".join(parts)) - _SIGNED
