"""Which recorded git patches hold lines of a file: they are copies of it that stand at no path of a commit."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from mlver.errors import Damaged, Redacted
from mlver.repo.holdings import Held, Holdings
from mlver.store.object_store import ObjectStore

PATCH = "git patch"
_HEADER = re.compile(rb"^diff --git (.*)$", re.MULTILINE)
_NAMED = {0x07: "a", 0x08: "b", 0x09: "t", 0x0A: "n", 0x0B: "v", 0x0C: "f", 0x0D: "r", 0x22: '"', 0x5C: "\\"}


def patches_of(store: ObjectStore, holdings: Holdings, paths: Collection[str]) -> Iterator[Held]:
    """Yield every stored patch that changes a file of one of these paths, in whatever folder of git the tree lies.

    Patches that are gone, or not here, are passed over.
    """
    forms = {form for path in paths for form in _spellings(path)}
    if not forms or not holdings.patches:
        return
    any_of = b"|".join(map(re.escape, sorted(forms)))
    wanted = re.compile(rb'(?:^|[/ "])(?:' + any_of + rb')(?:[ "]|$)')
    for id in sorted(holdings.patches):
        try:
            patch = store.get(id)
        except (Damaged, Redacted):
            continue
        if any(wanted.search(header[1]) for header in _HEADER.finditer(patch)):
            yield Held("", id, PATCH, len(patch))


def _spellings(path: str) -> Iterator[bytes]:
    """Yield a path as git writes it in a header: as it is, or quoted, with or without octal escapes."""
    plain = path.encode("utf-8", "surrogateescape")
    yield plain
    for octal in (False, True):
        yield b"".join(_quoted(byte, octal) for byte in plain)


def _quoted(byte: int, octal: bool) -> bytes:
    if byte in _NAMED:
        return f"\\{_NAMED[byte]}".encode()
    if byte < 0x20 or byte == 0x7F or (octal and byte >= 0x80):
        return f"\\{byte:03o}".encode()
    return bytes([byte])
