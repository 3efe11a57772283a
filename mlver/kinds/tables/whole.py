"""A whole table of which little is asked for: column by column, and a column part by part."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import pyarrow as pa

from mlver.kinds.base import Source, Unreadable
from mlver.kinds.tables.pieces import column_parts, read_column

_ROWS: Final = 1 << 16  # in a part


class ByColumn:
    """A table whose columns are read when they are asked for, each alone. Has what of a table context needs."""

    def __init__(self, schema: Any, rows: int) -> None:
        self.schema, self.num_rows = schema, rows
        self._columns: dict[str, Any] = {}

    @property
    def column_names(self) -> list[str]:
        """The names of all columns."""
        names: list[str] = self.schema.names
        return names

    def column(self, name: str) -> Any:
        """Return one column, whole; Unreadable when the bytes are others by now."""
        if name not in self._columns:
            column = self._read(name)
            if len(column) != self.num_rows:
                raise Unreadable("the file changed while it was read")
            self._columns[name] = column
        return self._columns[name]

    def parts(self, name: str) -> Generator[Any, None, None]:
        """Yield one column as arrays, in order; Unreadable as `column`. Close it when enough was seen."""
        if name in self._columns:
            yield from _slices(self._columns[name])
            return
        rows = 0
        for part in self._parts(name):
            rows += len(part)
            yield part
        if rows != self.num_rows:
            raise Unreadable("the file changed while it was read")

    def _read(self, name: str) -> Any:
        raise NotImplementedError

    def _parts(self, name: str) -> Generator[Any, None, None]:
        yield from _slices(self.column(name))


class WholeTable(ByColumn):
    """All rows of one file; texts that repeat come as a dictionary."""

    def __init__(self, source: Source, schema: Any, rows: int) -> None:
        super().__init__(schema, rows)
        self._source = source

    def _read(self, name: str) -> Any:
        return read_column(self._source, self.schema.names.index(name))

    def _parts(self, name: str) -> Generator[Any, None, None]:
        return column_parts(self._source, self.schema.names.index(name), _ROWS)


def parts_of(table: Any, name: str) -> Generator[Any, None, None]:
    """Yield a column of a table, in memory or not, as arrays of some thousand rows."""
    return table.parts(name) if isinstance(table, ByColumn) else _slices(table.column(name))


def _slices(column: Any) -> Generator[Any, None, None]:
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        for begin in range(0, len(chunk), _ROWS):
            yield chunk.slice(begin, _ROWS)
