"""The pieces of a page as rich lays them out: what our own layout is held against."""

from __future__ import annotations

import io

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Span, Text
from rich.theme import Theme
from rich.tree import Tree

from mlver.render import layout
from mlver.render.layout import Indented, Line, Piece, Stack
from mlver.render.lines import Columns
from mlver.render.theme import THEME

_OVERFLOW = {"cut": "ellipsis", "wrap": "fold", "whole": "ignore"}


def rich_text(page: Piece, *, width: int, color: bool) -> str:
    """Return what `to_text` has to return."""
    console = Console(
        file=io.StringIO(),
        width=width,
        height=100,
        theme=Theme(dict(THEME.styles)),
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(Group(_drawn(page)), crop=False)
    return "".join(f"{line.rstrip(' ')}\n" for line in captured.get().splitlines())


def _drawn(piece: Piece) -> RenderableType:
    if isinstance(piece, Line):
        return _text(piece)
    if isinstance(piece, Stack):
        return Group(*map(_drawn, piece._pieces))
    if isinstance(piece, Columns):
        return _Tables(piece)
    if isinstance(piece, layout.Tree):
        return _tree(piece)
    assert isinstance(piece, Indented)
    if not piece._mark.plain:
        return Padding(_drawn(piece._piece), (0, 0, 0, piece._by))
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(min_width=piece._by - 2, no_wrap=True)
    table.add_column()
    table.add_row(_drawn(piece._mark), _drawn(piece._piece))
    return table


def _text(line: Line) -> Text:
    spans = [Span(*span) for span in line.spans]
    return Text(line.plain, spans=spans, no_wrap=line.fit != "wrap", overflow=_OVERFLOW[line.fit])


def _tree(tree: layout.Tree) -> Tree:
    drawn = Tree(_drawn(tree._label), guide_style="quiet", highlight=False)
    drawn.children += [_tree(below) for below in tree._below]
    return drawn


class _Tables:
    """Rows as tables of rich, in columns as wide as ours; what goes across stands between them."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = self._columns._widths(options.max_width)
        table: Table | None = None
        for row in self._columns._rows:
            if isinstance(row, Line):
                yield from [table] if table else []
                yield _text(row)
                table = None
                continue
            table = table or self._grid(widths)
            cells = [_text(cell) for cell in row]
            for index in self._columns._tail:
                _keep_end(cells[index], widths[index])
            table.add_row(*cells)
        yield from [table] if table else []

    def _grid(self, widths: list[int]) -> Table:
        table = Table.grid(padding=(0, self._columns._gap, 0, 0), pad_edge=False)
        for index, width in enumerate(widths):
            wraps = index in self._columns._wrap
            table.add_column(
                justify="right" if index in self._columns._right else "left",
                no_wrap=not wraps,
                overflow="fold" if wraps else "ellipsis",
                width=width,
            )
        return table


def _keep_end(text: Text, width: int) -> None:
    while text.cell_len > width and len(text) > 2:
        text.plain = f"…{text.plain[2:] if text.plain.startswith('…') else text.plain[1:]}"
