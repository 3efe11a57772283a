"""What is there? Absent is an answer; a disk that does not give one is not the same and raises LocalIO.

`os.path.exists` and its like answer "no" to every error, so a failing disk would look like an empty one.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlver.errors import LocalIO
from mlver.storage import durable
from mlver.storage.trouble import local_io

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)  # also what no disk can name


def exists(path: Path) -> bool:
    """Whether anything is at `path`, a link that leads nowhere as well. LocalIO."""
    return _info(path, follow=False) is not None


def is_file(path: Path) -> bool:
    """Whether a regular file is at `path`; a link is none. LocalIO."""
    info = _info(path, follow=False)
    return info is not None and stat.S_ISREG(info.st_mode)


def is_folder(path: Path) -> bool:
    """Whether a folder is at `path`, or where a link there leads. LocalIO."""
    info = _info(path, follow=True)
    return info is not None and stat.S_ISDIR(info.st_mode)


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none when it is absent. LocalIO."""
    try:
        with durable.os_calls.scandir(folder) as entries:
            return sorted(entry.name for entry in entries)
    except OSError as error:
        if error.errno in _ABSENT:
            return []
        raise local_io(error, folder, "list") from error


@contextmanager
def listed(folder: str) -> Iterator[list[os.DirEntry[str]]]:
    """Give what is in a folder, nothing when it is absent; its descriptor is the shorter way to each of its files.

    LocalIO, also for what it is asked of one of these.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield []
        return
    except OSError as error:
        raise _unread(folder, error) from None
    try:
        with os.scandir(descriptor) as listing:
            entries = list(listing)
        yield entries
    except OSError as error:
        raise _unread(folder, error) from None
    finally:
        os.close(descriptor)


def link_target(path: Path) -> str | None:
    """Return what a symbolic link says; None when nothing or no link is there. LocalIO."""
    try:
        return os.fsdecode(durable.os_calls.readlink(path))
    except OSError as error:
        if error.errno in (*_ABSENT, errno.EINVAL):
            return None
        raise local_io(error, path, "read") from error


def _unread(folder: str, error: OSError) -> LocalIO:
    return LocalIO(f"cannot read folder {folder}: {error.strerror}", hint="check its permissions")


def _info(path: Path, *, follow: bool) -> os.stat_result | None:
    try:
        return durable.os_calls.stat(path) if follow else durable.os_calls.lstat(path)
    except ValueError:  # no name on any disk
        return None
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise local_io(error, path, "look at") from error
