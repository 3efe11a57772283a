"""The pieces every page is made of: escaped text, lines, aligned columns."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from mlver.render.cells import cells
from mlver.render.layout import Fit, Indented, Line, Piece, Row, Span, Stack

Part: TypeAlias = str | tuple[object, str] | Line
_TYPED = re.compile(r"[\w@%+=:,./-][\w@%+=:,./{}~^-]*", re.ASCII)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}
_WORD = 10  # as long as an id


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


def line(*parts: Part, wrap: bool = False) -> Line:
    """Return one line; a part is text, or (value, label). It is cut with `…` at the edge unless it may wrap."""
    return _line(parts, "wrap" if wrap else "cut")


def whole(*parts: Part) -> Line:
    """Return a line that is never cut nor broken: what people copy, such as commands."""
    return _line(parts, "whole")


def _line(parts: Iterable[Part], fit: Fit) -> Line:
    texts: list[str] = []
    spans: list[Span] = []
    at = 0
    for part in parts:
        if isinstance(part, Line):
            text = part.plain
            spans += [(at + start, at + end, label) for start, end, label in part.spans]
        else:
            value, label = part if isinstance(part, tuple) else (part, "")
            text = safe(value)
            spans += [(at, at + len(text), label)] if label and text else []
        texts.append(text)
        at += len(text)
    return Line("".join(texts), spans, fit)


def as_is(text: str) -> Line:
    """Return text of several lines for programs, Markdown or JSON: nothing is escaped, cut or broken."""
    return Line(text, fit="whole")


def blank() -> Line:
    """Return an empty line."""
    return Line()


def stacked(page: Iterable[Piece]) -> Stack:
    """Return the pieces one below the other."""
    return Stack(list(page))


def indented(piece: Piece, by: int = 2) -> Piece:
    """Return `piece` moved to the right."""
    return piece.moved(by) if isinstance(piece, Line) and piece.fit != "wrap" else Indented(piece, by)


class Columns(Piece):
    """Rows in aligned columns without rules or boxes.

    `right` names the columns that are aligned to the right; `grow` the one that gives way first when
    the page is narrow (the last, unless said otherwise), after it the widest do. Cells are cut at the
    edge, those of the columns in `wrap` go on below. Cells of the columns in `tail` lose
    their beginning rather than their end. A row that is a Line goes across all columns.
    """

    def __init__(
        self,
        rows: Iterable[Sequence[Part | None] | Line],
        *,
        head: Sequence[str] = (),
        right: Sequence[int] = (),
        grow: int = -1,
        wrap: Sequence[int] = (),
        tail: Sequence[int] = (),
        gap: int = 2,
    ) -> None:
        titles = [line((title, "quiet"), wrap=i in wrap) for i, title in enumerate(head)]
        self._rows: list[list[Line] | Line] = [titles] if titles else []
        for row in rows:
            if isinstance(row, Line):
                self._rows.append(row)
            else:
                self._rows.append([line("" if cell is None else cell, wrap=i in wrap) for i, cell in enumerate(row)])
        self._count = max((len(row) for row in self._rows if isinstance(row, list)), default=0)
        self._right, self._wrap, self._tail, self._gap = right, wrap, tail, gap
        self._grow = grow % self._count if self._count else 0

    def _widths(self, room: int) -> list[int]:
        """Return the width of each column so that all fit in `room`, as far as they can."""
        rows = [row for row in self._rows if isinstance(row, list)]
        widths = [max((row[i].cell_len for row in rows if i < len(row)), default=0) for i in range(self._count)]
        excess = sum(widths) + self._gap * (self._count - 1) - room
        if excess > 0:
            least = min(widths[self._grow], 20 if self._grow in self._wrap else 10)
            given = min(excess, widths[self._grow] - least)
            widths[self._grow] -= given
            excess -= given
        words = [max((_longest_word(row[i]) for row in rows if i < len(row)), default=0) for i in self._wrap]
        whole_words = dict(zip(self._wrap, (min(word, _WORD) for word in words), strict=True))
        for kept in (whole_words, dict[int, int]()):  # ids stay whole as long as something else can give way
            while excess > 0 and (wide := [(width, i) for i, width in enumerate(widths) if width > kept.get(i, 8)]):
                widths[max(wide, key=lambda one: (one[0], -one[1]))[1]] -= 1
                excess -= 1
        return widths

    def rows(self, width: int) -> Iterator[Row]:
        """Yield the rows, and below each what goes on of its cells."""
        if width < 1:
            return
        widths = self._widths(width)
        boxes = _boxes(widths, self._gap, width)
        for row in self._rows:
            if isinstance(row, Line):
                yield from row.rows(width)
                continue
            row = [cell.ending(widths[i]) if i in self._tail else cell for i, cell in enumerate(row)]
            yield from self._aligned(row, boxes)

    def _aligned(self, row: Sequence[Line], boxes: Sequence[int]) -> Iterator[Row]:
        columns: list[list[Row]] = []
        for index, box in enumerate(boxes):
            cell = row[index] if index < len(row) else Line()
            gap = self._gap if index < len(boxes) - 1 else 0
            columns.append([[*one, (" " * gap, "")] for one in cell.cell(box - gap, right=index in self._right)])
        for number in range(max(1, *map(len, columns))):
            yield [
                part
                for column, box in zip(columns, boxes, strict=True)
                for part in (column[number] if number < len(column) else [(" " * box, "")])
            ]


def _boxes(widths: Sequence[int], gap: int, room: int) -> list[int]:
    """Return the width of each column with the gap behind it; all give way alike where even the least is too much."""
    wanted = [width + gap for width in widths[:-1]] + [*widths[-1:]]
    boxes = [min(box, room) or 1 for box in wanted]
    excess = sum(boxes) - room
    if excess <= 0:
        return boxes
    left: list[int] = []
    for place, box in enumerate(boxes):
        given = min(box, round(excess / (len(boxes) - place)))
        left.append(min(wanted[place], box - given))
        excess -= given
    return left


def _longest_word(text: Line) -> int:
    return max(map(cells, text.plain.split()), default=0)


def paragraphs(*blocks: Piece | Sequence[Piece] | None) -> Stack:
    """Return the blocks that are there, a blank line between them."""
    page: list[Piece] = []
    for block in blocks:
        lines: list[Piece] = []
        if isinstance(block, (list, tuple)):
            lines = list(block)
        elif block is not None:
            lines = [block]  # type: ignore[list-item]
        if lines:
            page += [*([blank()] if page else []), *lines]
    return stacked(page)


def message_lines(word: str, label: str, message: str, hint: str | None = None) -> Stack:
    """Return `word: message`, and below it the hint; both whole, however long."""
    lines = [whole((f"{word}: ", label), message)]
    if hint:
        lines.append(whole(("hint: ", "hint"), hint))
    return stacked(lines)


def command_line(*words: str) -> str:
    """Return words as one would type them; `prod~1` and `prod@{1}` need no quotes in a shell."""
    return " ".join(word if _TYPED.fullmatch(word) else shlex.quote(word) for word in words)
