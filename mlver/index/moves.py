"""The moves of stages by operation, so that a ledger does not read every operation there ever was.

An operation never changes, so what is kept under its id is never stale. The file can be deleted, damaged, locked
or read-only at any time: each row carries a checksum, and a chain that is not whole is read again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from mlver.errors import LocalIO
from mlver.index.cache_file import connect, delete

_VERSION = 1
_SCHEMA = (
    "CREATE TABLE op (id BLOB PRIMARY KEY, parent BLOB, number INTEGER, moves BLOB, checksum INTEGER) WITHOUT ROWID;"
)
_INSERT = "INSERT OR REPLACE INTO op VALUES (?, ?, ?, ?, ?)"
_KNOWN = "SELECT 1 FROM op WHERE id = ?"
_CHAIN = """
WITH RECURSIVE chain(id, parent, number, moves, checksum) AS (
    SELECT * FROM op WHERE id = ? UNION ALL SELECT op.* FROM op JOIN chain ON op.id = chain.parent
) SELECT * FROM chain
"""
_SIGNED = 1 << 63
_TYPES = ((bytes, bytes, int, bytes), (bytes, type(None), int, bytes))


class OpRow(NamedTuple):
    """One operation: its id, its parent's (None for the first), its number, and its moves (empty when it made none)."""

    id: bytes
    parent: bytes | None
    number: int
    moves: bytes


# yields operations from the newest on, back to one of which the given function says that it is known
Reader = Callable[[Callable[[bytes], bool]], Iterator[OpRow]]


def moves_of(path: Path | None, head: bytes, read: Reader) -> list[bytes]:
    """Return the moves of the operation `head` and all before it, newest first, without those that made none.

    Raises LocalIO when they cannot even be kept in memory.
    """
    try:
        return _moves_of(path, head, read)
    except sqlite3.Error as error:
        if path is not None and (isinstance(error, sqlite3.OperationalError) or not delete(path)):
            path = None  # locked, read-only, full
    try:
        return _moves_of(path, head, read)
    except sqlite3.Error as error:
        raise LocalIO(f"cannot keep the moves of stages: {error}") from error


def _moves_of(path: Path | None, head: bytes, read: Reader) -> list[bytes]:
    with closing(connect(path, _SCHEMA, _VERSION)) as db:
        if db.execute(_KNOWN, (head,)).fetchone() is None:
            _take_in(db, read, lambda id: db.execute(_KNOWN, (id,)).fetchone() is not None)
        found = _whole_chain(db, head)
        if found is None:  # a row was flipped or lost
            _take_in(db, read, lambda _: False)
            found = _whole_chain(db, head)
        if found is None:
            raise sqlite3.DatabaseError("the chain of operations is not whole")
        return found


def _take_in(db: sqlite3.Connection, read: Reader, known: Callable[[bytes], bool]) -> None:
    """Add what is missing, all or nothing: the operations before a known one are known."""
    rows = [(*row, _checksum(row)) for row in read(known)]
    with db:
        db.execute("BEGIN IMMEDIATE")
        db.executemany(_INSERT, rows)


def _whole_chain(db: sqlite3.Connection, head: bytes) -> list[bytes] | None:
    found, expected = [], None
    for *values, checksum in db.execute(_CHAIN, (head,)):
        row = OpRow._make(values)
        types = tuple(map(type, row))
        if types not in _TYPES or checksum != _checksum(row) or expected not in (None, row.number):
            return None
        expected = row.number - 1
        if row.moves:
            found.append(row.moves)
    return found if expected == -1 else None


def _checksum(row: OpRow) -> int:
    data = b"\0".join((row.id, row.parent or b"", str(row.number).encode(), row.moves))
    return xxh3_64_intdigest(data) - _SIGNED
