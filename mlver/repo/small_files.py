"""Reading many small files of the work tree: a few system calls each, their folder opened once.

Only files that are what their listing said, and that do not change meanwhile, are read here; any other is left to
`read_stable`, which looks again and says what is wrong.
"""

from __future__ import annotations

import os
import stat as statmod
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from mlver.index.stats import Stat
from mlver.objects.ids import BlobId
from mlver.repo.scan import Found, Identified
from mlver.storage.durable import close_quietly
from mlver.store.chunking import WHOLE

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
Take = Callable[[str, bytes], BlobId]


def read_small(
    root: Path, paths: Iterable[str], take: Take, kind: Callable[[str, bytes], str] = lambda path, data: ""
) -> dict[str, Identified]:
    """Hand the bytes of small files to `take`, which returns their ids; return those that were read, by path.

    `kind` may say what the bytes mean, given path and bytes.
    """
    found: dict[str, Identified] = {}
    top = os.path.join(root, "")
    at, folder = -1, None
    try:
        for path in paths:
            above, _, name = path.rpartition("/")
            if above != folder:
                if at >= 0:
                    close_quietly(at)
                at, folder = _opened(top + above), above
            if at >= 0 and (read := _read(name, at)) is not None:
                data, stat = read
                id = take(path, data)
                found[path] = Found(id, stat._replace(blob=id), kind(path, data))
    finally:
        if at >= 0:
            close_quietly(at)
    return found


def _opened(folder: str) -> int:
    try:
        return os.open(folder, _FOLDER)
    except OSError:
        return -1


def _read(name: str, at: int) -> tuple[bytes, Stat] | None:
    """Return the bytes of a file of at most WHOLE bytes with its stat data; None when it is none, or changed."""
    seen = time.time_ns()
    try:
        fd = os.open(name, _FILE, dir_fd=at)
    except OSError:
        return None
    try:
        with suppress(OSError):
            before = os.fstat(fd)
            size = before.st_size
            if size > WHOLE or not statmod.S_ISREG(before.st_mode):
                return None
            data = os.read(fd, size + 1)
            after = os.fstat(fd)
            stamp = size, before.st_mtime_ns, before.st_ctime_ns
            if len(data) == size and stamp == (after.st_size, after.st_mtime_ns, after.st_ctime_ns):
                return data, Stat(*stamp, before.st_ino, seen, b"")
        return None
    finally:
        os.close(fd)
