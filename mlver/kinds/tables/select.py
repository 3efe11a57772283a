"""Rows of a table by condition, columns and number, reading no more than it takes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from mlver.errors import UsageError
from mlver.kinds.base import Selection, Source, Spec, Value
from mlver.kinds.folder import FolderSource
from mlver.kinds.tables.bounds import Condition
from mlver.kinds.tables.partitions import rows_of
from mlver.kinds.tables.pieces import pieces
from mlver.kinds.tables.read import read_table
from mlver.kinds.tables.text_blocks import CannotCut
from mlver.kinds.tables.values import plain
from mlver.kinds.tables.where import parse_where

_ALL: Final = 1 << 62


def select(
    source: Source,
    spec: Spec,
    *,
    where: str | None = None,
    columns: Sequence[str] = (),
    limit: int | None = None,
    count: bool = False,
) -> Selection:
    """Return the first `limit` rows that meet a condition (all, if None), of the columns named, in their order.

    `more` says that the limit was reached before the end: rows that meet the condition may follow, or not.
    With `count` they are counted, and none is returned. Types of large text are those of the part that was read.
    Raises Unreadable, and UsageError for a condition or column that makes no sense.
    """
    most = _ALL if limit is None else limit
    try:
        return _gathered(_filtered(source, spec, where, columns, most, count=count), columns, most, count=count)
    except CannotCut:
        tables = _of_table(read_table(source, spec.options), where, columns)
        return _gathered(tables, columns, most, count=count)


def _filtered(
    source: Source, spec: Spec, where: str | None, columns: Sequence[str], most: int, *, count: bool
) -> Iterator[Any]:
    """Yield the rows that meet the condition, table by table; the first may be empty."""
    if isinstance(source, FolderSource):
        for table in rows_of(source, spec, where, _ALL if count else most + 1):
            _known(columns, table.schema)
            yield table
        return

    def choose(schema: Any) -> tuple[Condition | None, Collection[str] | None]:
        _known(columns, schema)
        condition = parse_where(where, schema) if where is not None else None
        looked_at = condition.columns if condition else frozenset()
        wanted = {*columns, *looked_at}
        if count and not columns:
            wanted = {*looked_at} or set(schema.names[:1])
        return condition, wanted if columns or count else None

    rows = most + 1 if where is None and not count else 1 << 16
    for table in pieces(source, spec.options, choose, rows):
        _known(columns, table.schema)
        if where is not None:
            table = _meeting(table, _condition(where, table.schema))
        yield table


def _condition(where: str, schema: Any) -> Condition:
    """Return the condition for one piece, whose types may differ from the last one's as 1 and 1.0 do."""
    try:
        return parse_where(where, schema)
    except UsageError:
        if any(map(pa.types.is_null, schema.types)):
            raise CannotCut from None  # of a column that is empty here, only the whole tells the type
        raise


def _of_table(table: Any, where: str | None, columns: Sequence[str]) -> Iterator[Any]:
    _known(columns, table.schema)
    yield table if where is None else _meeting(table, parse_where(where, table.schema))


def _meeting(table: Any, condition: Condition) -> Any:
    try:
        return condition.filter(table)
    except pa.ArrowException as error:  # a value too large for the type of its column, say
        raise UsageError(f"where: {str(error).splitlines()[0]}") from error


def _gathered(tables: Iterator[Any], columns: Sequence[str], most: int, *, count: bool) -> Selection:
    names: dict[str, None] = {}
    more = False
    rows: list[dict[str, Value]] = []
    found = 0
    for table in tables:
        names |= dict.fromkeys(columns or table.column_names)
        room = most + 1 - found
        found += table.num_rows if count else min(table.num_rows, room)
        if count:
            continue
        rows += _rows(table.slice(0, room), columns)
        if found > most:
            break
        if found == most and most < _ALL:  # whether there is another may be at the end of a large file
            more = next((True for table in tables), False)
            break
    if count:
        return Selection(tuple(names), (), False, found)
    full = [{name: row.get(name) for name in names} for row in rows[:most]]
    return Selection(tuple(names), tuple(full), more or found > most, None)


def _rows(table: Any, columns: Sequence[str]) -> list[dict[str, Value]]:
    chosen = table.select(list(columns)) if columns else table
    cells = [plain(column) for column in chosen.columns]
    return [dict(zip(chosen.column_names, row, strict=True)) for row in zip(*cells, strict=True)]


def _known(columns: Sequence[str], schema: pa.Schema) -> None:
    from difflib import get_close_matches

    for name in columns:
        if name not in schema.names:
            close = get_close_matches(name, schema.names, n=3, cutoff=0.6) or schema.names[:12]
            raise UsageError(f"no column {name}", hint=f"columns: {', '.join(close)}")
