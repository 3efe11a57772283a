"""Kernel file locks. They die with the process that holds them, so none is ever stale, and none is ever broken."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from mlver.errors import Conflict
from mlver.storage import durable

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@contextlib.contextmanager
def locked(path: Path, patience: float = 30.0) -> Iterator[None]:
    """Hold the exclusive lock on the file `path`, created when absent, for the length of the block.

    Conflict, saying who it is, when somebody else holds it for more than `patience` seconds; LocalIO when the file
    system has no locks.
    """
    fd = -1
    try:
        fd = durable.os_calls.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        _acquire(fd, path, patience)
    except OSError as error:
        plain = OSError(errno.ENOLCK, "") if error.errno in _NO_LOCKS else error
        raise durable.local_io(plain, path, "lock") from error
    else:
        yield
    finally:
        if fd >= 0:
            durable.close_quietly(fd)  # which also unlocks


def _acquire(fd: int, path: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    pause = 0.0005
    while True:
        try:
            return durable.os_calls.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                who, hint = _holder(fd)
                raise Conflict(f"{durable.show(path)} is held by {who}", hint=hint) from None
        time.sleep(pause)
        pause = min(pause * 2, 0.02)


def _holder(fd: int) -> tuple[str, str]:
    """Return who holds the lock on an open file, in words, and what to do; only Linux tells, in /proc/locks."""
    nobody = ("another process", "try again")
    try:
        inode = os.fstat(fd).st_ino
        lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        number = next(int(words[4]) for words in lines if words[1:2] == ["FLOCK"] and words[5].endswith(f":{inode}"))
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError, IndexError, StopIteration):
        return nobody
    if state in "Tt":
        return f"process {number}, which is stopped", f"kill -CONT {number} lets it go on, kill {number} ends it"
    return f"process {number}", "let it finish"
