"""Small tables as files in each format."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

from mlver.kinds.base import Comparison, Delta, Spec
from mlver.kinds.data import DataKind
from mlver.kinds.tables.pair import TableDelta
from mlver.kinds.tables.units import TableUnits
from tests.kinds.byte_source import source

KIND = DataKind()


def read(path: str, content: str | bytes, key: tuple[str, ...] = (), **options: Any) -> TableUnits:
    units = KIND.units(source(path, content), Spec(key, options))
    assert isinstance(units, TableUnits)
    return units


def change(old: TableUnits, new: TableUnits) -> tuple[TableDelta, Comparison]:
    delta = old.delta(new)
    assert isinstance(delta, TableDelta)
    return delta, KIND.compare(old, new, delta)


def changed_cells(delta: TableDelta) -> dict[str, int]:
    assert delta.pair is not None
    return {name: int(mask.sum()) for name, mask in delta.pair.cells.items()}


def nothing(delta: Delta) -> bool:
    return not delta.added and not delta.removed and not delta.changed


def parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def ipc_file(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def ipc_stream(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def feather_file(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    feather.write_feather(table, sink, compression="zstd")
    return sink.getvalue()


def jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def csv(rows: list[dict[str, Any]], form: str = "%s") -> str:
    """Return rows as CSV; None is an empty cell, floats are written with `form`."""

    def cell(value: Any) -> str:
        return "" if value is None else form % value if isinstance(value, float) else str(value)

    lines = [",".join(rows[0]), *(",".join(cell(value) for value in row.values()) for row in rows)]
    return "\n".join(lines) + "\n"
