"""The one way mlver writes files.

Temporary file in the destination folder, all bytes, fsync, rename (or link, when an existing file
must stay), fsync of the folder. A crash leaves the old file or the new one and at worst a `.tmp-`
file. Every system call goes through `os_calls`, which a test may replace to count calls, to fail
one or to die at one. An fsync that failed is never tried again on the same file: the kernel has
marked the pages clean by then (Rebello et al., USENIX ATC 2020).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from mlver.errors import LocalIO
from mlver.storage.buffers import BLOCK
from mlver.storage.syscalls import OsCalls
from mlver.storage.trouble import NotAFile, unsure
from mlver.storage.trouble import local_io as local_io
from mlver.storage.trouble import show as show

TEMP_PREFIX = ".tmp-"
Bytes = bytes | bytearray | memoryview

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_UMASK = os.umask(0o077)  # the system tells the mask only by setting it
os.umask(_UMASK)
_PUSH = 32 << 20  # bytes after which the disk is told to begin
_STRAIGHT = 1 << 20  # bytes; whole blocks of that many at once go past the page cache
_TRIED = 64 << 20  # bytes after which a disk is known to be slow
_SLOW = 256e6  # bytes in a second
_WAITS = 1000  # how often a busy write is tried again, a millisecond apart
os_calls = OsCalls()


class NewFile:
    """A file being written under a temporary name in `folder`. It appears in `commit`, or never.

    With `sync=False` nothing is fsynced: for the work tree and for caches. The temporary file is
    locked while it is open, so that `sweep` can tell a file in use from one left by a crash. `at` is
    an open handle of `folder`: names are then looked up in it, whatever the path has become since.
    `name` is told in the temporary name: others may then take the file away (see `swap`).
    """

    def __init__(self, folder: Path, *, sync: bool = True, at: int | None = None, name: str = "") -> None:
        self._folder, self._at = folder, at
        self._sync = sync
        self.temp_name = TEMP_PREFIX + (f"{name}-" if name else "") + os.urandom(8).hex()
        self._temp = self.temp_name if at is not None else f"{folder}/{self.temp_name}"
        self._may_vanish = bool(name)
        self._length = self._pushed = 0
        self._direct, self._may_direct = False, True
        self._waited, self._awaited = 0.0, 0  # seconds and bytes of what went past the page cache
        self._fd: int | None = None
        try:
            self._fd = os_calls.open(self._temp, _NEW, 0o600, dir_fd=at)
            if sync:
                with contextlib.suppress(OSError):  # no locks here: the age alone protects it
                    os_calls.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.abort()
            raise local_io(error, folder, "write in") from error

    def write(self, data: Bytes) -> None:
        """Append bytes; LocalIO when the disk refuses them."""
        view = memoryview(data).cast("B")
        waits, started, before = 0, time.perf_counter(), self._length
        self._steer(len(view) >= _STRAIGHT and not (len(view) | self._length) % BLOCK)
        while view:
            try:
                done = os_calls.write(self._open_fd(), view)
            except (BlockingIOError, InterruptedError) as error:
                waits += 1
                if waits > _WAITS:
                    raise local_io(error, self._folder, "write in") from error
                time.sleep(0.001)
                continue
            except OSError as error:
                if self._direct and error.errno == errno.EINVAL:  # these bytes, or this disk, cannot
                    self._may_direct = False
                    self._steer(False)
                    continue
                raise local_io(error, self._folder, "write in") from error
            if done <= 0:
                raise LocalIO(f"cannot write in {show(self._folder)}: the system took no bytes")
            self._length += done
            view = view[done:]
        if self._direct:
            self._pushed = self._length
            self._judge(self._length - before, time.perf_counter() - started)
        elif self._sync and self._length - self._pushed >= _PUSH:
            self._push()

    def _steer(self, direct: bool) -> None:
        """Let what is written next go past the page cache, or through it."""
        direct = direct and self._may_direct
        if direct == self._direct:
            return
        try:
            os_calls.direct(self._open_fd(), direct)
            self._direct = direct
        except (OSError, AttributeError) as error:
            self._may_direct = False
            if not direct:
                raise local_io(OSError(*error.args), self._folder, "write in") from error

    def _judge(self, length: int, seconds: float) -> None:
        """Leave it to the page cache to absorb a file that need not be durable, if the disk turns out to be slow."""
        self._waited, self._awaited = self._waited + seconds, self._awaited + length
        if not self._sync and self._awaited >= _TRIED and self._awaited < _SLOW * self._waited:
            self._may_direct = False

    def _push(self) -> None:
        """Let the disk begin with what is written: the fsync at the end then has less to wait for."""
        start, self._pushed = self._pushed, self._length
        with contextlib.suppress(OSError, AttributeError):  # only a hint, and only where there is one
            os_calls.advise(self._open_fd(), start, self._length - start)

    def tell(self) -> int:
        """How many bytes were written so far."""
        return self._length

    def stamp(self) -> int:
        """Give the file a time, in ns, between two ticks of the clock that later writes go by; 0 where that fails."""
        now = time.time_ns()
        try:
            os_calls.utime(self._open_fd(), ns=(now, now))
        except OSError:  # then the file proves nothing by its time, and is read again
            return 0
        return now

    def commit(self, path: Path, *, mode: int = 0o644, replace: bool = True, final: bool = False) -> bool:
        """Make the file appear whole as `path`, in the folder it was begun in.

        False when `replace` is not wanted and `path` exists already: it is left as it is; and when others took
        the file away. LocalIO when it failed; OutcomeUnknown when one that is `final`, or replaced, may not survive.
        """
        try:
            self._settle(mode)
            new = self._publish(self._named(path), replace)
        except OSError as error:
            if self._may_vanish and isinstance(error, FileNotFoundError):
                return False
            raise local_io(error, path, "write") from error
        finally:
            self.abort()
        if self._sync:
            try:
                sync_folder(self._folder) if self._at is None else os_calls.fsync(self._at)
            except OSError as error:
                if replace or final:
                    raise unsure(error, path) from error
                raise local_io(error, self._folder, "fsync") from error
        return new

    def abort(self) -> None:
        """Remove what was written. Harmless after commit."""
        fd, self._fd = self._fd, None
        if fd is not None:
            close_quietly(fd)
        temp, self._temp = self._temp, ""
        if temp:
            with contextlib.suppress(OSError):
                os_calls.unlink(temp, dir_fd=self._at)

    def _named(self, path: Path) -> str:
        return str(path) if self._at is None else path.name

    def _open_fd(self) -> int:
        if self._fd is None:
            raise LocalIO(f"cannot write in {show(self._folder)}: the file is closed")
        return self._fd

    def _settle(self, mode: int) -> None:
        fd = self._open_fd()
        found = os_calls.fstat(fd).st_size
        if found != self._length:
            raise OSError(errno.EIO, f"wrote {self._length} bytes and found {found}")
        os_calls.fchmod(fd, mode & ~_UMASK)
        if self._sync:
            os_calls.fsync(fd)
        else:
            self._fd = None
            os_calls.close(fd)

    def _publish(self, path: str, replace: bool) -> bool:
        if not replace:
            try:
                os_calls.link(self._temp, path, src_dir_fd=self._at, dst_dir_fd=self._at, follow_symlinks=False)
                return True
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                if _lexists(path, self._at):
                    return False
        os_calls.rename(self._temp, path, src_dir_fd=self._at, dst_dir_fd=self._at)
        self._temp = ""
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


def write_file(
    path: Path, data: Bytes | Iterable[Bytes], *, mode: int = 0o644, replace: bool = True, sync: bool = True
) -> bool:
    """Write a whole file atomically; its folder must exist. See `NewFile.commit` for answer and errors."""
    with NewFile(path.parent, sync=sync) as file:
        for piece in (data,) if isinstance(data, (bytes, bytearray, memoryview)) else data:
            file.write(piece)
        return file.commit(path, mode=mode, replace=replace)


def read_file(path: Path, limit: int | None = None) -> bytes:
    """Return a regular file's bytes. FileNotFoundError when absent; LocalIO when unreadable or over `limit`."""
    try:
        fd = os_calls.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            found = os_calls.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise NotAFile(f"cannot read {show(path)}: not a regular file")
            if limit is not None and found.st_size > limit:
                raise LocalIO(f"cannot read {show(path)}: larger than {limit} bytes")
            return read_range(fd, 0, None)
        finally:
            close_quietly(fd)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise local_io(error, path, "read") from error


