"""Folders as people write them on a command line."""

from __future__ import annotations

import os
from pathlib import Path

from mlver.cli.session import Session
from mlver.errors import UsageError


def absolute(session: Session, path: Path) -> Path:
    """Return a folder as an absolute path, `~` and `..` resolved; UsageError for what can be none."""
    text = os.path.expanduser(str(path))
    if "\0" in text or not text.isprintable():
        raise UsageError(f"not a folder: {text!r}")
    return Path(os.path.normpath(session.cwd / text))
