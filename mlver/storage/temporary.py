"""Folders outside of every repository, for the user's programs to work in; gone when they are done.

Nothing here can be lost, so nothing here is made durable.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mlver.errors import LocalIO

_NAME = re.compile(r"mlver-[a-z]+-(\d+)-")
_OLD = 24 * 3600.0  # seconds after which a folder whose maker was killed is swept


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """Yield a new folder of the system's place for such things; it is removed in the end, whatever was done to it.

    Also sweeps those that a killed process left a day ago. Raises LocalIO when there is no place for it.
    """
    prefix = f"mlver-{name}-"
    _sweep(Path(tempfile.gettempdir()), prefix)
    try:
        folder = tempfile.TemporaryDirectory(prefix=f"{prefix}{os.getpid()}-", ignore_cleanup_errors=True)
    except OSError as error:
        where = tempfile.gettempdir()
        raise LocalIO(f"cannot make a folder in {where}: {error.strerror}", hint="set TMPDIR to another") from None
    with folder:
        yield Path(folder.name)


def sweep_dead() -> None:
    """Remove every such folder whose maker was killed, however young."""
    for path in Path(tempfile.gettempdir()).glob("mlver-*"):
        match = _NAME.match(path.name)
        with suppress(OSError):
            if match and path.lstat().st_uid == os.getuid() and not _alive(match[1]):
                shutil.rmtree(path, ignore_errors=True)  # noqa: TID251 - no repository's


def make_folder(path: Path) -> Path:
    """Make one folder within and return it."""
    path.mkdir()
    return path


def new_file(path: Path) -> BinaryIO:
    """Return a file within, empty, to be written and read."""
    return path.open("w+b")


def discard(path: Path) -> None:
    """Remove a file within; none is fine."""
    with suppress(FileNotFoundError):
        path.unlink()


def _sweep(parent: Path, prefix: str) -> None:
    for path in parent.glob(f"{prefix}*"):
        with suppress(OSError):  # somebody else's, or gone
            stat = path.lstat()
            mine = stat.st_uid == os.getuid() and time.time() - stat.st_mtime > _OLD
            if mine and not _alive(path.name.removeprefix(prefix).partition("-")[0]):
                shutil.rmtree(path, ignore_errors=True)  # noqa: TID251 - no repository's


def _alive(number: str) -> bool:
    try:
        os.kill(int(number), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
