"""The work tree: which files there are, and what they hold. Reads only what changed."""

from __future__ import annotations

import errno
import os
import stat as statmod
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from blake3 import blake3

from mlver.errors import LocalIO, MlverError, NegativeAnswer, Refused, UsageError
from mlver.index.stats import STAT_BYTES, Stat, StatCache
from mlver.objects.ids import BlobId
from mlver.objects.tree import LINK
from mlver.repo.ignore import Ignore
from mlver.repo.scan import FileStat as FileStat
from mlver.repo.scan import Identified as Identified
from mlver.repo.scan import Scan as Scan
from mlver.repo.scan import recalled
from mlver.repo.scan import scan as scan

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BUFFER = 8 << 20
_SMALL = 256 << 10
_ATTEMPTS = 3
_AT_ONCE = 50_000  # files
_MANY = 8_000  # files; starting a process takes as long as looking at some 2,000
_PROVEN = 1 << 63  # ns: so much later than any time of a file that its times need not be doubted
Read = Callable[[str, FileStat], tuple[BlobId, Stat | None]]
Ahead = Callable[[dict[str, FileStat]], Mapping[str, Identified]]


def open_regular(root: Path, path: str) -> BinaryIO:
    """Open a file of the work tree for reading; never through a link, never blocking on a pipe."""
    full = root / path
    try:
        fd = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise UsageError(f"no such file: {path}") from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link, a socket
            raise Refused(f"not a regular file: {path}") from None
        raise LocalIO(f"cannot read {path}: {error.strerror}", hint="check its permissions") from None
    if not statmod.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise Refused(f"not a regular file: {path}")
    return os.fdopen(fd, "rb", buffering=0)


def first_bytes(root: Path, path: str) -> bytes:
    """Return how a file begins, nothing of one that cannot be read."""
    try:
        with open_regular(root, path) as stream:
            return stream.read(4096)
    except (UsageError, Refused):
        return b""  # a link, or gone: the name alone decides


def read_stable(root: Path, path: str, consume: Callable[[BinaryIO], BlobId]) -> tuple[BlobId, Stat]:
    """Let `consume` read the file until it did not change meanwhile; return the blob id and its stat data.

    Raises NegativeAnswer when the file kept changing or went away, LocalIO when it cannot be read.
    """
    for _ in range(_ATTEMPTS):
        seen = time.time_ns()
        try:
            with open_regular(root, path) as stream:
                before = os.fstat(stream.fileno())
                blob = consume(cast(BinaryIO, _Ending(stream, before.st_size)))
                after = os.fstat(stream.fileno())
        except UsageError:
            raise NegativeAnswer(f"{path} went away while it was read", hint="try again") from None
        except OSError as error:
            raise LocalIO(f"cannot read {path}: {error.strerror}", hint="check the disk") from error
        if _stamp(before) == _stamp(after):
            return blob, Stat(after.st_size, after.st_mtime_ns, after.st_ctime_ns, after.st_ino, seen, bytes(blob))
    raise NegativeAnswer(f"{path} changed while it was read", hint="wait until its writer is done, then try again")


