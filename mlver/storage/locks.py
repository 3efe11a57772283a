"""Kernel file locks. They die with the process that holds them, so none is ever stale."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from mlver.errors import Conflict
from mlver.storage import durable


@contextlib.contextmanager
def locked(path: Path, patience: float = 30.0) -> Iterator[None]:
    """Hold the exclusive lock on the file `path`, created when absent, for the length of the block.

    Conflict when somebody else holds it for more than `patience` seconds; LocalIO when the file
    system has no locks.
    """
    fd = -1
    try:
        fd = durable.os_calls.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        _acquire(fd, path, patience)
    except OSError as error:
        raise durable.local_io(error, path, "lock") from error
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
                raise Conflict(f"{durable.show(path)} is held by another process", hint="try again") from None
        time.sleep(pause)
        pause = min(pause * 2, 0.02)
