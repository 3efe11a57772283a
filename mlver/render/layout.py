"""Pieces of a page that lay themselves out: lines, stacks of pieces, pieces moved to the right.

rich would do the same, and takes longer to import than most commands run; only the width of rare characters is
asked of it (render/cells.py). The places of breaks and cuts are those of rich, which the tests compare.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from mlver.render.cells import breaks, cells, fitted

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

Row: TypeAlias = list[tuple[str, str]]  # (text, label), from left to right
Span: TypeAlias = tuple[int, int, str]  # from, to, label; in order, none within another
Fit: TypeAlias = Literal["cut", "wrap", "whole"]


class Piece(ABC):
    """Something that can be laid out for a width; rich can draw it, too."""

    __slots__ = ()

    @abstractmethod
    def rows(self, width: int) -> Iterator[Row]:
        """Yield the rows from top to bottom; a row may be wider than `width` only if it must stay whole."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay it out as part of what rich draws."""
        from rich.text import Text

        from mlver.render.theme import THEME

        for row in self.rows(options.max_width):
            parts = ((text, THEME.styles.get(label, "")) for text, label in row)
            yield Text.assemble(*parts, no_wrap=True, overflow="ignore")


class Line(Piece):
    """One line of text, parts of it labelled; never changed.

    Where it is too long it is cut with `…` ("cut"), goes on below ("wrap"), or stays as it is ("whole").
    """

    __slots__ = ("fit", "plain", "spans")

    def __init__(self, plain: str = "", spans: Sequence[Span] = (), fit: Fit = "cut") -> None:
        self.plain = plain
        self.spans = spans
        self.fit = fit

    @property
    def cell_len(self) -> int:
        """The number of cells it takes."""
        return cells(self.plain)

    def rows(self, width: int) -> Iterator[Row]:
        """Yield one row, more if it wraps or holds line breaks; none where there is no room at all."""
        if width < 1:
            return
        for part in self._parts(width):
            yield (part if self.fit == "whole" else part._cut(width))._row()

    def cell(self, width: int, *, right: bool = False) -> Iterator[Row]:
        """Yield the rows of a cell of a table, each as wide as that."""
        if width < 1:
            return
        for part in self._parts(width):
            if not right:
                yield resized(part._cut(width)._row(), width)
                continue
            stripped = part.plain.rstrip()
            part = Line(stripped, _clipped(part.spans, len(stripped)), self.fit)._cut(width)
            yield resized([(" " * (width - part.cell_len), ""), *part._row()], width)

    def moved(self, by: int) -> Line:
        """Return the line with so many spaces before it."""
        return Line(
            " " * by + self.plain, [(start + by, end + by, label) for start, end, label in self.spans], self.fit
        )

    def ending(self, width: int) -> Line:
        """Return the line, its beginning replaced by `…` as far as it is wider than `width`; labels stay in place."""
        plain = self.plain
        while cells(plain) > width and len(plain) > 2:
            plain = f"…{plain[2:] if plain.startswith('…') else plain[1:]}"
        return self if plain == self.plain else Line(plain, _clipped(self.spans, len(plain)), self.fit)

    def _parts(self, width: int) -> Iterator[Line]:
        """Yield the line, divided at line breaks, and where it wraps."""
        start = 0
        for text in self.plain.split("\n"):
            ends = [start + place for place in breaks(text, width)] if self.fit == "wrap" else []
            for end in (*ends, start + len(text)):
                yield self._part(start, end, width)
                start = end
            start += 1

    def _part(self, start: int, end: int, width: int) -> Line:
        if end - start > width and self.fit == "wrap":  # spaces at the end of a row may go
            kept = max(start + width, start + len(self.plain[start:end].rstrip()))
            end = min(end, kept)
        if start == 0 and end == len(self.plain):
            return self
        inside = [(max(0, one - start), min(two, end) - start, label) for one, two, label in self.spans]
        return Line(self.plain[start:end], [span for span in inside if span[1] > span[0]], self.fit)

    def _cut(self, width: int) -> Line:
        if cells(self.plain) <= width:
            return self
        plain = f"{fitted(self.plain, width - 1)}…" if self.fit == "cut" else fitted(self.plain, width)
        return Line(plain, _clipped(self.spans, len(plain)), self.fit)

    def _row(self) -> Row:
        row: Row = []
        at = 0
        for start, end, label in self.spans:
            row += [(self.plain[at:start], "")] if at < start else []
            row.append((self.plain[start:end], label))
            at = end
        return [*row, (self.plain[at:], "")] if at < len(self.plain) else row


class Stack(Piece):
    """Pieces one below the other."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces

    def rows(self, width: int) -> Iterator[Row]:
        """Yield the rows of all."""
        for piece in self._pieces:
            yield from piece.rows(width)


class Indented(Piece):
    """A piece moved to the right; what does not fit there is cut off. `mark` stands before its first row."""

    def __init__(self, piece: Piece, by: int, mark: Line | None = None) -> None:
        self._piece, self._by = piece, by
        self._mark = mark or Line()

    def rows(self, width: int) -> Iterator[Row]:
        """Yield its rows, as far as they fit into what is left of the width."""
        before = next(self._mark.cell(self._by), [])
        for row in self._piece.rows(width - self._by):
            yield [*before, *resized(row, width - self._by)]
            before = [(" " * self._by, "")]


class Tree(Piece):
    """A label, and below it what belongs to it."""

    def __init__(self, label: Piece, below: Sequence[Tree] = ()) -> None:
        self._label, self._below = label, below

    def rows(self, width: int) -> Iterator[Row]:
        """Yield its rows, guides before those of what is below."""
        for row in self._label.rows(width):
            yield resized(row, width)
        for tree in self._below:
            guides = ("└── ", "    ") if tree is self._below[-1] else ("├── ", "│   ")
            guide = guides[0]
            for row in tree.rows(width - len(guide)):
                yield [(guide, "quiet"), *row]
                guide = guides[1]


def resized(row: Row, width: int) -> Row:
    """Return the row exactly so wide: spaces behind it, or its end cut off."""
    wide = sum(cells(text) for text, _ in row)
    if wide <= width:
        return [*row, (" " * (width - wide), "")] if wide < width else row
    kept: Row = []
    for text, label in row:
        taken = cells(text)
        if taken >= width:
            return [*kept, (fitted(text, width) if taken > width else text, label)]
        kept.append((text, label))
        width -= taken
    return kept


def _clipped(spans: Sequence[Span], length: int) -> Sequence[Span]:
    return [(start, min(end, length), label) for start, end, label in spans if start < length]
