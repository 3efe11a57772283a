"""The header of a `.npy` file: what it says, and whether the bytes bear it out.

Never `numpy.load`: it would run code for arrays of objects. Read by numpy's own header functions, which
take nothing but literals.
"""

from __future__ import annotations

import ast
import math
import tokenize
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.lib import format as npy

from mlver.frozen import frozen
from mlver.kinds.base import Unreadable

MAGIC: Final = b"\x93NUMPY"
_BYTES: Final = 1 << 33  # of one array
_HEADER: Final = 1 << 16
_KEYS: Final = {"descr", "fortran_order", "shape"}
_COMPLAINTS = (
    ValueError, TypeError, KeyError, SyntaxError, MemoryError, RecursionError, OverflowError, tokenize.TokenError,
)  # fmt: skip


@frozen
class Header:
    """What an array is: `dtype` as stored, `shape`, and whether the first axis runs fastest."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool

    @property
    def size(self) -> int:
        """The bytes of its values."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: BinaryIO) -> Header:
    """Return the header at the start of `stream`, which then stands at the first value; Unreadable when malformed."""
    try:
        version = npy.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = npy.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran, dtype = npy.read_array_header_2_0(stream)
        elif version == (3, 0):
            shape, fortran, dtype = _version_3(stream)
        else:
            raise Unreadable(f"version {version[0]}.{version[1]} of the format is not known")
    except _COMPLAINTS as error:
        raise Unreadable(f"no array: {str(error).splitlines()[0] if str(error) else 'malformed header'}") from error
    if any(isinstance(n, bool) or n < 0 for n in shape) or len(shape) > 32:
        raise Unreadable("no array: the shape makes no sense")
    return Header(dtype, tuple(shape), bool(fortran))


def _version_3(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Version 3.0 differs from 2.0 in one thing: the header is UTF-8. numpy has no public reader of it."""
    length = int.from_bytes(stream.read(4), "little")
    if length > _HEADER:
        raise ValueError("the header is too long")
    said = ast.literal_eval(stream.read(length).decode())
    if not isinstance(said, dict) or said.keys() != _KEYS or not isinstance(said["shape"], tuple):
        raise ValueError("malformed header")
    if not all(isinstance(n, int) for n in said["shape"]):
        raise ValueError("malformed shape")
    dtype: np.dtype[Any] = npy.descr_to_dtype(said["descr"])
    return said["shape"], said["fortran_order"] is True, dtype


def read_values(stream: BinaryIO, header: Header, left: int) -> np.ndarray[Any, Any]:
    """Return the array in the `left` bytes that `stream` has after its header.

    Unreadable when it holds Python objects, and when there are more or fewer bytes than the header says.
    """
    if header.dtype.hasobject:
        raise Unreadable("the array holds Python objects, and only running code could read them")
    if header.size != left:
        kind = "ends early" if left < header.size else "holds more than its header says"
        raise Unreadable(f"{kind}: {left} bytes of values, {header.size} by the header")
    if header.size > _BYTES:
        raise Unreadable(f"an array larger than {_BYTES >> 30} GiB")
    data = stream.read(left)
    if len(data) != left:
        raise Unreadable("ends early")
    try:
        if not data:
            return np.zeros(header.shape if 0 in header.shape else (0,), header.dtype)
        return np.frombuffer(data, header.dtype).reshape(header.shape, order="F" if header.fortran else "C")
    except _COMPLAINTS as error:
        raise Unreadable("the values do not fit the shape") from error
