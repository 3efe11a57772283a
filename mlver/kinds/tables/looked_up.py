"""The units of a large table for somebody who asks for a few rows: a row is read out of the file when asked for.

The keys are read once, to see that each names one row; of them eight bytes a row are held, or fewer where they rise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mlver.kinds.base import MISSING, Source, Spec, Units, Value
from mlver.kinds.tables.apart import ReadWhole
from mlver.kinds.tables.arrays import positions, texts
from mlver.kinds.tables.bounds import one_of
from mlver.kinds.tables.keying import ColumnKeying, first_part, may_name
from mlver.kinds.tables.late import frugal, pc
from mlver.kinds.tables.late_table import LateTable
from mlver.kinds.tables.meeting import without_dictionaries
from mlver.kinds.tables.row_names import RowNames, named
from mlver.kinds.tables.values import logical, plain

_ROWS: Final = 1 << 17  # in a piece


class LookedUp(LateTable):
    """Rows by key and columns, as `TableUnits` has them, of a Parquet or Arrow file."""

    def __init__(self, source: Source, spec: Spec, whole: Callable[[], Units], *, heavy: bool = False) -> None:
        """Raise ReadWhole when `whole` must say what names the rows, or that nothing does.

        Of a `heavy` table rows are looked for by how their keys are spelled, where a text may spell several values.
        """
        super().__init__(source, spec, whole)
        self._heavy = heavy
        with frugal():
            self._rows = self._named_rows()

    def keys(self) -> Iterator[str]:
        """The columns, then the rows, in the order of the file."""
        yield from self.schema
        for piece in self._keys():
            yield from _texts(piece, self._key)

    def inside(self, starts: tuple[str, ...]) -> list[str]:
        """The keys that start so; no number does that ends in a dot."""
        if len(self._key) > 1:
            return super().inside(starts)
        columns = [name for name in self.schema if name.startswith(starts)]
        if pa.types.is_integer(self._kind) and all(start.endswith(".") for start in starts):
            return columns
        return columns + [text for text in islice(self.keys(), len(self.schema), None) if text.startswith(starts)]

    def get_all(self, keys: Sequence[str]) -> list[Value]:
        """Rows and columns by key, from the row groups that may hold them, which are read once."""
        found: dict[str, Value] = dict(self.schema)
        for names, rows in self._rows_of(keys, None):
            cells = zip(*(plain(column) for column in rows.columns), strict=True)
            told = zip(names, cells, strict=True)
            found |= {name: dict(zip(rows.column_names, row, strict=True)) for name, row in told if name not in found}
        return [found.get(key, MISSING) for key in keys]

    def has_all(self, keys: Sequence[str]) -> list[bool]:
        """Whether there is a row or column of each of these keys: only key columns are read."""
        found = set(self.schema)
        for names, _ in self._rows_of(keys, lambda schema: list(self._key)):
            found.update(names)
        return [key in found for key in keys]

    def _rows_of(
        self, keys: Sequence[str], columns: Callable[[Any], list[str]] | None
    ) -> Iterator[tuple[list[str], Any]]:
        """Yield keys and rows, piece by piece, of all that may be named so; ends when every key was met."""
        wanted = {key for key in keys if key not in self.schema}
        if not self._plain_key:
            yield from self._spelled_so(wanted, columns)
            return
        firsts = self._cast({first for key in wanted if (first := first_part(key, len(self._key))) is not None})
        if not len(firsts):
            return
        condition = one_of(
            lambda table: _is_in(table.column(self._key[0]), firsts), self._key[0], self._kind, firsts.to_pylist()
        )
        with frugal():
            for piece in self._pieces(condition, columns):
                rows = condition.filter(piece)
                if rows.num_rows:
                    names = _texts(rows, self._key)
                    yield names, rows
                    wanted.difference_update(names)
                if not wanted:
                    return

    def _spelled_so(
        self, wanted: set[str], columns: Callable[[Any], list[str]] | None
    ) -> Iterator[tuple[list[str], Any]]:
        with frugal():
            for piece in self._pieces(None, columns):
                names = _texts(piece, self._key) if wanted else []
                rows = np.array([row for row, name in enumerate(names) if name in wanted], dtype=np.int64)
                if len(rows):
                    found = [names[row] for row in rows.tolist()]
                    yield found, piece.take(positions(rows))
                    wanted.difference_update(found)

    def _named_rows(self) -> int:
        """Find what names the rows, and return their number; ReadWhole when that takes more than a look at the keys."""
        names, rows = RowNames(), 0
        for piece in self._pieces(None, self._choose):
            if piece.num_rows == 0:
                continue
            keys = without_dictionaries(piece.select(list(self._key)))
            if any(column.null_count for column in keys.columns):
                raise ReadWhole
            rows += keys.num_rows
            names.add(keys)
        if names.repeat():
            raise ReadWhole
        return rows

    def _choose(self, schema: Any) -> list[str]:
        """Learn the schema, and return the columns that name the rows."""
        self._types = schema
        self._key = self._spec.key or tuple(schema.names[:1])
        if not self._key or any(name not in schema.names for name in self._key):
            raise ReadWhole
        kind = self._kind = logical(schema.field(self._key[0]).type)
        self._plain_key = pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
        if not self._plain_key and not self._heavy:
            raise ReadWhole  # two spellings, or two values that are one
        if not self._spec.key and not may_name(kind):
            raise ReadWhole
        return list(self._key)

    def _keys(self) -> Iterator[Any]:
        return self._pieces(None, lambda schema: list(self._key))

    def _cast(self, said: Collection[str]) -> Any:
        """Return the values of the first key column that keys may spell."""
        try:
            return texts(list(said)).cast(self._kind)
        except pa.ArrowException:  # one of them spells no value of that type
            values = [self._cast([text]) for text in said] if len(said) > 1 else []
            return pa.concat_arrays([pa.array([], type=self._kind), *values])


def _is_in(column: Any, values: Any) -> Any:
    kind = logical(column.type)
    return pc.is_in(column if column.type == kind else column.cast(kind), value_set=values)


def _texts(table: Any, key: tuple[str, ...]) -> list[str]:
    """Return the unit keys of all rows."""
    return ColumnKeying(table, key, named).texts(np.arange(table.num_rows))
