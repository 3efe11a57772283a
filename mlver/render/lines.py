"""The pieces every page is made of: escaped text, lines, aligned columns.

rich is imported when the first piece is made: an answer in JSON, or in ids alone, goes without.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
    from rich.table import Table
    from rich.text import Text

Part: TypeAlias = "str | tuple[object, str] | Text"
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


def line(*parts: Part, wrap: bool = False) -> Text:
    """Return one line; a part is text, or (value, label). It is cut with `…` at the edge unless it may wrap."""
    from rich.text import Text

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


def as_is(text: str) -> Text:
    """Return text of several lines for programs, Markdown or JSON: nothing is escaped, cut or broken."""
    from rich.text import Text

    return Text(text, no_wrap=True, overflow="ignore")


def blank() -> Text:
    """Return an empty line."""
    from rich.text import Text

    return Text("")


def stacked(page: Iterable[RenderableType]) -> Group:
    """Return the pieces one below the other."""
    from rich.console import Group

    return Group(*page)


def indented(renderable: RenderableType, by: int = 2) -> RenderableType:
    """Return `renderable` moved to the right."""
    from rich.padding import Padding
    from rich.text import Text

    if isinstance(renderable, Text) and renderable.no_wrap:
        moved = Text(" " * by, no_wrap=True, overflow=renderable.overflow)
        return moved.append_text(renderable)
    return Padding(renderable, (0, 0, 0, by))


class Columns:
    """Rows in aligned columns without rules or boxes.

    `right` names the columns that are aligned to the right; `grow` the one that gives way first when
    the page is narrow (the last, unless said otherwise), after it the widest do. Cells are cut at the
    edge, those of the columns in `wrap` go on below. Cells of the columns in `tail` lose
    their beginning rather than their end. A row that is a Text goes across all columns.
    """

    def __init__(
        self,
        rows: Iterable[Sequence[Part | None] | Text],
        *,
        head: Sequence[str] = (),
        right: Sequence[int] = (),
        grow: int = -1,
        wrap: Sequence[int] = (),
        tail: Sequence[int] = (),
        gap: int = 2,
    ) -> None:
        from rich.text import Text

        titles = [line((title, "quiet"), wrap=i in wrap) for i, title in enumerate(head)]
        self._rows: list[list[Text] | Text] = [titles] if titles else []
        for row in rows:
            if isinstance(row, Text):
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

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the rows out for the width at hand."""
        widths = self._widths(options.max_width)
        table: Table | None = None
        for row in self._rows:
            if not isinstance(row, list):
                if table:
                    yield table
                yield row
                table = None
                continue
            table = table or self._grid(widths)
            for index in self._tail:
                _keep_end(row[index], widths[index])
            table.add_row(*row)
        if table:
            yield table

    def _grid(self, widths: Sequence[int]) -> Table:
        from rich.table import Table

        table = Table.grid(padding=(0, self._gap, 0, 0), pad_edge=False)
        for index, width in enumerate(widths):
            wraps = index in self._wrap
            table.add_column(
                justify="right" if index in self._right else "left",
                no_wrap=not wraps,
                overflow="fold" if wraps else "ellipsis",
                width=width,
            )
        return table


def _longest_word(text: Text) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, text.plain.split()), default=0)


def _keep_end(text: Text, width: int) -> None:
    while text.cell_len > width and len(text) > 2:
        text.plain = f"…{text.plain[2:] if text.plain.startswith('…') else text.plain[1:]}"


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
            page += [*([blank()] if page else []), *lines]
    return stacked(page)


def message_lines(word: str, label: str, message: str, hint: str | None = None) -> Group:
    """Return `word: message`, and below it the hint; both whole, however long."""
    lines = [whole((f"{word}: ", label), message)]
    if hint:
        lines.append(whole(("hint: ", "hint"), hint))
    return stacked(lines)


def command_line(*words: str) -> str:
    """Return words as one would type them; `prod~1` and `prod@{1}` need no quotes in a shell."""
    return " ".join(word if _TYPED.fullmatch(word) else shlex.quote(word) for word in words)
