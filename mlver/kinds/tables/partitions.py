"""A folder of table files as one table: rows of all parts, columns of their paths."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from mlver.kinds.base import Spec, Unreadable, Value
from mlver.kinds.folder import FolderSource, Part, path_values
from mlver.kinds.tables.arrays import texts
from mlver.kinds.tables.read import read_table
from mlver.kinds.tables.units import TableUnits
from mlver.kinds.tables.values import key_texts
from mlver.kinds.tables.where import parse_where

_WHOLE: Final = re.compile(r"-?(0|[1-9]\d{0,17})")


class FolderTable(TableUnits):
    """The rows of the parts that were read; `same` others were set aside. Rows are named by stated keys alone.

    A key guessed from some of the parts need not hold in the others, so none is guessed.
    """

    def __init__(self, table: Any, key: tuple[str, ...], read: int, same: int) -> None:
        super().__init__(table, key, guess=False)
        self.read, self.same = read, same


def read_folder(folder: FolderSource, spec: Spec) -> FolderTable:
    """Return the table of a folder's parts; Unreadable naming the part that has none, or columns that clash."""
    tables = [table for _, table in _tables(folder, folder.parts, spec.options)]
    if folder.same:  # for its columns: a part that came may have more, or fewer
        first = next(_tables(folder, folder.same[:1], spec.options))[1]
        tables.append(first.slice(0, 0))
    if not tables:
        raise Unreadable("no files")
    return FolderTable(joined(tables), spec.key, len(folder.parts), len(folder.same))


def rows_of(folder: FolderSource, spec: Spec, where: str | None = None, limit: int = 20) -> Iterator[Any]:
    """Yield tables of the rows that meet the condition, no more than `limit` in all; parts are read as needed."""
    found = 0
    for _, table in _tables(folder, folder.parts, spec.options):
        if where is not None:
            table = parse_where(where, table.schema).filter(table)
        table = table.slice(0, limit - found)
        found += table.num_rows
        if table.num_rows:
            yield table
        if found >= limit:
            return


def joined(tables: Sequence[Any]) -> Any:
    """Return the rows of all tables under one schema: types are widened, to text where nothing else holds both."""
    try:
        return pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    except pa.ArrowException:
        pass
    clash = clashing(tables)
    return pa.concat_tables([as_texts(table, clash) for table in tables], promote_options="permissive").combine_chunks()


def clashing(tables: Sequence[Any]) -> set[str]:
    """Return the columns whose types nothing but text holds all."""
    found = set()
    for name in dict.fromkeys(name for table in tables for name in table.column_names):
        kinds = {table.schema.field(name).type for table in tables if name in table.column_names}
        try:
            pa.unify_schemas([pa.schema([(name, kind)]) for kind in kinds], promote_options="permissive")
        except pa.ArrowException:
            found.add(name)
    return found


def as_texts(table: Any, names: Collection[str]) -> Any:
    """Return a table with the columns of these names as text."""
    for number, name in enumerate(table.column_names):
        if name in names:
            column = table.column(number)
            said = [
                None if gone else text
                for gone, text in zip(column.is_null().to_pylist(), key_texts(column), strict=True)
            ]
            table = table.set_column(number, name, texts(said))
    return table


def _tables(folder: FolderSource, parts: Sequence[Part], options: Mapping[str, Value]) -> Iterator[tuple[Part, Any]]:
    kinds = path_types([*folder.parts, *folder.same])
    for part in parts:
        yield part, part_table(part, options, kinds)


def part_table(part: Part, options: Mapping[str, Value], kinds: Mapping[str, bool]) -> Any:
    """Return the table of one part with the columns of its path; `kinds` as `path_types` has them of all parts."""
    try:
        table = read_table(part.source, options)
    except Unreadable as reason:
        raise Unreadable(f"{part.path}: {reason}") from None
    return with_path(table, part.path, kinds)


def with_path(table: Any, path: str, kinds: Mapping[str, bool]) -> Any:
    """Return a table with the columns that `path` stands for."""
    values = path_values(path)
    for name, whole in kinds.items():
        column = texts([values.get(name)] * table.num_rows).cast(pa.int64() if whole else pa.large_string())
        if name not in table.column_names:
            table = table.append_column(name, column)
        else:  # the path wins, as it does for those who read such folders
            number = table.column_names.index(name)
            table = table.set_column(number, name, _typed(column, table.column(number).type))
    return table


def _typed(column: Any, kind: Any) -> Any:
    try:
        return column.cast(kind)
    except pa.ArrowException:
        return column


def path_types(parts: Sequence[Part]) -> dict[str, bool]:
    """Return the columns in the paths, and whether each holds whole numbers, as it does if all are; else text."""
    seen: dict[str, set[str | None]] = {}
    for part in parts:
        for name, value in path_values(part.path).items():
            seen.setdefault(name, set()).add(value)
    return {name: all(v is None or _WHOLE.fullmatch(v) for v in values) for name, values in seen.items()}
