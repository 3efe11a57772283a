"""What was worked out from contents and costs time to work out again: kept by name, thrown away at will.

A name says everything the answer depends on: the ids of the bytes, how they were read, and by which version.
"""

from __future__ import annotations

import sqlite3
import zlib
from pathlib import Path
from typing import Final

from xxhash import xxh3_64_intdigest

from mlver.index.cache_file import CacheFile

_VERSION: Final = 2
_SCHEMA: Final = """
CREATE TABLE answer (name TEXT PRIMARY KEY, checksum INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE used (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
"""
_FIND: Final = "SELECT checksum, body FROM answer WHERE name = ?"
_USE: Final = "UPDATE used SET at = (SELECT max(at) + 1 FROM used) WHERE name = ?"
_ROOM: Final = 64 << 20  # bytes of answers kept
_LARGEST: Final = 8 << 20
_TRUST: Final = 256 << 20  # bytes an answer unfolds to at most
_SIGNED: Final = 1 << 63


class Derived:
    """Answers by name in one SQLite file; those not asked for the longest make room."""

    def __init__(self, path: Path | None) -> None:
        self.since = ""  # what all answers depend on beside their names; those of another `since` are not known
        self._file = CacheFile(path, _SCHEMA, _VERSION, "answers")

    def get(self, name: str) -> bytes | None:
        """Return the answer of that name, None when it is not known, or not as it was put here."""
        name = self.since + name
        row = self._file.offer(
            lambda db: db.execute("SELECT checksum, body FROM answer WHERE name = ?", (name,)).fetchone()
        )
        if row is None or type(row[1]) is not bytes or row[0] != _checksum(name, row[1]):
            return None
        unpack = zlib.decompressobj()
        try:
            body = unpack.decompress(row[1], _TRUST)
        except zlib.error:
            return None
        if not unpack.eof:
            return None
        self._file.offer(
            lambda db: db.execute("UPDATE used SET at = (SELECT max(at) + 1 FROM used) WHERE name = ?", (name,))
        )
        return body

    def put(self, name: str, body: bytes) -> None:
        """Keep an answer, if it is not too large and the disk lets us."""
        name, packed = self.since + name, zlib.compress(body, 1)
        if len(packed) > _LARGEST:
            return

        def write(db: sqlite3.Connection) -> None:
            with db:
                db.execute("BEGIN IMMEDIATE")
                db.execute("INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", (name, _checksum(name, packed), packed))
                db.execute("INSERT OR REPLACE INTO used SELECT ?, coalesce(max(at), 0) + 1 FROM used", (name,))
                _make_room(db)

        self._file.offer(write)

    def close(self) -> None:
        """Release the file; it is opened again when asked for."""
        self._file.close()


def _checksum(name: str, packed: bytes) -> int:
    """Vouch for an answer and for what it is the answer to."""
    return xxh3_64_intdigest(packed, xxh3_64_intdigest(name.encode("utf-8", "surrogatepass"))) - _SIGNED


def _make_room(db: sqlite3.Connection) -> None:
    sizes = db.execute("SELECT name, length(body) FROM used JOIN answer USING (name) ORDER BY at DESC").fetchall()
    total = 0
    for name, size in sizes:
        total += size
        if total > _ROOM:
            db.execute("DELETE FROM answer WHERE name = ?", (name,))
            db.execute("DELETE FROM used WHERE name = ?", (name,))
