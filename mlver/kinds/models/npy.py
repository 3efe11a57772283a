"""numpy's `.npy` files, as members of other files: a header that is a Python literal, then the bytes.

The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. The header is read
with `ast.literal_eval`, which builds plain data only, and only when it is short.
"""

from __future__ import annotations

import ast
from typing import Any, Final

from mlver.kinds.base import Source, Unreadable
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.dtypes import DType, checked_shape, parse_code, product, with_state
from mlver.kinds.models.parts import payload
from mlver.kinds.models.values import Call, Pairs, Symbol

_MAX_HEADER: Final = 10_000  # as numpy itself has it


def read_npy(source: Source) -> ArrayData:
    """Return the array of the file; Unreadable when it holds objects or is no `.npy` file."""
    with source.open() as stream:
        start = stream.read(8)
        if len(start) < 8 or start[:6] != b"\x93NUMPY" or start[6] not in (1, 2, 3):
            raise Unreadable("not an array of numpy")
        width = 2 if start[6] == 1 else 4
        length = int.from_bytes(stream.read(width), "little")
        if length > _MAX_HEADER:
            raise Unreadable("an array with an endless header")
        raw = stream.read(length)
    offset = 8 + width + length
    try:
        header = ast.literal_eval(raw.decode("utf-8" if start[6] == 3 else "latin-1").strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError) as error:
        raise Unreadable("an array whose header cannot be read") from error
    if not isinstance(header, dict) or set(header) != {"descr", "fortran_order", "shape"}:
        raise Unreadable("an array whose header cannot be read")
    dtype, shape = _dtype(header["descr"]), checked_shape(header["shape"])
    if dtype is None or shape is None or dtype.has_objects or type(header["fortran_order"]) is not bool:
        raise Unreadable("an array of a type that is not read")
    size = product(shape) * dtype.size
    if source.size - offset != size:
        raise Unreadable("an array whose shape does not fit its bytes")
    return ArrayData(dtype, shape, payload(source, offset, size), "F" if header["fortran_order"] else "C")


def _dtype(descr: Any) -> DType | None:
    """Return the type for a `descr`: a code, or a list of fields (without nesting, sizes packed)."""
    if isinstance(descr, str):
        code, _, unit = descr.partition("[")
        dtype = parse_code(code)
        if dtype is None or not unit:
            return dtype
        meta = (None, (unit.removesuffix("]").lstrip("0123456789").encode(), _leading(unit), 1, 1))
        return with_state(dtype, (4, dtype.order, None, None, None, -1, -1, 0, meta))
    if not isinstance(descr, list) or not descr or len(descr) > 4096:
        return None
    names, table, at = [], [], 0
    for field in descr:
        if not isinstance(field, tuple) or len(field) not in (2, 3) or not isinstance(field[0], str):
            return None
        inner = parse_code(field[1]) if isinstance(field[1], str) else None
        if inner is not None and len(field) == 3:
            given = ((Call(Symbol("numpy.dtype"), value=inner)), field[2])
            inner = with_state(DType("V", 0, "|"), (3, "|", given, None, None, 0, 1, 0))
        if inner is None:
            return None
        if field[0]:  # padding has no name
            names.append(field[0])
            table.append((field[0], (Call(Symbol("numpy.dtype"), value=inner), at)))
        at += inner.size
    return with_state(DType("V", at, "|"), (3, "|", None, tuple(names), Pairs(table), at, 1, 0))


def _leading(unit: str) -> int:
    digits = unit[: len(unit) - len(unit.lstrip("0123456789"))]
    return int(digits) if digits and len(digits) < 10 else 1