def read_range(fd: int, start: int, length: int | None) -> bytes:
    """Return `length` bytes from `start` (None: all), fewer at the end of the file. Raises OSError."""
    if length is None:
        length = max(0, os_calls.fstat(fd).st_size - start)
    data = os_calls.pread(fd, length, start)
    if len(data) == length:
        return data
    pieces = [data]
    while data and (length := length - len(data)):
        start += len(data)
        data = os_calls.pread(fd, length, start)
        pieces.append(data)
    return b"".join(pieces)


def close_quietly(fd: int) -> None:
    """Close a file of which nothing is lost any more: read, locked or fsynced."""
    with contextlib.suppress(OSError):
        os_calls.close(fd)


def make_dirs(path: Path, *, sync: bool = True) -> None:
    """Create a folder and its parents where missing, each durably. LocalIO.

    An empty one may be of somebody who died before it was durable; in any other, whoever began it saw to that.
    """
    try:
        os_calls.mkdir(path)
    except FileExistsError:
        try:
            found = _is_folder(path)
            if found and not (sync and _is_empty(path)):
                return
        except OSError as error:
            raise local_io(error, path, "create folder") from error
        if not found:
            raise LocalIO(f"cannot create folder {show(path)}: a file is in the way") from None
        if not os.access(path.parent, os.R_OK):  # so it was made by somebody else, for us to use
            return
    except FileNotFoundError:
        make_dirs(path.parent, sync=sync)
        return make_dirs(path, sync=sync)
    except OSError as error:
        raise local_io(error, path, "create folder") from error
    if sync:
        fsync_dir(path.parent)


