"""The one gate for names: nothing enters a tree, or leaves to disk, without passing here.

A name is refused when it would lead out of its folder, or into a repository's own, on any system; the verdict
is the same on all of them and with every version of Python, so that what is committed here can be restored
there. docs/design/names.md has the rules with their reasons.
"""

from __future__ import annotations

import re
import unicodedata

from mlver.errors import Refused, UsageError

MAX_DEPTH = 256
MAX_NAME = 255  # bytes
MAX_PATH = 3072  # bytes; systems take 4096, of which the place of the work tree needs some
MAX_REF = 200  # characters; stages and scopes become names of folders
_PROTECTED = (".mlver", ".git")
# what NTFS may call these folders for old programs: six letters and a number, or two and a checksum
_SHORT_NAMES = re.compile(r"(?:mlver|git|(?:ml|gi)[0-9a-f]{4})~[0-9]+$", re.ASCII)
_DRIVE = re.compile(r"[A-Za-z]:")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,200}[A-Za-z0-9_]|[A-Za-z0-9_]")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./=+-]*$")
_HEX = re.compile(r"[0-9a-f]{7,64}$")

# Code points that file systems pass over when they compare names, or that nobody sees: all of Unicode 16's
# Default_Ignorable_Code_Point, its format characters, and the reserved ones among them. A list of our own, because
# Python's knows more with every version.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_UNICODE = unicodedata.ucd_3_2_0  # never changes; Unicode keeps what is in it


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
    if len(path) > MAX_PATH // 4 and (length := len(path.encode())) > MAX_PATH:
        raise Refused(f"refused path {path[:80]!r}…: {length} bytes, and {MAX_PATH} is the most")
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
    if len(raw) > MAX_NAME:
        return f"it is longer than {MAX_NAME} bytes"
    if _DRIVE.match(name):
        return "it begins like the name of a drive"
    # what case-folding, Unicode-folding and stream-naming file systems would open instead
    folded = _UNICODE.normalize("NFKC", _UNSEEN.sub("", name)).casefold()
    if folded.replace(" ", "") in (".", ".."):
        return "some systems take it for a folder above"
    folded = folded.split(":", 1)[0].rstrip(". ")
    if folded in _PROTECTED or _SHORT_NAMES.match(folded):
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
