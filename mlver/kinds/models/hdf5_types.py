"""HDF5's messages on the form of data: element types, shapes, where the bytes lie, how they were packed.

The numbers are those of the HDF5 File Format Specification, version 3.0, chapter IV.A.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mlver.frozen import frozen
from mlver.kinds.base import Unreadable
from mlver.kinds.models.dtypes import DType
from mlver.kinds.models.limits import MAX_NDIM

NOWHERE: Final = 0xFFFFFFFFFFFFFFFF
_FLOATS: Final = {(2, 5, 10): "f", (4, 8, 23): "f", (8, 11, 52): "f", (2, 8, 7): "bfloat16"}


class Newer(Exception):
    """The file uses a layout that only newer HDF5 libraries write on request, and that is not read here."""


@frozen
class Type:
    """An element type: numbers have a `dtype`, text a `text` (fixed or variable), all others only a size."""

    size: int
    dtype: DType | None = None
    text: str = ""
    name: str = ""


@frozen
class Layout:
    """Where the bytes of a dataset lie: `address` of all, or of the tree of its chunks, or the bytes themselves."""

    form: str
    address: int = NOWHERE
    size: int = 0
    chunk: tuple[int, ...] = ()
    data: bytes = b""


def uint(raw: bytes, at: int, width: int) -> int:
    """Return a little-endian number; Unreadable when the message is too short for it."""
    if at + width > len(raw):
        raise Unreadable("an HDF5 message that is cut short")
    return int.from_bytes(raw[at : at + width], "little")


def shape_of(raw: bytes) -> tuple[int, ...] | None:
    """Return the dimensions a dataspace message gives; None for one that holds nothing."""
    version, rank, flags = uint(raw, 0, 1), uint(raw, 1, 1), uint(raw, 2, 1)
    if version not in (1, 2) or rank > MAX_NDIM or flags > 3:
        raise Newer
    if version == 2 and uint(raw, 3, 1) == 2:
        return None
    start = 8 if version == 1 else 4
    shape = tuple(uint(raw, start + 8 * axis, 8) for axis in range(rank))
    if any(size >= 1 << 60 for size in shape):
        raise Unreadable("an HDF5 dataset with an impossible shape")
    return shape


def type_of(raw: bytes) -> Type:
    """Return the type a datatype message gives."""
    kind, bits, size = uint(raw, 0, 1) & 15, uint(raw, 1, 3), uint(raw, 4, 4)
    if not size:
        raise Unreadable("an HDF5 type of no size")
    order = ">" if bits & 1 else "<"
    if kind == 0 and size in (1, 2, 4, 8):
        whole = uint(raw, 8, 2) == 0 and uint(raw, 10, 2) == 8 * size
        return Type(size, DType("i" if bits & 8 else "u", size, order) if whole else None, name="integer")
    if kind == 1:
        word = _FLOATS.get((size, uint(raw, 13, 1), uint(raw, 15, 1))) if not bits & 64 else None
        if word == "bfloat16":
            return Type(size, DType("x", 2, special=word) if order == "<" else None, name="float")
        return Type(size, DType("f", size, order) if word else None, name="float")
    if kind == 3:
        return Type(size, text="fixed", name="text")
    if kind == 8:  # named numbers, h5py's booleans among them
        return Type(size, type_of(raw[8:]).dtype, name="names")
    if kind == 9 and bits & 15 == 1 and size == 16:
        return Type(size, text="variable", name="text")
    return Type(size, name={2: "time", 4: "bits", 5: "opaque", 6: "records", 7: "references", 9: "lists", 10: "arrays"}
                .get(kind, "unknown"))  # fmt: skip


def layout_of(raw: bytes) -> Layout:
    """Return what a data layout message says."""
    version, kind = uint(raw, 0, 1), uint(raw, 1, 1)
    if version != 3:
        raise Newer
    if kind == 0:
        size = uint(raw, 2, 2)
        if len(raw) < 4 + size:
            raise Unreadable("an HDF5 message that is cut short")
        return Layout("compact", size=size, data=raw[4 : 4 + size])
    if kind == 1:
        return Layout("contiguous", uint(raw, 2, 8), uint(raw, 10, 8))
    if kind != 2:
        raise Newer
    rank = uint(raw, 2, 1)
    if not 2 <= rank <= MAX_NDIM + 1:
        raise Unreadable("an HDF5 dataset in chunks of no possible shape")
    chunk = tuple(uint(raw, 11 + 4 * axis, 4) for axis in range(rank))
    if not all(chunk):
        raise Unreadable("an HDF5 dataset in chunks of no possible shape")
    return Layout("chunked", uint(raw, 3, 8), chunk=chunk)


def filters_of(raw: bytes) -> Sequence[int]:
    """Return the numbers of the filters that packed the chunks, in the order they were used."""
    version, count = uint(raw, 0, 1), uint(raw, 1, 1)
    if version not in (1, 2) or count > 32:
        raise Newer
    at, found = 8 if version == 1 else 2, []
    for _ in range(count):
        number = uint(raw, at, 2)
        found.append(number)
        named = version == 1 or number >= 256
        name = uint(raw, at + 2, 2) if named else 0
        values = uint(raw, at + (6 if named else 4), 2)
        at += (8 if named else 6) + (-(-name // 8) * 8 if version == 1 else name) + 4 * values
        at += 4 if version == 1 and values % 2 else 0
    return found
