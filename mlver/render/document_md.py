"""Documents as Markdown: everything from a repository is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlver.render.document import Block, Grid, Heading, Items, Line, Paragraph, Tiles, plain
from mlver.render.lines import as_is, safe

if TYPE_CHECKING:
    from mlver.render import layout

_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#~&"})
_TEXT = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|~&"})


def markdown_page(blocks: Sequence[Block]) -> layout.Line:
    """Lay a document out as Markdown."""
    lines: list[str] = []
    for block in blocks:
        lines += [*_block(block), ""]
    return as_is("\n".join(lines).rstrip("\n"))


def _block(block: Block) -> list[str]:
    if isinstance(block, Heading):
        return [f"{'#' * block.level} {safe(block.text).translate(_SPECIAL)}"]
    if isinstance(block, Paragraph):
        return [_line(block.spans)]
    if isinstance(block, Tiles):
        return [f"- **{_escaped(value)}** {_escaped(label)}" for value, label, _ in block.tiles]
    if isinstance(block, Items):
        found = []
        for number, item in enumerate(block.items):
            found.append(f"- {_line(item)}")
            below = block.nested[number] if number < len(block.nested) else ()
            found += [f"  - {_escaped(text)}" for text in below]
        return found
    if isinstance(block, Grid):
        if not block.rows:
            return []
        rule = ["---:" if n in block.right else "---" for n in range(len(block.head))]
        rows = [[_line(cell) for cell in row] for row in block.rows]
        return ["| " + " | ".join(row) + " |" for row in [[_escaped(one) for one in block.head], rule, *rows]]
    return []


def _line(spans: Line) -> str:
    text = plain(spans)
    escaped = _escaped(text)
    return escaped.replace("#", "\\#", 1) if text.startswith("#") else escaped


def _escaped(text: str) -> str:
    return safe(text).translate(_TEXT)
