"""Conflicts in text: the lines of both sides between marks, as git has them and editors know them."""

from __future__ import annotations

import re

from mlver.repo.merge_units import UnitConflict


def marked(conflict: UnitConflict) -> list[str]:
    """Return the lines that stand for a conflict in the text: ours, the base, theirs."""
    return [
        f"<<<<<<< {conflict.unit} ours",
        *conflict.ours,
        f"||||||| {conflict.unit} before",
        *conflict.base,
        "=======",
        *conflict.theirs,
        f">>>>>>> {conflict.unit} theirs",
    ]


def is_marked(data: bytes, unit: str) -> bool:
    """Whether the marks of a conflict still stand in a text."""
    name = re.escape(unit.encode())
    return (
        re.search(rb"^(<<<<<<< " + name + rb" ours|>>>>>>> " + name + rb" theirs)\r?$", data, re.MULTILINE) is not None
    )


def settled(data: bytes, unit: str, side: str) -> bytes | None:
    """Return the text with one side in the place of a conflict; None when its marks are not all there."""
    name = re.escape(unit.encode())
    block = re.compile(
        rb"^<<<<<<< " + name + rb" ours\r?\n(?P<ours>(?:.*\n)*?)"
        rb"\|\|\|\|\|\|\| " + name + rb" before\r?\n(?:.*\n)*?"
        rb"=======\r?\n(?P<theirs>(?:.*\n)*?)"
        rb">>>>>>> " + name + rb" theirs\r?(?:\n|\Z)",
        re.MULTILINE,
    )
    match = block.search(data)
    return data[: match.start()] + match[side] + data[match.end() :] if match else None
