"""How many cells of a terminal text takes, and what of it fits into so many.

Wide, joined and combining characters are rich's to count; what pages are mostly made of takes one cell each,
and goes without it.
"""

from __future__ import annotations

import re

_LATIN = (*range(0x20, 0x7F), *range(0xA0, 0xAD), *range(0xAE, 0x300))
NARROW = frozenset(map(chr, _LATIN)) | frozenset("…→←↑↓–—│─├└")  # besides Latin, what our own pages draw with
_WORD = re.compile(r"\s*\S+\s*")


def _narrow(text: str) -> bool:
    return (text.isascii() and text.isprintable()) or NARROW.issuperset(text)


def cells(text: str) -> int:
    """Return the number of cells that `text` takes."""
    if _narrow(text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def fitted(text: str, room: int) -> str:
    """Return as much of `text`, which is wider, as fits; half of a wide character is a space."""
    if _narrow(text):
        return text[:room]
    from rich.cells import set_cell_size

    return set_cell_size(text, room)


def breaks(text: str, room: int) -> list[int]:
    """Return where `text` goes on below: between words, and within those that are wider than the room."""
    found: list[int] = []
    used = 0
    for match in _WORD.finditer(text):
        start, word = match.start(), match.group()
        bare = cells(word.rstrip())
        if used + bare <= room:
            used += cells(word)
        elif bare <= room:
            found.append(start)
            used = cells(word)
        else:
            for part in _chopped(word, room):
                found += [start] if start else []
                start += len(part)
                used = cells(part)
    return found


def _chopped(word: str, room: int) -> list[str]:
    if _narrow(word):
        return [word[at : at + room] for at in range(0, len(word), room)]
    from rich.cells import chop_cells

    return chop_cells(word, room)
