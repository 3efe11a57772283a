"""What went wrong on the disk, in plain words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from mlver.errors import LocalIO, OutcomeUnknown

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "no permission (read-only?)",
    errno.EPERM: "no permission (read-only?)",
    errno.EIO: "the disk reports an error",
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EFBIG: "the file is too large for this file system",
    errno.ENOLCK: "this file system has no locks",
}
_HINTS = {
    errno.ENOSPC: "free some space and try again",
    errno.EDQUOT: "free some space and try again",
    errno.ENOLCK: "keep the repository on a local disk",
}


class NotAFile(LocalIO):
    """A folder, a pipe or the like stands where a file should."""


def show(path: str | os.PathLike[str]) -> str:
    """Return a path as one printable line."""
    text = os.fspath(path)
    return text if text.isprintable() else repr(text)


def local_io(error: OSError, path: str | os.PathLike[str], doing: str) -> LocalIO:
    """Return the LocalIO that says in plain words why `doing` (a verb) failed on `path`."""
    code = error.errno or 0
    reason = _REASONS.get(code) or (os.strerror(code) if code else str(error))
    return LocalIO(f"cannot {doing} {show(path)}: {reason}", hint=_HINTS.get(code))


def unsure(error: OSError, path: Path) -> OutcomeUnknown:
    """Return the OutcomeUnknown of a file that stands, new or replaced, and whose folder could not be fsynced."""
    reason = _REASONS.get(error.errno or 0, error.strerror)
    return OutcomeUnknown(f"{show(path)} was written, but the disk did not confirm it: {reason}", hint="mlver status")
