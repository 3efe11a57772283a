"""A table handed on to those who know no Arrow: names of rows, cells as plain values, bytes for another process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa

from mlver.kinds.base import Units, Unreadable, Value
from mlver.kinds.tables.keying import ColumnKeying
from mlver.kinds.tables.units import TableUnits
from mlver.kinds.tables.values import family, key_texts, logical, plain

MOST_PARTS: Final = 12  # values of a column that is worth looking at part by part
_PARTED: Final = ("text", "bool")


class Handed:
    """A table of rows. Raises Unreadable when the units are those of none."""

    def __init__(self, units: Units) -> None:
        if not isinstance(units, TableUnits):
            raise Unreadable("no table of rows")
        self._units = units
        self._table = units.table

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return int(self._table.num_rows)

    @property
    def columns(self) -> Sequence[str]:
        """The names of its columns."""
        names: list[str] = self._table.column_names
        return names

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that name a row; () when none do."""
        return self._units.key

    @cached_property
    def names(self) -> Sequence[str]:
        """What names each row, in the order of the file."""
        return self._units.keying.texts(np.arange(self.rows))

    def named_by(self, columns: Sequence[str]) -> Sequence[str]:
        """Return what names each row when these columns do; Unreadable when they do not tell the rows apart."""
        found = TableUnits(self._table, tuple(columns))
        if not isinstance(found.keying, ColumnKeying):
            raise Unreadable("no rows to name")
        return found.keying.texts(np.arange(self.rows))

    def cells(self, column: str) -> Sequence[Value]:
        """Return the plain values of one column."""
        return plain(self._table.column(column))

    def parts(self, column: str) -> Sequence[str]:
        """Return the part each row lies in, by its value in a column."""
        return key_texts(self._table.column(column))

    def parted(self, most: int = MOST_PARTS) -> Mapping[str, Sequence[str]]:
        """Return the columns of text or truth with 2 to `most` values, each with the part every row lies in."""
        found = {}
        for number, name in enumerate(self.columns):
            column = self._table.column(number)
            if name in self.key or family(logical(column.type)) not in _PARTED:
                continue
            if 2 <= len(column.unique()) <= most:
                found[name] = key_texts(column)
        return found

    def arrow(self) -> bytes:
        """Return the table as an Arrow IPC stream."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self._table.schema) as writer:
            writer.write_table(self._table)
        written: bytes = sink.getvalue().to_pybytes()
        return written
