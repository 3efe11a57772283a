"""Between Arrow and numpy without pandas.

`pa.array`, `pa.scalar` and `to_numpy` import pandas when it is installed, which takes longer than
most diffs; these few functions work on the buffers instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from mlver.kinds.tables.mixing import Mask, Rows


def positions(rows: Rows) -> Any:
    """Return row positions as an Arrow array, for `take`."""
    rows = np.ascontiguousarray(rows, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(rows)])


def texts(values: Iterable[str | None]) -> Any:
    """Return strings as an Arrow array of large_string."""
    encoded = [None if value is None else value.encode() for value in values]
    lengths = np.array([0] + [len(value or b"") for value in encoded], dtype=np.int64)
    valid = np.packbits(np.array([value is not None for value in encoded], dtype=bool), bitorder="little")
    buffers = [pa.py_buffer(valid), pa.py_buffer(np.cumsum(lengths)), pa.py_buffer(b"".join(v or b"" for v in encoded))]
    return pa.Array.from_buffers(pa.large_string(), len(encoded), buffers)


def empty(schema: Any) -> Any:
    """Return a table of this schema without rows."""
    return pa.Table.from_batches([], schema=schema)


def no_value(kind: Any) -> Any:
    """Return the null scalar of a type."""
    return pa.nulls(1, kind)[0]


def one(value: int | float | str) -> Any:
    """Return an int64, a double or a text as an Arrow scalar."""
    if isinstance(value, str):
        return texts([value])[0]
    kind = pa.int64() if isinstance(value, int) else pa.float64()
    return pa.Array.from_buffers(kind, 1, [None, pa.py_buffer(np.array([value]))])[0]


def as_array(scalar: Any) -> Any:
    """Return an Arrow array that holds one Arrow scalar."""
    return pa.nulls(1, scalar.type).fill_null(scalar) if scalar.is_valid else pa.nulls(1, scalar.type)


def fixed(array: Any, dtype: np.dtype[Any] | type, fill: Any = None) -> Any:
    """Return fixed-width values as numpy sees them; `fill` stands for nulls (None: anything at all)."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(len(array), dtype=dtype)
    values = np.frombuffer(buffer, dtype=dtype, count=array.offset + len(array))[array.offset :]
    if fill is not None and array.null_count:
        values = values.copy()
        values[missing(array)] = fill
    return values


def bits(array: Any) -> Mask:
    """Return a boolean array as numpy sees it, False for nulls."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(len(array), dtype=bool)
    end = array.offset + len(array)
    packed = np.frombuffer(buffer, dtype=np.uint8)
    values: Mask = np.unpackbits(packed, count=end, bitorder="little")[array.offset :].view(bool)
    if array.null_count:
        values &= present(array)
    return values


def present(array: Any) -> Mask:
    """Return where an array has values."""
    buffer = array.buffers()[0]
    if buffer is None or not array.null_count:  # a type that keeps no bits, or nothing is missing
        return ~missing(array)
    packed = np.frombuffer(buffer, dtype=np.uint8)
    there: Mask = np.unpackbits(packed, count=array.offset + len(array), bitorder="little")[array.offset :].view(bool)
    return there


def missing(array: Any) -> Mask:
    """Return where an array has nulls."""
    if not array.null_count:
        return np.zeros(len(array), dtype=bool)
    return bits(array.is_null())  # which has no nulls itself


def same_bytes(a: Any, b: Any) -> bool:
    """Whether two arrays are the same by the look of their buffers; False says nothing."""
    if len(a) != len(b) or a.offset or b.offset or a.type != b.type:
        return False
    return all(_alike(one, two) for one, two in zip(a.buffers(), b.buffers(), strict=True))


def _alike(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    return (a.address == b.address and a.size == b.size) or bool(a.equals(b))


def within(indices: Any, size: int) -> bool:
    """Whether all whole numbers of an array, also below its nulls, are from 0 to below `size`."""
    values = fixed(indices, np.dtype(str(indices.type)))
    return not len(values) or bool(values.min() >= 0 and values.max() < size)
