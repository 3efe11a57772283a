"""Bytes -> an Arrow table, whatever the format: Parquet, CSV/TSV, JSONL, Arrow IPC, Feather; gzip around text."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlver.kinds.base import Source, Spec, Unreadable, Value
from mlver.kinds.tables.delimited import read_delimited
from mlver.kinds.tables.jsonlines import read_json
from mlver.kinds.tables.values import plain, refuse_twins
from mlver.kinds.tables.where import parse_where

_GZIP: Final = b"\x1f\x8b"
_UNPACKED_LIMIT = 1 << 33  # bytes a gzip file may unfold to
_COMPLAINTS = (pa.ArrowException, OSError, EOFError, zlib.error, ValueError, MemoryError, OverflowError)
_BY_MAGIC: Final = (((".parquet", ".pq"), "Parquet"), ((".arrow", ".feather", ".ipc"), "Arrow"))
_NO_READER: Final = (".npy", ".npz", ".orc", ".avro", ".h5", ".hdf5")
_WORDS = 100  # characters of a library's complaint worth passing on


def read_table(source: Source, options: Mapping[str, Value]) -> Any:
    """Return the table in `source`; Unreadable, with the reason in a few words, when there is none."""
    if source.size == 0:
        raise Unreadable("empty file")
    with source.open() as stream, _reasons():
        head = stream.read(16)
        stream.seek(0)
        table = _by_magic(stream, head, source.path.lower(), options)
        table = _checked(table)
    return table


def read_rows(source: Source, spec: Spec, where: str | None = None, limit: int = 20) -> list[dict[str, Value]]:
    """Return the first `limit` rows as dicts of plain values; `where` is a condition (see where.py).

    A Parquet file without a condition is read no further than the rows asked for.
    Raises Unreadable, and UsageError for a condition that makes no sense.
    """
    table = _parquet_head(source, limit) if where is None else None
    if table is None:
        table = read_table(source, spec.options)
    if where is not None:
        table = table.filter(parse_where(where, table.schema))
    table = table.slice(0, limit)
    columns = [plain(column) for column in table.columns]
    return [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def _parquet_head(source: Source, limit: int) -> Any:
    with source.open() as stream, _reasons():
        if source.size < 4 or stream.read(4) != b"PAR1":
            return None
        stream.seek(0)
        file = pq.ParquetFile(pa.PythonFile(stream, mode="r"))
        batch = next(file.iter_batches(batch_size=max(limit, 1)), None)
        return None if batch is None else _checked(pa.Table.from_batches([batch]))


def _by_magic(stream: BinaryIO, head: bytes, path: str, options: Mapping[str, Value]) -> Any:
    if head.startswith(b"PAR1"):
        return pq.ParquetFile(pa.PythonFile(stream, mode="r")).read()
    if head.startswith(b"ARROW1"):
        return pa.ipc.open_file(pa.PythonFile(stream, mode="r")).read_all()
    if head.startswith(b"\xff\xff\xff\xff"):
        return pa.ipc.open_stream(pa.PythonFile(stream, mode="r")).read_all()
    if head.startswith(b"FEA1"):
        raise Unreadable("Feather version 1; write it again as version 2")
    for suffixes, name in _BY_MAGIC:
        if path.endswith(suffixes):
            raise Unreadable(f"not {name}: the first bytes are wrong")
    if path.endswith(_NO_READER):
        raise Unreadable(f"no reader for {path[path.rfind('.') :]} files")
    data = _unzipped(stream) if head.startswith(_GZIP) else stream.read()
    if path.removesuffix(".gz").endswith((".jsonl", ".ndjson", ".json")):
        return read_json(data)
    return read_delimited(data, path, options)


def _unzipped(stream: BinaryIO) -> bytes:
    parts, total = [], 0
    with gzip.GzipFile(fileobj=stream) as unpacked:
        while part := unpacked.read(1 << 24):
            total += len(part)
            if total > _UNPACKED_LIMIT:
                raise Unreadable("unpacks to more than 8 GiB")
            parts.append(part)
    if not total:
        raise Unreadable("empty file")
    return b"".join(parts)


def _checked(table: Any) -> Any:
    """Return the table after a full check of its buffers, in one piece and without extension types.

    A column of an extension type is its storage: which types are registered depends on what a
    process has imported, and the meaning of a file must not.
    """
    table.validate(full=True)
    refuse_twins(table.column_names)
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
    kind = column.type
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        column = column.cast(pa.large_string() if pa.types.is_string_view(kind) else pa.large_binary())
    if _has_extension(column.type):
        raise Unreadable(f"extension type inside {column.type}")
    return column


def _has_extension(kind: Any) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return True
    return any(_has_extension(kind.field(number).type) for number in range(kind.num_fields))


@contextmanager
def _reasons() -> Iterator[None]:
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
