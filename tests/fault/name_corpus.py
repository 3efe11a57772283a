"""Names nobody may have: what leads out of a folder, or into a repository's own, on one system or another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product

GIT, MLVER = ".git", ".mlver"
# What HFS+ passes over when it compares names (Apple TN1150), and what else is not seen.
HFS = "\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u206a\u206b\u206c\u206d\u206e\u206f\ufeff"
UNSEEN = HFS + "\u00ad\u034f\u061c\u115f\u180e\u200b\u2060\u2063\u2066\u3164\ufe00\ufe0f\uffa0\U000e0001\U000e0074"
_STREAMS = (":x", "::$INDEX_ALLOCATION", ":$I30:$INDEX_ALLOCATION", "::$DATA", ":stream:$DATA")
_TAILS = (" ", ".", "..", " .", ". .", "...   ")


def _up() -> Iterator[str]:
    yield from ("", ".", "..", ".. ", ". ", ". .", " ..", "..\u200b", "\u200b..", ".\ufeff.", "\u200d.")
    yield from ("\uff0e\uff0e", "\u2025", "\u2024\u2024", "\ufe52.", "\uff0e", ".\u2024", ".\u00ad. ")


def _separated() -> Iterator[str]:
    for target in ("x", ".git/config", ".mlver/format", "outside/kept", "etc/passwd"):
        for up in ("../", "/", "a/../../", "./", "../../", "//", "a//"):
            yield up + target
        yield from ((up + target).replace("/", "\\") for up in ("../", "/", "a/../../", "//host/share/"))
    yield from ("a/", "a/b", "/", "\\", "a\\b", "a\\", "\\\\?\\C:\\x", "..\\", "a\0b", "\0", "x.csv\0", "\0..", "..\0")


def _protected() -> Iterator[str]:
    for name in (GIT, MLVER):
        yield from ("".join(letters) for letters in product(*(dict.fromkeys((c, c.upper())) for c in name)))
        for form, tail in product((name, name.upper()), (*_TAILS, *_STREAMS)):
            yield form + tail
        for number, unseen in enumerate(UNSEEN):
            for at in (0, 1, 3, len(name)):
                form = name.upper() if number % 2 else name
                yield form[:at] + unseen + form[at:]
        yield name[:2] + HFS + name[2:]
        yield from (_shifted(name, first) for first in (0xFF41, 0x24D0, 0x1D41A, 0x1D44E + 26, 0x1D5BA))
        yield from (dot + name[1:] for dot in "\uff0e\u2024\ufe52")


def _shifted(name: str, first: int) -> str:
    """The same letters of another alphabet, as people see them."""
    return name[0] + "".join(chr(first + ord(c) - ord("a")) for c in name[1:])


def _short() -> Iterator[str]:
    for stem in ("git", "GIT", "mlver", "MLVER", "Mlver"):
        yield from (f"{stem}~{number}" for number in (1, 2, 4, 9, 10))
        yield from (f"{stem}~1{tail}" for tail in (" ", ".", "::$INDEX_ALLOCATION"))
    yield from ("gi7eba~1", "GI1A2B~2", "ml00ff~1", "MLC0DE~3", "g\u200cit~1", "\uff47it~1", "mlver\uff5e1")


def _drives() -> Iterator[str]:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    yield from (f"{letter.upper()}:" for letter in letters)
    rests = ("x", "..", "autoexec.bat", "$MFT")
    yield from (f"{letter}:{rests[number % 4]}" for number, letter in enumerate(letters))


def _not_text() -> Iterator[str]:
    overlong = (b"\xc0\xae", b"\xc0\xae\xc0\xae", b"\xe0\x80\xae", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf")
    wrong = (b"\xff", b"\xfe", b"\x80", b"\xbf", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xf4\x90\x80\x80")
    for raw in (*overlong, *wrong):
        yield from (os.fsdecode(form) for form in (raw, b"a" + raw, raw + b".csv"))
    yield from ("\ud800", "\udfff", "a\ud83d", "\udc00x", "\ud800\ud800")


def _long() -> Iterator[str]:
    yield from ("x" * length for length in (256, 257, 300, 1000, 4096, 70_000))
    yield from ("\u00e9" * 128, "\U0001f600" * 64, "e\u0301" * 86, "x" * 253 + "\u20ac", "\u65e5" * 86)


_FAMILIES = {
    "up": _up, "separators": _separated, "protected": _protected, "short names": _short, "drives": _drives,
    "not text": _not_text, "long": _long,
}  # fmt: skip


def hostile() -> list[tuple[str, str]]:
    """Return (family, name) of every name that is refused, each once."""
    found: dict[str, str] = {}
    for family, names in _FAMILIES.items():
        for name in names():
            found.setdefault(name, family)
    return [(family, name) for name, family in found.items()]


def on_disk(name: str) -> bool:
    """Whether a file of a Linux disk can be called so."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        return False
    try:
        return len(os.fsencode(name)) <= 255
    except UnicodeEncodeError:  # half of a pair
        return False
