"""The stat cache: what each folder of the work tree held when it last looked like this. Disposable.

One row a folder. The stat data of its files are kept packed, as they are compared: a folder of which every byte is
as in its row is known without looking at any file of it.
"""

from __future__ import annotations

import os
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from blake3 import blake3

from mlver.index.cache_file import CacheFile
from mlver.objects.ids import ID_BYTES, BlobId

# A file changed again within one tick of its clock can keep its stat data; such entries are re-read. File systems count
# in two seconds (FAT), in one, or in nanoseconds, which the kernel brings up to date every ten milliseconds at least.
RACY_NS = 2_000_000_000
FINE_NS = 100_000_000
_FINEST_OF_COARSE = 1_000_000  # of those that count in milliseconds
_SCHEMA = """
CREATE TABLE folders (
    path BLOB PRIMARY KEY, rules BLOB, listing BLOB, marks BLOB, stats BLOB, tree BLOB, stored BLOB, kinds TEXT,
    ids BLOB, digest BLOB
) WITHOUT ROWID;
"""
_VERSION = 2
_COLUMNS = "rules, listing, marks, stats, tree, stored, kinds, ids, digest"
_LOAD = f"SELECT {_COLUMNS} FROM folders WHERE path = ?"  # noqa: S608  (names of columns alone)
_LOAD_ALL = f"SELECT path, {_COLUMNS} FROM folders"  # noqa: S608
_SAVE = f"REPLACE INTO folders (path, {_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)"  # noqa: S608
_DIGEST = 16
_FIELDS = Struct("=5q")
STAT_BYTES = _FIELDS.size
UNPROVEN = bytes(STAT_BYTES)  # of a file whose stat data prove nothing: no file has them
FileFields = tuple[int, int, int, int, int]  # mode, size, mtime, ctime (both ns), inode number


class Stat(NamedTuple):
    """Stat data of a file (`mtime`, `ctime` in ns) as seen at `seen` (ns), and the blob it held."""

    size: int
    mtime: int
    ctime: int
    ino: int
    seen: int
    blob: bytes

    def settled(self) -> bool:
        """Whether a file that still has these stat data must still hold the same bytes."""
        tick = min(RACY_NS, FINE_NS) if self.ctime % _FINEST_OF_COARSE else RACY_NS
        return max(self.mtime, self.ctime) + tick < self.seen


class FolderRow(NamedTuple):
    """What is known of one folder.

    `listing` holds all names in it, a `/` between them, `marks` a byte for each: what it was taken for under `rules`.
    `stats` and `ids` are those of the files that count, in this order. These files, with the folders below as they
    were then, made `tree` (empty: not known); their kinds are `kinds`. While the places of objects have the mark
    `stored`, the store holds all of these files.
    """

    rules: bytes
    listing: str
    marks: bytes
    stats: bytes
    tree: bytes
    stored: bytes
    kinds: str
    ids: bytes


def pack(fields: Iterable[FileFields]) -> bytes:
    """Return stat data of files as they are kept and compared."""
    fields = list(fields)
    try:
        return array("q", chain.from_iterable(fields)).tobytes()
    except OverflowError:  # there are file systems with inode numbers of 64 bits
        return b"".join(_FIELDS.pack(*(((v + 2**63) & (2**64 - 1)) - 2**63 for v in one)) for one in fields)


def unpack(stats: bytes | bytearray) -> Iterator[FileFields]:
    """Yield what was packed, numbers above 63 bits as negative ones."""
    return _FIELDS.iter_unpack(stats)


class StatCache:
    """Rows by folder, whose path is empty or ends in a slash. Any trouble means no row, never an error."""

    def __init__(self, path: Path | None) -> None:
        self._file = CacheFile(path, _SCHEMA, _VERSION, "stat data")

    @property
    def lasts(self) -> bool:
        """Whether what is saved is there for the next command."""
        return self._file.path is not None

    def load(self, path: str) -> FolderRow | None:
        """Return what is known of a folder."""
        key = os.fsencode(path)
        found = self._file.offer(lambda db: db.execute(_LOAD, (key,)).fetchone())
        return _row(key, found) if found else None

    def load_all(self) -> dict[str, FolderRow]:
        """Return what is known of every folder."""
        found = self._file.offer(lambda db: db.execute(_LOAD_ALL).fetchall())
        rows = ((key, _row(key, values)) for key, *values in found or () if isinstance(key, bytes))
        return {os.fsdecode(key): row for key, row in rows if row is not None}

    def paths(self) -> set[str]:
        """Return the folders of which something is known."""
        found = self._file.offer(lambda db: db.execute("SELECT path FROM folders").fetchall())
        return {os.fsdecode(key) for (key,) in found or () if isinstance(key, bytes)}

    def save(self, rows: Mapping[str, FolderRow], gone: Iterable[str] = ()) -> None:
        """Remember rows and forget those of the folders `gone`. What cannot be saved is looked at again next time."""
        new = [_written(os.fsencode(path), row) for path, row in rows.items()]
        old = [(os.fsencode(path),) for path in gone]

        def write(db: sqlite3.Connection) -> None:
            with db:
                db.execute("BEGIN IMMEDIATE")
                db.executemany("DELETE FROM folders WHERE path = ?", old)
                db.executemany(_SAVE, new)

        if new or old:
            self._file.offer(write)

    def close(self) -> None:
        """Close the file. It is opened again when needed."""
        self._file.close()


def _written(key: bytes, row: FolderRow) -> tuple[object, ...]:
    listing = os.fsencode(row.listing)
    values = (row.rules, listing, row.marks, row.stats, row.tree, row.stored, row.kinds, row.ids)
    return (key, *values, _digest(key, values))


def _digest(key: bytes, values: Iterable[bytes | str]) -> bytes:
    hasher = blake3(key)
    for value in values:
        data = value.encode() if isinstance(value, str) else value
        hasher.update(b"%d:" % len(data))
        hasher.update(data)
    return hasher.digest(_DIGEST)


def _row(key: bytes, found: Sequence[object]) -> FolderRow | None:
    """Return a row as it was written; None for one that was not."""
    *values, digest = found
    types = (bytes, bytes, bytes, bytes, bytes, bytes, str, bytes)
    if any(type(value) is not kind for value, kind in zip(values, types, strict=True)):
        return None
    rules, listing, marks, stats, tree, stored, kinds, ids = values
    row = FolderRow(rules, os.fsdecode(listing), marks, stats, tree, stored, kinds, ids)  # type: ignore[arg-type]
    if _digest(key, values) != digest or len(row.stats) * ID_BYTES != len(row.ids) * STAT_BYTES:  # type: ignore[arg-type]
        return None
    return row


def id_at(ids: bytes | bytearray, index: int) -> BlobId:
    """Return one of several ids that stand one behind the other."""
    return BlobId(bytes(ids[index * ID_BYTES : (index + 1) * ID_BYTES]))
