"""Where objects lie: a table made from the packs, kept in `cache/` only to save reading them again.

It can be deleted, damaged, locked or read-only at any time; then it is made anew, in memory if
need be. Nothing it says is believed without a look at the pack.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from mlver.errors import Damaged
from mlver.index.cache_file import CacheFile
from mlver.objects.ids import ID_BYTES, ID_TYPES, ObjectId
from mlver.storage.base import Storage
from mlver.store.frames import TYPES
from mlver.store.pack import Location, Row, list_packs, read_table, table_holds
from mlver.store.scan import load_rows

_T = TypeVar("_T")
_P = ParamSpec("_P")
_VERSION = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS packs (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, size INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS objects (
    id BLOB NOT NULL, type INTEGER NOT NULL, pack INTEGER NOT NULL, codec INTEGER NOT NULL,
    offset INTEGER NOT NULL, stored INTEGER NOT NULL, raw INTEGER NOT NULL,
    PRIMARY KEY (id, type, pack)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS typed ON objects (type, id) WHERE type > 2;
CREATE TABLE IF NOT EXISTS marks (mark BLOB NOT NULL);
INSERT INTO marks VALUES (randomblob(16));
"""
_FIND = """
SELECT packs.name, codec, offset, stored, raw FROM objects JOIN packs ON packs.number = objects.pack
WHERE id = ? AND type = ? ORDER BY pack
"""
_ASKED = 64
_FEW = 8  # ids, to look for which in key tables is faster than to compare all rows
_MARKS = ", ".join("?" * _ASKED)
_HELD = "SELECT id FROM objects WHERE id IN (MARKS)".replace("MARKS", _MARKS)
_FIND_ALL = """
SELECT id, packs.name, codec, offset, stored, raw FROM objects JOIN packs ON packs.number = objects.pack
WHERE id IN (MARKS) AND type = ? ORDER BY pack
""".replace("MARKS", _MARKS)
_RANGE = "SELECT DISTINCT id FROM objects WHERE type = ? AND id BETWEEN ? AND ? ORDER BY id"


class Locations:
    """Pack and place of every object, by type and id. Safe to use from several threads."""

    def __init__(self, path: Path | None, storage: Storage) -> None:
        self._file = CacheFile(path, _SCHEMA, _VERSION, "locations")
        self._losses = 0  # of the file, as far as what was lost was read again
        self._storage = storage
        self._wrong: bool | None = None  # whether the file was, once that is known
        self._asked = 0  # how often the packs were asked instead

    @classmethod
    def open(cls, path: Path | None, storage: Storage) -> Self:
        """Return the table kept in the file `path` (None: in memory), brought up to date with the packs."""
        locations = cls(path, storage)
        locations.refresh()
        return locations

    def find(self, type: int, id: bytes) -> list[Location]:
        """Return every known place of an object; `type` is a code of `frames.TYPES`."""
        try:
            with self._file.lock:  # without a transaction: this is asked for every chunk
                found = self._file.db.execute(_FIND, (id, type)).fetchall()
        except sqlite3.Error:
            found = self._run(_select, _FIND, (id, type))
        return [Location(name, Row(bytes(id), type, *numbers)) for name, *numbers in found if _sane(name, numbers)]

    def find_all(self, type: int, ids: Sequence[bytes]) -> dict[bytes, list[Location]]:
        """Return the places of those of many objects that are known, as `find` does."""
        found: dict[bytes, list[Location]] = {}
        for id, name, *numbers in self._run(_each, type, ids):
            if _sane(name, numbers):
                found.setdefault(id, []).append(Location(name, Row(id, type, *numbers)))
        return found

    def absent(self, ids: Iterable[bytes]) -> set[bytes]:
        """Return those of `ids` that no pack holds as far as is known, whatever their type. One query for all."""
        return self._run(_absent, [bytes(id) for id in ids])

    def mark(self) -> bytes:
        """Return a mark that is another one once something that was there is there no more, or was forgotten."""
        found = self._run(_select, "SELECT mark FROM marks", ())
        return found[0][0] if len(found) == 1 and isinstance(found[0][0], bytes) else b""

    def prefix(self, hex_prefix: str, types: Iterable[str]) -> list[ObjectId]:
        """Return the ids of the named types that begin with these hex digits, sorted; none if they are no hex."""
        text = hex_prefix.lower()
        try:
            low = bytes.fromhex(text.ljust(2 * ID_BYTES, "0"))
            high = bytes.fromhex(text.ljust(2 * ID_BYTES, "f"))
        except ValueError:
            return []
        found = [id for type in types for id in self._ids(type, low, high)]
        if not found and self.doubt():
            found = [id for type in types for id in self._ids(type, low, high)]
        return sorted(found)

    def ids(self, type: str) -> Iterator[ObjectId]:
        """Yield the ids of all objects of one type, sorted. For `blob`: small files and chunks, no lists."""
        return iter(self._ids(type, bytes(ID_BYTES), b"\xff" * ID_BYTES))

    def add_pack(self, name: str, size: int, rows: Iterable[Row]) -> None:
        """Take in a pack that was just written."""
        self._run(_add, name, size, list(rows))

    def refresh(self) -> bool:
        """Take in packs that are new and forget those that are gone; whether there were any."""
        known = {name for (name,) in self._run(_select, "SELECT name FROM packs", ())}
        present = set(list_packs(self._storage))  # listed last: what another process adds meanwhile is not gone
        for name in known - present:
            self._run(_drop, name)
        for name in sorted(present - known):
            with contextlib.suppress(KeyError):  # moved away meanwhile
                self.add_pack(name, *load_rows(self._storage, name))
        return present != known

    def doubt(self, id: bytes | None = None) -> bool:
        """Whether the file said anything else than the packs; then it was made anew. Reads all of it, only once.

        Who asks for the sake of one `id` has it looked for in the packs first, if few have asked.
        """
        with self._file.lock:
            if self._wrong is None and self._file.path is not None:
                if id is not None and self._asked < _FEW:
                    self._asked += 1
                    if not self._in_packs(id):
                        return False
                losses = self._file.losses
                if self._run(_select, "PRAGMA integrity_check(1)", ()) != [("ok",)] or self._differs():
                    self.rebuild()
                self._wrong = self._file.losses != losses  # it may also have been given up on the way
            return bool(self._wrong)

    def rebuild(self) -> None:
        """Forget everything and read the key tables of all packs again."""
        self._file.give_up(damaged=True)
        self.refresh()

    def close(self) -> None:
        """Close the file. It is opened again when needed."""
        self._file.close()

    def _ids(self, type: str, low: bytes, high: bytes) -> list[ObjectId]:
        found = self._run(_select, _RANGE, (TYPES[type], low, high))
        return [ID_TYPES[type](id) for (id,) in found if isinstance(id, bytes) and len(id) == ID_BYTES]

    def _in_packs(self, id: bytes) -> bool:
        """Whether a key table has this id, or cannot be believed."""
        for name in list_packs(self._storage):
            try:
                if table_holds(read_table(self._storage, name)[2], id):
                    return True
            except KeyError:  # moved away meanwhile
                continue
            except Damaged:
                return True
        return False

    def _differs(self) -> bool:
        """Whether the rows of any pack are not those of its key table; packs that moved away meanwhile do not count."""
        numbers, told = self._run(_sums)
        for number, name in numbers.items():
            with contextlib.suppress(KeyError):
                expected = sum(map(hash, load_rows(self._storage, name)[1]))
                if told.pop(number, 0) != expected:
                    return True
        return not told.keys() <= numbers.keys()

    def _run(self, action: Callable[Concatenate[sqlite3.Connection, _P], _T], *args: _P.args, **kw: _P.kwargs) -> _T:
        def work(_: sqlite3.Connection) -> _T:
            if self._losses != self._file.losses:
                self._losses = self._file.losses
                self.refresh()
            with self._file.db as db:
                return action(db, *args, **kw)

        return self._file.attempt(work)


