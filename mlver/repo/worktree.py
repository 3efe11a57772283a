"""The work tree: which files there are, and what they hold. Reads only what changed."""

from __future__ import annotations

import errno
import os
import stat as statmod
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from blake3 import blake3

from mlver.errors import LocalIO, NegativeAnswer, Refused, UsageError
from mlver.index.stats import Stat, StatCache
from mlver.objects.ids import BlobId
from mlver.objects.tree import BLOB, EXECUTABLE, LINK
from mlver.repo.ignore import Ignore
from mlver.repo.names import MAX_DEPTH, check_name
from mlver.storage.looking import exists

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BUFFER = 8 << 20
_SMALL = 256 << 10
_ATTEMPTS = 3
_SPECIAL = {
    statmod.S_IFIFO: "a pipe (FIFO)",
    statmod.S_IFSOCK: "a socket",
    statmod.S_IFCHR: "a device",
    statmod.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class FileStat:
    """Stat data of one file; times in ns."""

    type: str
    size: int
    mtime: int
    ctime: int
    ino: int


@dataclass(frozen=True)
class Scan:
    """Files by tree path, in sorted order, and the names a commit would refuse with the reason."""

    files: dict[str, FileStat]
    odd: list[tuple[str, str]]


def scan(root: Path, ignore: Ignore, *, symlinks: str = "refuse") -> Scan:
    """Walk the work tree without following links. `symlinks`: `refuse`, `store` (their text) or `skip`."""
    files: dict[str, FileStat] = {}
    odd: list[tuple[str, str]] = []
    pending = [(str(root), "", 0)]
    while pending:
        folder, prefix, depth = pending.pop()
        for entry in _entries(folder):
            name, path = entry.name, prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                if ignore.folder(path, name) or _is_virtual_environment(entry.path):
                    continue
                if reason := _refusal(name, depth):
                    odd.append((path, reason))
                else:
                    pending.append((entry.path, path + "/", depth + 1))
                continue
            if ignore.file(path, name):
                continue
            if reason := _refusal(name, depth):
                odd.append((path, reason))
                continue
            try:
                info = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # gone since it was listed
            type_ = _type_of(info.st_mode)
            if type_ == LINK and symlinks != "store":
                if symlinks == "refuse":
                    odd.append((path, "a symbolic link (mlver does not follow links)"))
                continue
            if type_ is None:
                odd.append((path, _SPECIAL.get(statmod.S_IFMT(info.st_mode), "not a regular file")))
                continue
            files[path] = FileStat(type_, info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
    return Scan(dict(sorted(files.items())), sorted(odd))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as listing:
            return list(listing)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LocalIO(f"cannot read folder {folder}: {error.strerror}", hint="check its permissions") from None


def _refusal(name: str, depth: int) -> str | None:
    try:
        check_name(name)
    except Refused as error:
        return error.message.rpartition(": ")[2]
    return f"deeper than {MAX_DEPTH} folders" if depth >= MAX_DEPTH else None


def _is_virtual_environment(folder: str) -> bool:
    # one stat per folder keeps site-packages of an oddly named environment out of commits
    return exists(Path(folder, "pyvenv.cfg"))


def _type_of(mode: int) -> str | None:
    if statmod.S_ISREG(mode):
        return EXECUTABLE if mode & 0o100 else BLOB
    return LINK if statmod.S_ISLNK(mode) else None


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

    def scan(self) -> Scan:
        """List what is there now."""
        return scan(self.root, Ignore.load(self.root), symlinks=self._symlinks)

    def hashes(
        self,
        files: dict[str, FileStat],
        *,
        read: Callable[[str, FileStat], tuple[BlobId, Stat | None]] | None = None,
        lacking: Callable[[set[BlobId]], set[BlobId]] = lambda _: set(),
        plan: Callable[[int], None] = lambda _: None,
        ahead: Callable[[dict[str, FileStat]], Mapping[str, tuple[BlobId, Stat]]] = lambda _: {},
        every: bool = True,
    ) -> dict[str, BlobId]:
        """Return the blob id of each file. Only files whose stat data prove nothing are read, through `read`.

        `lacking` may reject cached ids (a commit needs the bytes stored, not only hashed). `plan` is told
        how many bytes will be read. `ahead` gets all files that are to be read at once, and returns those it
        read; the rest go through `read`. With `every` the `files` are all there are, and what else the cache
        knows is forgotten. `files` are brought up to date with what was read.
        """
        cached = self._cache.load()
        proven: dict[str, BlobId | None] = {
            path: entry.proves(info.size, info.mtime, info.ctime, info.ino) if (entry := cached.get(path)) else None
            for path, info in files.items()
        }
        rejected = lacking({blob for blob in proven.values() if blob is not None})
        changed = {path: files[path] for path, blob in proven.items() if blob is None or blob in rejected}
        plan(sum(info.size for info in changed.values()))
        done = ahead(changed)
        found, fresh, read = {}, {}, read or self.hash
        for path, blob in proven.items():
            if blob is None or blob in rejected:
                blob, stat = done.get(path) or read(path, files[path])
                if stat is not None:
                    fresh[path] = stat
                    files[path] = FileStat(files[path].type, stat.size, stat.mtime, stat.ctime, stat.ino)
            found[path] = blob
        self._cache.save(fresh, cached.keys() - files.keys() if every else ())
        return found

    def hash(self, path: str, info: FileStat) -> tuple[BlobId, Stat | None]:
        """Read one file only to learn its id."""
        if info.type == LINK:
            return BlobId.of(link_text(self.root, path)), None
        return read_stable(self.root, path, hash_stream)

    def forget(self) -> None:
        """Drop what the cache knows of files that this process is about to overwrite."""
        self._cache.save({}, self._cache.load().keys())
