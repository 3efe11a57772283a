"""A large table for somebody who asks for little of it: for a column, for its first rows, for a few by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np

from mlver.kinds.base import MISSING, Delta, Source, Spec, Units, Value
from mlver.kinds.tables.apart import ReadWhole
from mlver.kinds.tables.bounds import Condition
from mlver.kinds.tables.digest import row_digests
from mlver.kinds.tables.keying import row_name, row_text
from mlver.kinds.tables.late import frugal
from mlver.kinds.tables.mixing import U64
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

    @cached_property
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
        """The columns, then the rows, in the order of the file. What was seen is remembered, as far as one goes."""
        yield from self.schema
        seen: Counter[int] = Counter()
        for piece in self._pieces(None, None):
            for digest in row_digests(piece)[0].tolist():
                seen[digest] += 1
                yield row_text(digest, seen[digest] - 1)

    def inside(self, starts: tuple[str, ...]) -> list[str]:
        """The keys that start so: no row's does that holds a dot."""
        columns = [name for name in self.schema if name.startswith(starts)]
        return columns if all("." in start for start in starts) else super().inside(starts)

    def get_all(self, keys: Sequence[str]) -> list[Value]:
        """Rows and columns by key; reads until all are found."""
        found: dict[str, Value] = dict(self.schema)
        wanted: dict[int, dict[int, str]] = {}
        for key in keys:
            if key not in found and (name := row_name(key)) is not None:
                wanted.setdefault(name[0], {})[name[1]] = key
        seen: Counter[int] = Counter()
        with frugal():
            for piece in self._pieces(None, None) if wanted else ():
                for key, row in _met(row_digests(piece)[0], wanted, seen):
                    cells = (plain(column)[0] for column in piece.slice(row, 1).columns)
                    found[key] = dict(zip(piece.column_names, cells, strict=True))
                if not wanted:
                    break
        return [found.get(key, MISSING) for key in keys]


def _met(lane: U64, wanted: dict[int, dict[int, str]], seen: Counter[int]) -> Iterator[tuple[str, int]]:
    """Yield the keys that name rows of a piece, which are taken out of `wanted`, and the rows."""
    for row in np.flatnonzero(np.isin(lane, np.array(list(wanted), dtype=np.uint64))).tolist():
        digest = int(lane[row])
        copies = wanted.get(digest, {})
        if (key := copies.pop(seen[digest], None)) is not None:
            yield key, row
        seen[digest] += 1
        if not copies:
            wanted.pop(digest, None)