class _Ending:
    """A file that ends even while somebody appends to it: past the size it had, at the first sign of growth."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._size = stream, size
        self._done = 0

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self._counted(self._stream.readinto(buffer) or 0)  # type: ignore[attr-defined]

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        return data if self._counted(len(data)) else b""

    def _counted(self, count: int) -> int:
        self._done += count
        grown = self._done > self._size and os.fstat(self._stream.fileno()).st_size != self._size
        return 0 if grown else count


def _stamp(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns


def hash_stream(stream: BinaryIO) -> BlobId:
    """Return the blob id of all bytes of a stream, using every core for large files."""
    data = stream.read(_BUFFER)
    if len(data) < _SMALL:  # waking other threads would take longer than hashing
        return BlobId.of(data + stream.read())
    hasher = blake3(max_threads=blake3.AUTO)
    while data:
        hasher.update(data)
        data = stream.read(_BUFFER)
    return BlobId(hasher.digest())


def link_text(root: Path, path: str) -> bytes:
    """Return the text of a symbolic link, which is all that is ever stored of it."""
    try:
        return os.fsencode(os.readlink(root / path))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EINVAL):
            raise NegativeAnswer(f"{path} is no symbolic link any more: {error.strerror}", hint="try again") from None
        raise LocalIO(f"cannot read {path}: {error.strerror}", hint="check the disk") from error


class WorkTree:
    """The files below `root`, with a stat cache that spares reading them again."""

    def __init__(self, root: Path, cache: StatCache, *, symlinks: str = "refuse") -> None:
        self.root = root
        self._cache = cache
        self._symlinks = symlinks

    def scan(self, tops: Sequence[str] = ("",)) -> Scan:
        """Look at what is there now, or below some folders. What files hold is known where stat data prove it."""
        ignore = Ignore.load(self.root)
        if tuple(tops) != ("",):
            return scan(self.root, ignore, symlinks=self._symlinks, load=self._cache.load, tops=tops)
        rows = self._cache.load_all()
        many = sum(len(row.stats) for row in rows.values()) >= _MANY * STAT_BYTES
        return scan(self.root, ignore, symlinks=self._symlinks, load=rows.get, known=sorted(rows) if many else ())

    def identify(
        self,
        found: Scan,
        *,
        wanted: Callable[[str], bool] = lambda _: True,
        read: Read | None = None,
        plan: Callable[[int], None] = lambda _: None,
        ahead: Ahead = lambda _: {},
    ) -> None:
        """Find out what the files hold of which that is not known, as far as they are `wanted`.

        Each is read through `read`. `plan` is told how many bytes will be read. `ahead` gets all that are to be read
        at once (at most 50,000), and returns those it read; the rest go through `read`.
        """
        read = read or self.hash
        plan(sum(info.size for path, _, _, info in found.unread() if wanted(path)))
        unread = (one for one in found.unread() if wanted(one[0]))
        while places := {path: (folder, index, info) for path, folder, index, info in islice(unread, _AT_ONCE)}:
            files = {path: info for path, (_, _, info) in places.items()}
            done = ahead(files)
            for path, (folder, index, info) in places.items():
                folder.put(index, *(done.get(path) or read(path, info)))
        self.keep(found)

    def keep(self, found: Scan) -> None:
        """Bring the cache up to date with what was found."""
        rows = {path: folder.row() for path, folder in found.folders.items() if folder.touched}
        rows = {path: row for path, row in rows.items() if row != found.folders[path].before}
        for path, row in rows.items():
            found.folders[path].before = row
        if rows:
            gone = self._cache.paths() - found.folders.keys()
            self._cache.save(rows, {path for path in gone if path.startswith(found.tops)})

    def hashes(self, files: Mapping[str, FileStat], seen: Scan | None = None) -> dict[str, BlobId]:
        """Return the blob ids of some files. Only those are read of which neither cache nor `seen` know them."""
        rows: dict[str, dict[str, tuple[FileStat, BlobId]]] = {}
        found = {}
        for path, info in files.items():
            folder, name = path[: path.rfind("/") + 1], path[path.rfind("/") + 1 :]
            if folder not in rows:
                known = seen.folders.get(folder) if seen is not None else None
                row = self._cache.load(folder) if known is None else None
                rows[folder] = known.identified() if known is not None else recalled(row) if row is not None else {}
            stat, id = rows[folder].get(name, (None, None))
            found[path] = id if id is not None and stat == info else self.hash(path, info)[0]
        return found

    def wrote(self, files: Mapping[str, tuple[BlobId, int]]) -> None:
        """Take in what was just written, with the time each file was given by `NewFile.stamp`.

        It need not be read again, save where somebody has touched it since: that has another time.
        """
        tops = {path[: path.rfind("/") + 1] for path in files} if self._cache.lasts else set()
        try:
            found = scan(
                self.root,
                Ignore.load(self.root),
                symlinks=self._symlinks,
                load=self._cache.load,
                tops=sorted(tops),
                deep=False,
            )
        except (MlverError, OSError):  # it was written all the same; the next look says what is wrong
            return
        for path, folder in found.folders.items():
            for index, (name, info, _) in enumerate(folder.files()):
                blob, stamp = files.get(path + name, (None, 0))
                if blob is not None and stamp == info.mtime:
                    stat = Stat(info.size, info.mtime, info.ctime, info.ino, _PROVEN, bytes(blob))
                    folder.put(index, blob, stat)
        self.keep(found)

    def hash(self, path: str, info: FileStat) -> tuple[BlobId, Stat | None]:
        """Read one file only to learn its id."""
        if info.type == LINK:
            return BlobId.of(link_text(self.root, path)), None
        return read_stable(self.root, path, hash_stream)

    def close(self) -> None:
        """Release the cache."""
        self._cache.close()
