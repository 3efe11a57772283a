"""The system calls mlver makes on files, in one object that fault rigs can replace."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

from mlver.storage import openat2

if TYPE_CHECKING:
    from os import _ScandirIterator as ScandirIterator


def _fsync(fd: int) -> None:
    full = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync alone stops at the drive's cache
    if full is None:
        os.fsync(fd)
    else:
        fcntl.fcntl(fd, full)


class OsCalls:
    """The system calls mlver makes on files, by name."""

    open = staticmethod(os.open)
    close = staticmethod(os.close)
    pread = staticmethod(os.pread)
    preadv = staticmethod(os.preadv)
    write = staticmethod(os.write)
    fsync = staticmethod(_fsync)
    fstat = staticmethod(os.fstat)
    fchmod = staticmethod(os.fchmod)
    utime = staticmethod(os.utime)
    lstat = staticmethod(os.lstat)
    stat = staticmethod(os.stat)
    readlink = staticmethod(os.readlink)
    mkdir = staticmethod(os.mkdir)
    rmdir = staticmethod(os.rmdir)
    rename = staticmethod(os.rename)
    link = staticmethod(os.link)
    symlink = staticmethod(os.symlink)
    unlink = staticmethod(os.unlink)
    flock = staticmethod(fcntl.flock)

    @staticmethod
    def open_beneath(path: str, flags: int, *, dir_fd: int) -> int:
        """Open what lies below a folder, through no link; OSError, of ENOSYS where the kernel cannot see to that."""
        call = openat2.opener()
        if call is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), path)
        return call(os.fsencode(path), flags, dir_fd)

    @staticmethod
    def advise(fd: int, start: int, length: int) -> None:
        os.posix_fadvise(fd, start, length, os.POSIX_FADV_DONTNEED)

    @staticmethod
    def direct(fd: int, on: bool) -> None:
        """Let writes go past the page cache, or through it again; OSError, AttributeError where none is."""
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_DIRECT if on else flags & ~os.O_DIRECT)

    @staticmethod
    def scandir(path: str | Path) -> ScandirIterator[str]:
        return os.scandir(path)
