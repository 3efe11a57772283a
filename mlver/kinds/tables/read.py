"""Bytes -> an Arrow table, whatever the format: Parquet, ORC, CSV/TSV, JSONL, Arrow IPC, Feather; packed or not."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mlver.kinds.base import Source, Spec, Unreadable, Value
from mlver.kinds.tables import arrow_bounds
from mlver.kinds.tables.arrays import empty
from mlver.kinds.tables.delimited import read_delimited
from mlver.kinds.tables.jsonlines import read_json
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.nesting import refuse_deep_type
from mlver.kinds.tables.parquet_bounds import refuse_unfolding
from mlver.kinds.tables.unpacking import inner_name, is_packed, unpacked
from mlver.kinds.tables.values import refuse_twins

_COMPLAINTS = (pa.ArrowException, OSError, EOFError, zlib.error, ValueError, MemoryError, OverflowError)
_BY_MAGIC: Final = (((".parquet", ".pq"), "Parquet"), ((".arrow", ".feather", ".ipc"), "Arrow"), ((".orc",), "ORC"))
_NO_READER: Final = (".avro", ".h5", ".hdf5")
_CELLS: Final = 1 << 23  # so many are let through, whatever the size of the file
_CELLS_PER_BYTE: Final = 64
_DIGITS_PER_BIT: Final = 0.30103
_WORDS = 100  # characters of a library's complaint worth passing on


def read_table(source: Source, options: Mapping[str, Value]) -> Any:
    """Return the table in `source`; Unreadable, with the reason in a few words, when there is none."""
    if source.size == 0:
        raise Unreadable("empty file")
    with source.open() as opened, reasons():
        stream: BinaryIO = opened
        head = stream.read(16)
        stream.seek(0)
        path = source.path.lower()
        if is_packed(head):
            data = unpacked(stream, head, source.size)
            stream, head, path = io.BytesIO(data), data[:16], inner_name(path)
        table = _by_magic(stream, head, path, options)
        table = checked(table)
    return table


def read_rows(source: Source, spec: Spec, where: str | None = None, limit: int = 20) -> list[dict[str, Value]]:
    """Return the first `limit` rows as dicts of plain values; `where` is a condition (see where.py).

    No more is read than is needed (see select.py).
    Raises Unreadable, and UsageError for a condition that makes no sense.
    """
    from mlver.kinds.tables.select import select

    return list(select(source, spec, where=where, limit=limit).rows)


def _by_magic(stream: BinaryIO, head: bytes, path: str, options: Mapping[str, Value]) -> Any:
    if head.startswith(b"PAR1"):
        file = pq.ParquetFile(pa.PythonFile(stream, mode="r"))
        refuse_giants(file.metadata.num_rows, file.metadata.num_columns, stream)
        refuse_unfolding(file, stream)
        return file.read()
    if head.startswith(b"ORC"):
        return _orc_file(stream).read()
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        arrow_bounds.refuse_unfolding(stream)
    if head.startswith(b"ARROW1"):
        return pa.ipc.open_file(pa.PythonFile(stream, mode="r")).read_all()
    if head.startswith(b"\xff\xff\xff\xff"):
        return pa.ipc.open_stream(pa.PythonFile(stream, mode="r")).read_all()
    if head.startswith(b"FEA1"):
        raise Unreadable("Feather version 1; write it again as version 2")
    refuse_no_text(path)
    data = stream.read()
    if path.endswith((".jsonl", ".ndjson", ".json")):
        return read_json(data)
    return read_delimited(data, path, options)


def refuse_no_text(path: str) -> None:
    """Raise Unreadable when the bytes of a file by this name begin as those of its format do not, and are no text."""
    for suffixes, name in _BY_MAGIC:
        if path.endswith(suffixes):
            raise Unreadable(f"not {name}: the first bytes are wrong")
    if path.endswith(_NO_READER):
        raise Unreadable(f"no reader for {path[path.rfind('.') :]} files")


def stripes(stream: BinaryIO) -> Iterator[Any]:
    """Yield the tables that follow each other in an ORC file or an Arrow stream; Unreadable for other bytes."""
    head = stream.read(4)
    stream.seek(0)
    if head.startswith(b"ORC"):
        file = _orc_file(stream)
        batches = (file.read_stripe(number) for number in range(file.nstripes))
        schema = file.schema
    else:
        arrow_bounds.refuse_unfolding(stream)
        reader = pa.ipc.open_stream(pa.PythonFile(stream, mode="r"))
        batches, schema = iter(reader), reader.schema
    yield checked(empty(schema))
    for batch in batches:
        yield checked(pa.Table.from_batches([batch], schema=schema))


def _orc_file(stream: BinaryIO) -> Any:
    try:
        import pyarrow.orc as orc
    except ImportError:
        raise Unreadable("this build of pyarrow does not read ORC") from None
    file = orc.ORCFile(pa.PythonFile(stream, mode="r"))
    refuse_giants(file.nrows, len(file.schema), stream)
    return file


def refuse_giants(rows: int, columns: int, stream: BinaryIO) -> None:
    """Unreadable when the header names more cells than the bytes of the file make likely, and memory could hold."""
    size = stream.seek(0, 2)
    if rows * columns > max(_CELLS, size * _CELLS_PER_BYTE):
        raise Unreadable(f"says it has {rows} rows in {size} bytes")


def checked(table: Any, sound: Collection[str] = ()) -> Any:
    """Return the table after a full check of its buffers, in one piece and without extension types.

    Columns that are `sound` were checked before.

    A column of an extension type is its storage: which types are registered depends on what a
    process has imported, and the meaning of a file must not.
    """
    refuse_twins(table.column_names)
    (table.drop_columns(list(sound)) if sound else table).validate(full=True)
    for field in table.schema:
        refuse_deep_type(field.type, field.name)
    columns = [_storage(column) for column in table.columns]
    names = [name or f"column {number + 1}" for number, name in enumerate(table.column_names)]
    refuse_twins(names)
    if not columns:
        raise Unreadable("no columns")
    return pa.table(columns, names=names).combine_chunks()


def _storage(column: Any) -> Any:
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    if pa.types.is_run_end_encoded(column.type):
        column = pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks], column.type.value_type)
    if has(column.type, lambda inner: isinstance(inner, pa.BaseExtensionType)):
        raise Unreadable(f"extension type inside {column.type}")
    if has(column.type, _is_unspelled):
        raise Unreadable(f"decimals that nobody can spell: {column.type}")
    kind = _without_views(column.type)
    return column if kind == column.type else column.cast(kind)


def _without_views(kind: Any) -> Any:
    """Return the type with plain strings for string views, which hardly anything can be done with, at any depth."""
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        return pa.large_string() if pa.types.is_string_view(kind) else pa.large_binary()
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _without_views(kind.value_type), kind.ordered)
    if pa.types.is_struct(kind):
        fields = [kind.field(number) for number in range(kind.num_fields)]
        return pa.struct([field.with_type(_without_views(field.type)) for field in fields])
    for test, remade in (
        (pa.types.is_list, pa.list_), (pa.types.is_large_list, pa.large_list),
        (pa.types.is_list_view, pa.list_view), (pa.types.is_large_list_view, pa.large_list_view),
    ):  # fmt: skip
        if test(kind):
            return remade(kind.value_field.with_type(_without_views(kind.value_type)))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_without_views(kind.value_type)), kind.list_size)
    if pa.types.is_map(kind):
        return pa.map_(_without_views(kind.key_type), _without_views(kind.item_type))
    return kind


def _is_unspelled(kind: Any) -> bool:
    """Whether a type is one of decimals with more places than Arrow makes a text of."""
    return bool(pa.types.is_decimal(kind) and abs(kind.scale) > int((kind.bit_width - 1) * _DIGITS_PER_BIT))


def has(kind: Any, test: Callable[[Any], bool]) -> bool:
    """Whether a type, or one inside it, is of a sort."""
    return test(kind) or any(has(kind.field(number).type, test) for number in range(kind.num_fields))


@contextmanager
def reasons() -> Iterator[None]:
    """Turn what libraries raise for bad bytes into Unreadable; trouble of the disk stays what it is."""
    try:
        yield
    except _COMPLAINTS as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Unreadable(_short(error)) from error


def _short(error: BaseException) -> str:
    lines = str(error).splitlines()
    text = " ".join((lines[0] if lines else type(error).__name__).split())
    for prefix in ("CSV parse error: ", "JSON parse error: ", "Invalid: "):
        text = text.removeprefix(prefix)
    return text if len(text) <= _WORDS else text[: _WORDS - 1] + "…"