def _select(db: sqlite3.Connection, query: str, arguments: tuple[object, ...]) -> list[tuple[Any, ...]]:
    return db.execute(query, arguments).fetchall()


def _sums(db: sqlite3.Connection) -> tuple[dict[int, str], dict[int, int]]:
    """Return the names of packs by their numbers, and the sum of the hashes of the rows of each."""
    db.execute("BEGIN")
    numbers = dict(db.execute("SELECT number, name FROM packs").fetchall())
    sums: defaultdict[int, int] = defaultdict(int)
    for number, *row in db.execute("SELECT pack, id, type, codec, offset, stored, raw FROM objects"):
        sums[number] += hash(tuple(row))
    return numbers, sums


def _absent(db: sqlite3.Connection, ids: list[bytes]) -> set[bytes]:
    absent = set(ids)
    for asked in _groups(ids):
        absent.difference_update(id for (id,) in db.execute(_HELD, asked))
    return absent


def _each(db: sqlite3.Connection, type: int, ids: Sequence[bytes]) -> list[tuple[Any, ...]]:
    return [row for asked in _groups(ids) for row in db.execute(_FIND_ALL, (*asked, type))]


def _groups(ids: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Cut into groups of one size: SQLite need not parse the same question in many forms."""
    for start in range(0, len(ids), _ASKED):
        asked = list(ids[start : start + _ASKED])
        yield asked + asked[:1] * (_ASKED - len(asked))


def _sane(name: object, numbers: list[object]) -> bool:
    return isinstance(name, str) and len(name) == 64 and all(isinstance(n, int) and n >= 0 for n in numbers)


def _add(db: sqlite3.Connection, name: str, size: int, rows: list[Row]) -> None:
    db.execute("BEGIN IMMEDIATE")
    cursor = db.execute("INSERT OR IGNORE INTO packs (name, size) VALUES (?, ?)", (name, size))
    if cursor.rowcount:
        number = cursor.lastrowid
        db.executemany(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((row.id, row.type, number, row.codec, row.offset, row.stored, row.raw) for row in rows),
        )


def _drop(db: sqlite3.Connection, name: str) -> None:
    db.execute("BEGIN IMMEDIATE")
    db.execute("DELETE FROM objects WHERE pack IN (SELECT number FROM packs WHERE name = ?)", (name,))
    db.execute("DELETE FROM packs WHERE name = ?", (name,))
    db.execute("UPDATE marks SET mark = randomblob(16)")
