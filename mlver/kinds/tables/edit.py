"""Changing rows of a table in its file: text line by line, Parquet with its schema and compression kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from mlver.frozen import frozen
from mlver.kinds.base import MISSING, CannotEdit, Kind, Source, Spec, Unreadable, Value, read_all, same
from mlver.kinds.edits import Held
from mlver.kinds.tables.units import COLUMN, TableUnits
from mlver.kinds.tables.unpacking import is_packed

_LIMIT = 1 << 31  # bytes of a file that is changed in memory


@frozen
class RowEdits:
    """What happens to the rows of a table, by position: cells by column name, rows that go, rows that come."""

    cells: dict[int, dict[str, Value]] = field(default_factory=dict)
    gone: frozenset[int] = frozenset()
    new: tuple[dict[str, Value], ...] = ()


def edit_table(kind: Kind, source: Source, spec: Spec, changes: Mapping[str, Value]) -> bytes:
    """Return the file with rows changed by key; new ones come last. Cells of columns it does not have are left out.

    In text the type of a column follows from its cells, so that a change of type alone is none. CannotEdit when
    columns come or go, or the format cannot be written.
    """
    from mlver.kinds.tables.edit_parquet import write_parquet
    from mlver.kinds.tables.edit_text import write_delimited, write_json, write_jsonlines

    units = kind.units(source, spec)
    if not isinstance(units, TableUnits):
        raise CannotEdit("it is no table")
    data = read_all(source, _LIMIT)
    path = source.path.lower()
    columnar = data.startswith(b"PAR1")
    if is_packed(data[:16]) or (not columnar and path.endswith((".arrow", ".feather", ".ipc", ".orc"))):
        raise CannotEdit("files of this format are written whole")
    edits = _row_edits(units, changes, columnar)
    if columnar:
        said = write_parquet(data, units.table.column_names, edits)
    elif path.endswith((".jsonl", ".ndjson")):
        said = write_jsonlines(data, units.table, edits)
    elif path.endswith(".json"):
        said = write_json(data, units.table, edits)
    else:
        said = write_delimited(data, source.path, spec.options, units.table, edits)
    _confirm(kind, Held(source.path, said), spec, units, changes)
    return said


def _row_edits(units: TableUnits, changes: Mapping[str, Value], columnar: bool) -> RowEdits:
    columns = set(units.table.column_names)
    cells: dict[int, dict[str, Value]] = {}
    gone: set[int] = set()
    new: list[dict[str, Value]] = []
    for key, value in changes.items():
        if key.startswith(COLUMN) and not isinstance(value, dict):
            if columnar or value is MISSING or key not in units.schema:
                raise CannotEdit(f"the column {key.removeprefix(COLUMN)} comes, goes or changes its type")
            continue
        place = units.keying.row(key)
        if value is MISSING:
            if place is None:
                raise CannotEdit(f"no row {key}")
            gone.add(place)
        elif place is None:
            new.append({name: cell for name, cell in value.items() if name in columns})
        else:
            now = units.row(place)
            cells[place] = {n: cell for n, cell in value.items() if n in columns and not same(now[n], cell)}
    return RowEdits(cells, frozenset(gone), tuple(new))


def _confirm(kind: Kind, edited: Held, spec: Spec, before: TableUnits, changes: Mapping[str, Value]) -> None:
    try:
        after = kind.units(edited, spec)
    except Unreadable as reason:
        raise CannotEdit(f"the result could not be read: {reason}") from None
    delta: Any = before.delta(after)
    for key in (*delta.added, *delta.removed, *delta.changed):
        if key not in changes and not (key.startswith(COLUMN) and key in before.schema):
            raise CannotEdit(f"{key} would change with it")
    for key, value in changes.items():
        if key.startswith(COLUMN) and not isinstance(value, dict):
            continue
        found = after.get(key)
        if value is MISSING or found is MISSING:
            if found is not value:
                raise CannotEdit(f"{key} cannot be written there")
        elif any(name in found and not _alike(found[name], cell) for name, cell in value.items()):
            raise CannotEdit(f"{key} cannot be written there")


def _alike(a: Value, b: Value) -> bool:
    """Whether two cells are the same, or one is the text of the other: a column of text reads all as text."""
    return same(a, b) or (
        isinstance(a, str) != isinstance(b, str) and a is not None and b is not None and f"{a}" == f"{b}"
    )
