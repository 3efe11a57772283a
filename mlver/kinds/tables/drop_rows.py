"""A table without some of its rows, in the same format: every row that stays keeps its cells, and in text its bytes."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.kinds.base import CannotEdit, Source, Spec, Unreadable, Value, read_all
from mlver.kinds.edits import Held
from mlver.kinds.tables.edit import RowEdits
from mlver.kinds.tables.edit_parquet import drop_parquet, without_unused
from mlver.kinds.tables.edit_text import write_delimited, write_json, write_jsonlines
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.read import read_table
from mlver.kinds.tables.unpacking import inner_name, is_packed, unpacked
from mlver.kinds.tables.where import parse_where

_LIMIT: Final = 1 << 31  # bytes of a file that is written anew in memory
_PACKERS: Final[dict[bytes, Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": lambda data: gzip.compress(data, mtime=0),
    b"\x28\xb5\x2f\xfd": lambda data: bytes(pa.compress(data, "zstd", asbytes=True)),
    b"BZh": bz2.compress,
}


@frozen
class Dropped:
    """What is left of a file, and how many rows went."""

    data: bytes
    rows: int


def drop_rows(source: Source, spec: Spec, where: str) -> Dropped | None:
    """Return the file without the rows that meet a condition; None when it has none such.

    Raises Unreadable for what is no table, UsageError for a condition that makes no sense of it, CannotEdit for a
    format that cannot be written.
    """
    table = read_table(source, spec.options)
    gone = _meeting(table, where)
    if not len(gone):
        return None
    data = read_all(source, _LIMIT)
    head, path = data[:16], source.path.lower()
    if is_packed(head):
        inside = unpacked(io.BytesIO(data), head, source.size)
        packer = next(packer for magic, packer in _PACKERS.items() if head.startswith(magic))
        left = packer(_left(inside, inner_name(source.path), spec.options, table, gone))
    else:
        left = _left(data, source.path, spec.options, table, gone)
    _confirm(Held(path, left), spec, where, table.num_rows - len(gone))
    return Dropped(left, len(gone))


def count_rows(source: Source, spec: Spec, where: str) -> int:
    """Return how many rows meet a condition; raises as `drop_rows`."""
    return len(_meeting(read_table(source, spec.options), where))


def _meeting(table: Any, where: str) -> Any:
    try:
        mask = parse_where(where, table.schema).mask(table)
    except pa.ArrowException as error:  # a value too large for the type of its column, say
        raise UsageError(f"where: {str(error).splitlines()[0]}") from error
    return np.flatnonzero(np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), dtype=bool))


def _left(data: bytes, path: str, options: Mapping[str, Value], table: Any, gone: Any) -> bytes:
    lower = path.lower()
    if data.startswith(b"PAR1"):
        return drop_parquet(data, gone)
    if data.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return _arrow(data, table, gone)
    if data.startswith((b"ORC", b"FEA1")):
        raise CannotEdit("files of this format are not written")
    edits = RowEdits(gone=frozenset(map(int, gone)))
    if lower.endswith((".jsonl", ".ndjson")):
        return write_jsonlines(data, table, edits)
    if lower.endswith(".json"):
        return write_json(data, table, edits)
    return write_delimited(data, path, options, table, edits)


def _arrow(data: bytes, table: Any, gone: Any) -> bytes:
    kept = without_unused(table.take(np.delete(np.arange(table.num_rows), gone)))
    packed = len(data) < 0.9 * table.nbytes
    options = pa.ipc.IpcWriteOptions(compression="lz4" if packed else None)
    sink = pa.BufferOutputStream()
    make = pa.ipc.new_file if data.startswith(b"ARROW1") else pa.ipc.new_stream
    with make(sink, kept.schema, options=options) as writer:
        writer.write_table(kept)
    return bytes(sink.getvalue())


def _confirm(left: Held, spec: Spec, where: str, rows: int) -> None:
    """Read what was written: it has as many rows as it should, and none that had to go."""
    if rows == 0:
        return
    try:
        table = read_table(left, spec.options)
        met = len(_meeting(table, where))
    except (Unreadable, UsageError) as error:
        raise CannotEdit(f"what is left could not be read: {error}") from None
    if table.num_rows != rows or met:
        raise CannotEdit("what is left is not what it should be")
