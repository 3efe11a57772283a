"""The moves of stages by operation, so that a ledger does not read every operation there ever was.

An operation never changes, so what is kept under its id is never stale. The file can be deleted, damaged, locked
or read-only at any time: each row carries a checksum, and a chain that is not whole is read again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from xxhash import xxh3_64_intdigest

from mlver.index.cache_file import CacheFile, Unsound

_VERSION = 2
_SCHEMA = """
CREATE TABLE op (id BLOB PRIMARY KEY, parent BLOB, number INTEGER, moves BLOB, before BLOB, checksum INTEGER)
WITHOUT ROWID;
"""
_INSERT = "INSERT OR REPLACE INTO op VALUES (?, ?, ?, ?, ?, ?)"
_KNOWN = "SELECT 1 FROM op WHERE id = ?"
_ONE = "SELECT * FROM op WHERE id = ?"
_CHAIN = """
WITH RECURSIVE chain(id, parent, number, moves, before, checksum) AS (
    SELECT * FROM op WHERE id = ? UNION ALL SELECT op.* FROM op JOIN chain ON op.id = chain.before
) SELECT * FROM chain
"""
_SIGNED = 1 << 63
_NONE = type(None)


class OpRow(NamedTuple):
    """One operation: its id, its parent's (None for the first), its number, and its moves (empty when it made none)."""

    id: bytes
    parent: bytes | None
    number: int
    moves: bytes


class _Kept(NamedTuple):
    """An operation as it is kept: also the newest one before it that made moves, so that others are passed over."""

    id: bytes
    parent: bytes | None
    number: int
    moves: bytes
    before: bytes | None


# yields operations from the newest on, back to one of which the given function says that it is known
Reader = Callable[[Callable[[bytes], bool]], Iterator[OpRow]]


def moves_of(path: Path | None, head: bytes, read: Reader) -> list[bytes]:
    """Return the moves of the operation `head` and all before it, newest first, without those that made none.

    Raises LocalIO when they cannot even be kept in memory.
    """
    file = CacheFile(path, _SCHEMA, _VERSION, "the moves of stages")
    try:
        return file.attempt(lambda db: _moves_of(db, head, read))
    finally:
        file.close()


def _moves_of(db: sqlite3.Connection, head: bytes, read: Reader) -> list[bytes]:
    if db.execute(_KNOWN, (head,)).fetchone() is None:
        _take_in(db, read, lambda id: db.execute(_KNOWN, (id,)).fetchone() is not None)
    found = _whole_chain(db, head)
    if found is None:  # a row was flipped or lost
        _take_in(db, read, lambda _: False)
        found = _whole_chain(db, head)
    if found is None:
        raise Unsound("the chain of operations is not whole")
    return found


def _take_in(db: sqlite3.Connection, read: Reader, known: Callable[[bytes], bool]) -> None:
    """Add what is missing, all or nothing: the operations before a known one are known."""
    rows: list[_Kept] = []
    for row in reversed(list(read(known))):
        parent = None if row.parent is None else rows[-1] if rows else _one(db, row.parent)
        if row.parent is not None and parent is None:
            return  # the one before is not as it was written
        before = None if parent is None else parent.id if parent.moves else parent.before
        rows.append(_Kept(*row, before))
    with db:
        db.execute("BEGIN IMMEDIATE")
        db.executemany(_INSERT, ((*row, _checksum(row)) for row in rows))


def _one(db: sqlite3.Connection, id: bytes) -> _Kept | None:
    row = db.execute(_ONE, (id,)).fetchone()
    return None if row is None else _checked(row)


def _whole_chain(db: sqlite3.Connection, head: bytes) -> list[bytes] | None:
    """Return the moves from `head` on; None when a row is lost, or not as it was written."""
    found: list[bytes] = []
    last: _Kept | None = None
    for values in db.execute(_CHAIN, (head,)):
        row = _checked(values)
        if row is None or (last is not None and (row.number >= last.number or not row.moves)):
            return None
        last = row
        if row.moves:
            found.append(row.moves)
    return found if last is not None and last.before is None else None


def _checked(values: tuple[Any, ...]) -> _Kept | None:
    row = _Kept._make(values[:-1])
    kinds = tuple(map(type, row))
    whole = (kinds[0], kinds[2], kinds[3]) == (bytes, int, bytes) and {kinds[1], kinds[4]} <= {bytes, _NONE}
    return row if whole and values[-1] == _checksum(row) else None


def _checksum(row: _Kept) -> int:
    data = b"\0".join((row.id, row.parent or b"", str(row.number).encode(), row.before or b"", row.moves))
    return xxh3_64_intdigest(data) - _SIGNED
