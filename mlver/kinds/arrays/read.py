"""The arrays in a `.npy` or `.npz` file, by name."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO, Final, cast

import numpy as np
from blake3 import blake3

from mlver.kinds.arrays.describe import describe, type_text
from mlver.kinds.arrays.header import MAGIC, read_header, read_values
from mlver.kinds.base import Source, Units, Unreadable, Value
from mlver.kinds.tables.unpacking import most_of

ZIP: Final = b"PK\x03\x04"
ONLY: Final = "array"  # the name of the one array of a .npy file
_MEMBERS: Final = 10_000
_DAMAGED: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError, RuntimeError,
    ValueError, OverflowError,
)  # fmt: skip
_BLOCK: Final = 1 << 20


class ArrayUnits(Units):
    """One unit per array: dtype, shape, digest and what its numbers look like. `arrays` holds the values."""

    def __init__(self, items: Mapping[str, Value], arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        super().__init__(items)
        self.arrays = arrays


def is_array_file(path: str, head: bytes) -> bool:
    """Whether a file is read here: by its first bytes, or by a name that promises arrays."""
    return head.startswith(MAGIC) or path.lower().endswith((".npy", ".npz"))


def read_arrays(source: Source) -> ArrayUnits:
    """Return the arrays of a file; Unreadable with the reason when there are none to be read."""
    if source.size == 0:
        raise Unreadable("empty file")
    with source.open() as stream:
        head = stream.read(len(MAGIC))
        stream.seek(0)
        if head.startswith(MAGIC):
            array = _only(stream, source.size)
            return ArrayUnits({ONLY: describe(array)}, {ONLY: array})
        if not head.startswith(ZIP):
            raise Unreadable("not an array file: the first bytes are wrong")
        try:
            return _of_zip(stream, source.size)
        except _DAMAGED as error:
            raise Unreadable(f"damaged: {error}") from error


def _only(stream: BinaryIO, size: int) -> np.ndarray[Any, Any]:
    header = read_header(stream)
    return read_values(stream, header, size - stream.tell())


def _of_zip(stream: BinaryIO, size: int) -> ArrayUnits:
    items: dict[str, Value] = {}
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        if len(members) > _MEMBERS:
            raise Unreadable(f"more than {_MEMBERS} arrays")
        most = most_of(size)
        if sum(member.file_size for member in members) > most:
            raise Unreadable(f"unpacks to more than {most >> 20} MiB, far more than its {size} bytes allow")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if name in items:
                raise Unreadable(f"two arrays are called {name}")
            with archive.open(member) as opened:
                items[name] = _member(name, cast(BinaryIO, opened), member.file_size, arrays)
    return ArrayUnits(items, arrays)


def _member(name: str, stream: BinaryIO, size: int, arrays: dict[str, np.ndarray[Any, Any]]) -> Value:
    try:
        header = read_header(stream)
        if header.dtype.hasobject:  # compared by its bytes, so that it does not hide the arrays beside it
            return {"dtype": type_text(header.dtype), "shape": list(header.shape), "digest": _digest(stream)}
        arrays[name] = read_values(stream, header, size - stream.tell())
        return describe(arrays[name])
    except Unreadable as reason:
        raise Unreadable(f"{name}: {reason}") from None


def _digest(stream: BinaryIO) -> str:
    hasher = blake3()
    while block := stream.read(_BLOCK):
        hasher.update(block)
    return hasher.hexdigest()
