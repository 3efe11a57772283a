"""What says that a folder holds a repository: `format`, which is written last."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlver.errors import Damaged, LocalIO, OutcomeUnknown, Refused
from mlver.storage import durable, looking

FOLDER = ".mlver"
FORMAT = b"mlver repository format 1\n"
_LONGEST = 16 << 20  # bytes


@contextmanager
def nothing_yet() -> Iterator[None]:
    """Hold what comes before `format`: what may or may not have been written then is no repository."""
    try:
        yield
    except OutcomeUnknown as error:
        raise LocalIO(error.message, hint="try again") from error


def is_bare(folder: Path, salvage: bool = False) -> bool:
    """Whether a folder is a repository without a work tree. Raises Refused and Damaged as `Repository.open`."""
    looks_it = folder.name != FOLDER and all(looking.is_folder(folder / name) for name in ("packs", "ops"))
    return looks_it and has_format(folder, salvage)


def has_format(dot: Path, salvage: bool = False) -> bool:
    """Whether `dot` is a repository's folder; Refused when it is a newer one's, Damaged when it says something else.

    With `salvage` a folder that holds all the rest is one, though what it says is damaged.
    """
    if not looking.is_folder(dot):
        return False
    try:
        data = durable.read_file(dot / "format", limit=_LONGEST)
    except FileNotFoundError:
        return False
    if data == FORMAT:
        return True
    if re.fullmatch(rb"mlver repository format \d{1,9}\n", data):
        raise Refused(f"{dot} has {data.decode(errors='replace').strip()[6:]}", hint="upgrade mlver")
    if salvage and all(looking.is_folder(dot / name) for name in ("packs", "ops")):
        return True
    raise Damaged(f"{dot / 'format'} is damaged", hint=f"it must read: {FORMAT.decode().strip()}; mlver repair")


def login_name() -> str:
    """Return the name one is logged in as."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid{os.getuid()}"
