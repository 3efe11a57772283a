"""The stat cache: which blob a work-tree file held when it last looked like this. Disposable."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from mlver.index.cache_file import delete, is_plain
from mlver.objects.ids import BlobId

# A file changed again within one tick of its clock can keep its stat data; such entries are re-read.
RACY_NS = 1_000_000_000
_SCHEMA = """create table if not exists stats (
    path text primary key, size integer, mtime integer, ctime integer, ino integer, seen integer, blob blob
) without rowid"""


class Stat(NamedTuple):
    """Stat data of a file (`mtime`, `ctime` in ns) as seen at `seen` (ns), and the blob it held."""

    size: int
    mtime: int
    ctime: int
    ino: int
    seen: int
    blob: bytes

    def proves(self, size: int, mtime: int, ctime: int, ino: int) -> BlobId | None:
        """The blob id, if a file with these stat data must still hold the same bytes."""
        if (self.size, self.mtime, self.ctime, self.ino) != (size, mtime, ctime, ino):
            return None
        return BlobId(self.blob) if max(mtime, ctime) + RACY_NS < self.seen else None


class StatCache:
    """Stat data by tree path, in SQLite. Any trouble with the file means an empty cache, never an error."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def load(self) -> dict[str, Stat]:
        """Return everything that is known."""
        try:
            with _Connection(self._path, read_only=True) as db:
                rows = db.execute("select path, size, mtime, ctime, ino, seen, blob from stats").fetchall()
            return {row[0]: Stat._make(row[1:]) for row in rows if len(row[6]) == 32}
        except (sqlite3.Error, OSError, TypeError):
            return {}

    def save(self, fresh: Mapping[str, Stat], gone: Iterable[str] = ()) -> None:
        """Remember `fresh` and forget `gone`. What cannot be saved is re-read next time."""
        stale = [(path,) for path in gone]
        if self._path is None or not (fresh or stale):
            return
        try:
            with _Connection(self._path, read_only=False) as db, db:
                db.execute(_SCHEMA)
                db.executemany("delete from stats where path = ?", stale)
                db.executemany("replace into stats values (?,?,?,?,?,?,?)", ((p, *stat) for p, stat in fresh.items()))
        except sqlite3.DatabaseError:
            self._discard()
        except OSError:
            return

    def _discard(self) -> None:
        # A damaged cache would stay damaged; a busy or read-only one stays where it is.
        if self._path is not None and not _readable(self._path):
            delete(self._path)


def _readable(path: Path) -> bool:
    try:
        with _Connection(path, read_only=True) as db:
            db.execute("select count(*) from stats")
    except sqlite3.OperationalError:
        return True
    except sqlite3.DatabaseError:
        return False
    return True


class _Connection:
    def __init__(self, path: Path | None, *, read_only: bool) -> None:
        if path is None:
            raise OSError("no cache")
        if not is_plain(path):
            raise OSError("not a file")
        mode = "ro" if read_only else "rwc"
        self._db = sqlite3.connect(f"file:{_quoted(path)}?mode={mode}", uri=True, timeout=1.0)
        if not read_only:
            self._db.execute("pragma synchronous=off")

    def __enter__(self) -> sqlite3.Connection:
        return self._db

    def __exit__(self, *_: object) -> None:
        self._db.close()


def _quoted(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path))
