"""A whole table of which little is asked for: column by column, and a column part by part."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import pyarrow as pa

from mlver.kinds.base import NoRoom, Source, Unreadable
from mlver.kinds.tables.pieces import column_parts, read_column

_ROWS: Final = 1 << 16  # in a part
_KEPT: Final = 64 << 20  # bytes of columns that are kept for who asks again
_COPIES: Final = 48  # bytes a number takes while the distributions of two columns are compared


class ByColumn:
    """A table whose columns are read when they are asked for, each alone. Has what of a table context needs."""

    def __init__(self, schema: Any, rows: int, room: int | None = None) -> None:
        self.schema, self.num_rows, self._room = schema, rows, room
        self._columns: dict[str, Any] = {}

    @property
    def column_names(self) -> list[str]:
        """The names of all columns."""
        names: list[str] = self.schema.names
        return names

    def column(self, name: str) -> Any:
        """Return one column, whole; Unreadable when the bytes are others by now, NoRoom for too many rows."""
        if self._room is not None and self.num_rows * _COPIES > self._room:
            raise NoRoom
        if name not in self._columns:
            column = self._read(name)
            if len(column) != self.num_rows:
                raise Unreadable("the file changed while it was read")
            while self._columns and column.nbytes + sum(one.nbytes for one in self._columns.values()) > _KEPT:
                del self._columns[next(iter(self._columns))]
            self._columns[name] = column
        return self._columns[name]

    def parts(self, name: str) -> Generator[Any, None, None]:
        """Yield one column as arrays, in order; Unreadable as `column`. Close it when enough was seen."""
        if name in self._columns:
            yield from slices(self._columns[name])
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
        yield from slices(self.column(name))


class WholeTable(ByColumn):
    """All rows of one file; texts that repeat come as a dictionary."""

    def __init__(self, source: Source, schema: Any, rows: int, room: int | None = None) -> None:
        super().__init__(schema, rows, room)
        self._source = source

    def _read(self, name: str) -> Any:
        return read_column(self._source, self.schema.names.index(name))

    def _parts(self, name: str) -> Generator[Any, None, None]:
        return column_parts(self._source, self.schema.names.index(name), _ROWS)


def parts_of(table: Any, name: str) -> Generator[Any, None, None]:
    """Yield a column of a table, in memory or not, as arrays of some thousand rows."""
    return table.parts(name) if isinstance(table, ByColumn) else slices(table.column(name))


def slices(column: Any) -> Generator[Any, None, None]:
    """Yield a column as arrays of some thousand rows."""
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        for begin in range(0, len(chunk), _ROWS):
            yield chunk.slice(begin, _ROWS)
