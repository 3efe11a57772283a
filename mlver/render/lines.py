"""The pieces every page is made of: escaped text, lines, aligned columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

Part = str | tuple[object, str] | Text
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}


def safe(value: object) -> str:
    """Return text that can't act on a terminal or lie about its order.

    Control characters, escapes, line breaks, marks that turn the direction of writing, and bytes
    that are no UTF-8 are written as escapes; everything printable stays.
    """
    text = str(value)
    return text if text.isprintable() else "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def line(*parts: Part, wrap: bool = False) -> Text:
    """Return one line; a part is text, or (value, label). It is cut with `…` at the edge unless it may wrap."""
    text = Text(no_wrap=not wrap, overflow="fold" if wrap else "ellipsis")
    for part in parts:
        if isinstance(part, Text):
            text.append_text(part)
        elif isinstance(part, tuple):
            text.append(safe(part[0]), style=part[1])
        else:
            text.append(safe(part))
    return text


def whole(*parts: Part) -> Text:
    """Return a line that is never cut nor broken: what people copy, such as commands."""
    text = line(*parts)
    text.overflow = "ignore"
    return text


def indented(renderable: RenderableType, by: int = 2) -> RenderableType:
    """Return `renderable` moved to the right."""
    if isinstance(renderable, Text) and renderable.no_wrap:
        moved = Text(" " * by, no_wrap=True, overflow=renderable.overflow)
        return moved.append_text(renderable)
    return Padding(renderable, (0, 0, 0, by))


def columns(
    rows: Iterable[Sequence[Part | None]],
    *,
    head: Sequence[str] = (),
    right: Sequence[int] = (),
    grow: int = -1,
    wrap: Sequence[int] = (),
    gap: int = 2,
) -> RenderableType:
    """Return `rows` in aligned columns without rules or boxes.

    `right` names the columns that are aligned to the right, `grow` the one that gives way first when
    the page is narrow (the last, unless said otherwise). Cells are cut at the edge, those of the columns
    in `wrap` go on below.
    """
    rows = [list(row) for row in rows]
    count = max((len(row) for row in rows), default=len(head))
    table = Table.grid(padding=(0, gap, 0, 0), pad_edge=False)
    widths = [max((cell_width(row[i]) for row in rows if i < len(row)), default=0) for i in range(count)]
    for index in range(count):
        gives_way = index == (grow % count if count else 0)
        table.add_column(
            justify="right" if index in right else "left",
            no_wrap=index not in wrap,
            overflow="fold" if index in wrap else "ellipsis",
            min_width=8 if gives_way else min(max(widths[index], len(head[index]) if head else 0), 32),
        )
    if head:
        table.add_row(*(Text(title, style="quiet", no_wrap=True) for title in head))
    for row in rows:
        cells = [line("" if cell is None else cell, wrap=index in wrap) for index, cell in enumerate(row)]
        table.add_row(*cells)
    return table


def cell_width(part: Part | None) -> int:
    """Return how many terminal columns a cell takes."""
    return 0 if part is None else line(part).cell_len


def paragraphs(*blocks: RenderableType | Sequence[RenderableType] | None) -> Group:
    """Return the blocks that are there, a blank line between them."""
    page: list[RenderableType] = []
    for block in blocks:
        lines: list[RenderableType] = []
        if isinstance(block, (list, tuple)):
            lines = list(block)
        elif block is not None:
            lines = [block]  # type: ignore[list-item]
        if lines:
            page += [*([Text("")] if page else []), *lines]
    return Group(*page)


def message_lines(word: str, label: str, message: str, hint: str | None = None) -> Group:
    """Return `word: message`, and below it the hint; both whole, however long."""
    lines = [whole((f"{word}: ", label), message)]
    if hint:
        lines.append(whole(("hint: ", "hint"), hint))
    return Group(*lines)
