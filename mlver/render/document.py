"""Documents for people: headings, paragraphs, tables, lists, figures; laid out as text, Markdown or HTML.

What is to be said is put together once, as a list of blocks; each way of writing escapes for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlver.frozen import frozen
from mlver.render.lines import Columns, Part, indented, line, paragraphs

if TYPE_CHECKING:
    from mlver.render import layout

# the words for tones are those of the terminal's theme: good, bad, warning, quiet, id, who, stage, head
Span = str | tuple[str, str]
Line = tuple[Span, ...]


@frozen
class Heading:
    """A title; `level` 1 is the document's."""

    text: str
    level: int = 2


@frozen
class Paragraph:
    """One paragraph of spans: plain text, or (text, tone)."""

    spans: Line


@frozen
class Items:
    """A list, one line each; `nested` lines below each."""

    items: tuple[Line, ...]
    nested: tuple[tuple[str, ...], ...] = ()


@frozen
class Grid:
    """A table. `right` are columns of numbers, `wrap` those that may break in a terminal."""

    head: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]
    right: tuple[int, ...] = ()
    wrap: tuple[int, ...] = ()


@frozen
class Figure:
    """A drawing for HTML alone: `svg` was made by us, all text in it escaped. Elsewhere it is left out."""

    svg: str
    caption: str = ""
    title: str = ""


@frozen
class Figures:
    """Small drawings side by side, each with its title; for HTML alone."""

    figures: tuple[Figure, ...]


@frozen
class Tiles:
    """A few large values side by side: (value, label, tone)."""

    tiles: tuple[tuple[str, str, str], ...]


Block = Heading | Paragraph | Items | Grid | Figure | Figures | Tiles


def say(*spans: Span) -> Line:
    """Return spans as one line; empty ones are left out."""
    return tuple(span for span in spans if (span if isinstance(span, str) else span[0]))


def plain(spans: Line) -> str:
    """Return the text of a line."""
    return "".join(span if isinstance(span, str) else span[0] for span in spans)


def text_page(blocks: Sequence[Block]) -> layout.Piece:
    """Lay a document out for a terminal."""
    groups: list[list[layout.Piece]] = []
    after_heading = False
    for block in blocks:
        lines = _text(block)
        if not lines:
            continue
        if after_heading and not isinstance(block, Heading):
            groups[-1] += [indented(one) for one in lines]
        else:
            groups.append(lines)
        after_heading = isinstance(block, Heading) and block.level > 1
    return paragraphs(*groups)


def _text(block: Block) -> list[layout.Piece]:
    if isinstance(block, Heading):
        return [line((block.text, "head"), wrap=True)]
    if isinstance(block, Paragraph):
        return [_line(block.spans)]
    if isinstance(block, Tiles):
        return [line((value, tone or "head"), f"  {label}") for value, label, tone in block.tiles]
    if isinstance(block, Items):
        found: list[layout.Piece] = []
        for number, item in enumerate(block.items):
            found.append(_line(item))
            below = block.nested[number] if number < len(block.nested) else ()
            found += [indented(line(text, wrap=True), 4) for text in below]
        return found
    if isinstance(block, Grid):
        rows: list[list[Part | None]] = [
            [_line(cell, wrap=n in block.wrap) for n, cell in enumerate(row)] for row in block.rows
        ]
        return [Columns(rows, head=block.head, right=block.right, wrap=block.wrap)] if rows else []
    return []


def _line(spans: Line, wrap: bool = True) -> layout.Line:
    return line(*spans, wrap=wrap)
