"""A large table for somebody who asks for little of it: for a column, for its first rows, for a few by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np

from mlver.kinds.base import MISSING, Delta, Source, Spec, Units, Value
from mlver.kinds.tables.apart import ReadWhole
from mlver.kinds.tables.arrays import positions
from mlver.kinds.tables.bounds import Condition
from mlver.kinds.tables.digest import row_digests
from mlver.kinds.tables.late import frugal
from mlver.kinds.tables.pieces import pieces
from mlver.kinds.tables.text_blocks import CannotCut
from mlver.kinds.tables.units import COLUMN
from mlver.kinds.tables.values import plain, type_name
from mlver.kinds.tables.whole import WholeTable

_ROWS: Final = 1 << 17  # in a piece


class LateTable(Units):
    """Columns as `columns.<name>`, and rows that are read when they are asked for."""

    def __init__(self, source: Source, spec: Spec, whole: Callable[[], Units]) -> None:
        super().__init__({})
        self._source, self._spec, self._make = source, spec, whole
        self._made: Units | None = None
        self._types: Any = None
        self._key: tuple[str, ...] = ()
        self._rows = 0

    @property
    def schema(self) -> dict[str, Value]:
        """The columns and their types."""
        return {COLUMN + field.name: type_name(field.type) for field in self._types}

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that name a row; () when rows are counted as wholes."""
        return self._key

    @cached_property
    def table(self) -> WholeTable:
        """The table, read column by column when asked for."""
        return WholeTable(self._source, self._types, self._rows)

    def __len__(self) -> int:
        return self._rows + len(self.schema)

    def get(self, key: str) -> Value:
        """A row as a dict of plain values, a column's type as text, or MISSING."""
        return self.get_all([key])[0]

    def delta(self, other: Units) -> Delta:
        """What changes on the way to `other`: for that both are read whole."""
        return self._whole().delta(other._whole() if isinstance(other, LateTable) else other)

    def _whole(self) -> Units:
        if self._made is None:
            self._made = self._make()
        return self._made

    def _pieces(self, condition: Condition | None, columns: Callable[[Any], list[str]] | None) -> Iterator[Any]:
        def choose(schema: Any) -> tuple[Condition | None, list[str] | None]:
            return condition, columns(schema) if columns is not None else None

        try:
            yield from pieces(self._source, self._spec.options, choose, _ROWS, worded=True)
        except CannotCut:
            raise ReadWhole from None


class CountedRows(LateTable):
    """Rows named by their cells, where nobody said by what else, and columns."""

    def __init__(self, source: Source, spec: Spec, whole: Callable[[], Units]) -> None:
        super().__init__(source, spec, whole)
        with frugal():
            self._rows = sum(piece.num_rows for piece in self._pieces(None, self._first))

    def _first(self, schema: Any) -> list[str]:
        self._types = schema
        return list(schema.names[:1])

    def keys(self) -> Iterator[str]:
        """The columns, then the rows, in the order of the file."""
        yield from self.schema
        yield from (name for names, _ in self._named() for name in names)

    def get_all(self, keys: Sequence[str]) -> list[Value]:
        """Rows and columns by key; reads until all are found."""
        found: dict[str, Value] = dict(self.schema)
        wanted = set(keys) - found.keys()
        for names, piece in self._named() if wanted else ():
            rows = [row for row, name in enumerate(names) if name in wanted]
            cells = zip(*(plain(c) for c in piece.take(positions(np.array(rows, dtype=np.int64))).columns), strict=True)
            told = (dict(zip(piece.column_names, row, strict=True)) for row in cells)
            found |= zip((names[row] for row in rows), told, strict=True)
            if wanted <= found.keys():
                break
        return [found.get(key, MISSING) for key in keys]

    def _named(self) -> Iterator[tuple[list[str], Any]]:
        """Yield the rows piece by piece, with what names them."""
        seen: Counter[str] = Counter()
        for piece in self._pieces(None, None):
            names = [f"{digest:016x}" for digest in row_digests(piece)[0].tolist()]
            seen.update(names)
            if any(seen[name] > 1 for name in names):
                names = _numbered(names, seen)
            yield names, piece


def _numbered(names: list[str], seen: Counter[str]) -> list[str]:
    """Return names with `#2` and so on for those that come again; `seen` counts all so far, these included."""
    first, copies = Counter(names), Counter[str]()
    made = []
    for name in names:
        copies[name] += 1
        count = seen[name] - first[name] + copies[name]
        made.append(f"{name}#{count}" if count > 1 else name)
    return made
