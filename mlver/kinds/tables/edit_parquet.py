"""Rows changed in Parquet: schema, metadata, compression and the size of row groups stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlver.kinds.base import CannotEdit, Value
from mlver.kinds.tables.values import family, logical

if TYPE_CHECKING:
    from mlver.kinds.tables.edit import RowEdits

_CODECS = {"UNCOMPRESSED": "NONE", "LZ4_RAW": "LZ4"}


def write_parquet(data: bytes, names: Sequence[str], edits: RowEdits) -> bytes:
    """Return the file with rows changed; `names` are those of its columns. CannotEdit for values it cannot hold."""
    return _rewritten(data, lambda table: _changed(table, names, edits))


def drop_parquet(data: bytes, gone: Any) -> bytes:
    """Return the file without the rows at some positions, nor any value that only they had; CannotEdit."""
    return _rewritten(data, lambda table: without_unused(table.take(np.delete(np.arange(table.num_rows), gone))))


def without_unused(table: Any) -> Any:
    """Return a table whose dictionaries hold what its cells name, and nothing else; CannotEdit for nested ones."""
    columns = []
    for column in table.columns:
        kind = column.type
        if pa.types.is_dictionary(kind):
            plain = column.cast(kind.value_type)
            column = pa.chunked_array(plain.combine_chunks().dictionary_encode().cast(kind))
        elif "dictionary<" in str(kind):
            raise CannotEdit(f"a column of type {kind}")
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=table.schema)


def _rewritten(data: bytes, change: Callable[[Any], Any]) -> bytes:
    """Return the file with its table changed; what else it was written with stays."""
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        table = change(file.read())
        sink = pa.BufferOutputStream()
        meta = file.metadata
        groups = [meta.row_group(number).num_rows for number in range(meta.num_row_groups)]
        pq.write_table(
            table,
            sink,
            compression=_compression(meta) if groups else "SNAPPY",
            row_group_size=max(groups, default=0) or None,
            version="1.0" if meta.format_version == "1.0" else "2.6",
        )
        return bytes(sink.getvalue())
    except (pa.ArrowException, OverflowError) as error:
        raise CannotEdit(str(error).splitlines()[0]) from None


def _compression(meta: Any) -> Any:
    columns = [meta.row_group(0).column(number) for number in range(meta.num_columns)]
    found = {column.path_in_schema: _CODECS.get(column.compression, column.compression) for column in columns}
    codecs = set(found.values())
    return codecs.pop() if len(codecs) == 1 else found


def _changed(table: Any, names: Sequence[str], edits: RowEdits) -> Any:
    """Return the table with changed rows in their places, gone ones left out and new ones last."""
    columns = []
    order: list[int] = []
    places = {position: table.num_rows + at for at, position in enumerate(edits.cells)}
    order = [places.get(row, row) for row in range(table.num_rows) if row not in edits.gone]
    order += range(table.num_rows + len(places), table.num_rows + len(places) + len(edits.new))
    for number, name in enumerate(names):
        column = table.column(number)
        chunks = list(column.chunks)
        for position, cells in edits.cells.items():
            kept = column.slice(position, 1).chunks
            chunks += [_cell(cells[name], column.type)] if name in cells else kept
        chunks += [_cell(row.get(name), column.type) for row in edits.new]
        whole = pa.chunked_array(chunks, column.type)
        columns.append(whole.unify_dictionaries() if pa.types.is_dictionary(column.type) else whole)
    return pa.Table.from_arrays(columns, schema=table.schema).take(pa.array(order, pa.int64()))


def _cell(value: Value, kind: Any) -> Any:
    """Return one plain value (see values.py) as an array of a type."""
    if value is None:
        return pa.nulls(1, kind)
    plain = logical(kind)
    if family(plain) == "bytes" and isinstance(value, str) and not pa.types.is_string(plain):
        array = pa.array([bytes.fromhex(value)], plain)
    elif isinstance(value, str) and family(plain) not in ("text", "nested", "null"):
        array = pa.array([value.removesuffix("Z") if family(plain) == "time" else value]).cast(plain)
    else:
        array = pa.array([value], plain)
    if pa.types.is_dictionary(kind):
        return array.dictionary_encode().cast(kind)
    if plain != kind:
        raise CannotEdit(f"a column of type {kind}")
    return array