def fsync_dir(path: Path) -> None:
    """Make the names in a folder durable. LocalIO."""
    try:
        sync_folder(path)
    except OSError as error:
        raise local_io(error, path, "fsync") from error


def move(path: Path, to: Path, *, sync: bool = True) -> None:
    """Rename a file or folder, durably. FileNotFoundError when absent; LocalIO."""
    try:
        os_calls.rename(path, to)
        if sync:
            sync_folder(to.parent)
            if path.parent != to.parent:
                sync_folder(path.parent)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise local_io(error, path, "move") from error


def remove(path: Path, *, sync: bool = True) -> None:
    """Remove a file or link, durably. FileNotFoundError when absent; LocalIO."""
    try:
        os_calls.unlink(path)
        if sync:
            sync_folder(path.parent)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise local_io(error, path, "remove") from error


def sweep(path: Path, older_than: float) -> bool:
    """Remove a temporary file that a crash left. False when it is younger than that many seconds or in use."""
    try:
        fd = os_calls.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if time.time() - os_calls.fstat(fd).st_mtime < older_than:
                return False
            os_calls.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os_calls.unlink(path)
        finally:
            close_quietly(fd)
    except OSError:  # in use, gone already, or on a read-only disk: a leftover does no harm
        return False
    return True


def remove_tree(path: Path, *, sync: bool = True) -> None:
    """Remove a folder and all below it; links are removed, never followed.

    The folder is renamed to a temporary name first, so that nobody ever sees half of it.
    FileNotFoundError when absent; LocalIO.
    """
    doomed = path.parent / (TEMP_PREFIX + os.urandom(8).hex())
    move(path, doomed, sync=sync)
    try:
        _empty(doomed)
        os_calls.rmdir(doomed)
    except OSError as error:
        raise local_io(error, path, "remove") from error


def _empty(path: Path) -> None:
    with os_calls.scandir(path) as entries:
        found = [(Path(entry.path), entry.is_dir(follow_symlinks=False)) for entry in entries]
    for item, is_folder in found:
        if is_folder:
            _empty(item)
            os_calls.rmdir(item)
        else:
            os_calls.unlink(item)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable. OSError."""
    fd = os_calls.open(path, _FOLDER)
    try:
        os_calls.fsync(fd)
    finally:
        close_quietly(fd)


def _lexists(path: str, at: int | None = None) -> bool:
    try:
        os_calls.lstat(path, dir_fd=at)
    except FileNotFoundError:
        return False
    return True


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os_calls.stat(path).st_mode)
    except FileNotFoundError:  # a link to nowhere
        return False


def _is_empty(path: Path) -> bool:
    with os_calls.scandir(path) as entries:
        return next(entries, None) is None
