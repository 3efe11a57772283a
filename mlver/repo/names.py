"""The one gate for names: nothing enters a tree, or leaves to disk, without passing here.

The verdict is the same on every platform, so that a repository made here can be restored there.
"""

from __future__ import annotations

import re
import unicodedata

from mlver.errors import Refused, UsageError

MAX_DEPTH = 256
MAX_REF = 200  # characters; stages and scopes become names of folders
_PROTECTED = (".mlver", ".git")
_SHORT_NAMES = re.compile(r"(?:mlver|git)~\d+$")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,200}[A-Za-z0-9_]|[A-Za-z0-9_]")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./=+-]*$")
_HEX = re.compile(r"[0-9a-f]{7,64}$")


def check_name(name: str) -> str:
    """Return `name` if it may stand in a tree; Refused with the reason otherwise."""
    # almost every name is this plain, and trees hold many
    if not _PLAIN.fullmatch(name) and (reason := _fault(name)):
        raise Refused(f"refused name {name[:200]!r}: {reason}", hint="rename it, or leave it out in .mlverignore")
    return name


def check_path(path: str) -> str:
    """Return the tree path `path` (`/` between parts) if every part may stand in a tree."""
    parts = path.split("/")
    if len(parts) > MAX_DEPTH:
        raise Refused(f"refused path {path[:80]!r}…: deeper than {MAX_DEPTH} folders")
    for part in parts:
        check_name(part)
    return path


def _fault(name: str) -> str | None:
    if name in ("", ".", ".."):
        return "it names no file"
    if "/" in name or "\\" in name or "\0" in name:
        return "it holds a path separator or NUL"
    try:
        raw = name.encode()
    except UnicodeEncodeError as error:
        return f"it is not UTF-8 (character {error.start})"
    if len(raw) > 255:
        return "it is longer than 255 bytes"
    # what case-folding, Unicode-folding and stream-naming file systems would open instead
    visible = "".join(c for c in name if unicodedata.category(c) != "Cf")
    folded = unicodedata.normalize("NFKC", visible).casefold().split(":", 1)[0].rstrip(". ")
    if folded in _PROTECTED or _SHORT_NAMES.fullmatch(folded):
        return "it would reach into a repository's own folder"
    return None


def check_ref(name: str, what: str = "branch") -> str:
    """Return `name` if it can be a branch, tag or stage; UsageError otherwise."""
    parts = name.split("/")
    bad = not _REF.fullmatch(name) or ".." in name or any(p in ("", ".") or p.endswith((".", ".lock")) for p in parts)
    if bad or len(name) > MAX_REF or name.upper() == "HEAD":
        raise UsageError(f"not a valid {what} name: {name[:80]!r}", hint="use letters, digits and . _ - / =")
    if _HEX.fullmatch(name):
        raise UsageError(f"not a valid {what} name: {name!r} reads like a commit id")
    return name
