"""Datasets of HDF5 that lie in chunks: found through their B-tree, unpacked, put together."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Final

import blake3

from mlver.kinds.base import Unreadable
from mlver.kinds.models.dtypes import DType, product
from mlver.kinds.models.hdf5_reader import Node, Reader
from mlver.kinds.models.hdf5_types import NOWHERE, uint

_DEFLATE, _SHUFFLE, _CHECKSUM = 1, 2, 3
READ: Final = frozenset({_DEFLATE, _SHUFFLE, _CHECKSUM})


def chunk_places(reader: Reader, node: Node) -> Iterator[tuple[tuple[int, ...], int, int, int]]:
    """Yield for each chunk: where it begins in the array, address, stored size, filters that were left out."""
    assert node.layout is not None
    rank = len(node.layout.chunk)
    width = 8 + 8 * rank
    todo = [] if node.layout.address == NOWHERE else [node.layout.address]
    seen = set(todo)
    while todo:
        address = todo.pop()
        head = reader.at(address, 24)
        if head[:4] != b"TREE" or head[4] != 1:
            raise Unreadable("an HDF5 dataset without a tree of chunks")
        level, count = head[5], uint(head, 6, 2)
        raw = reader.at(address + 24, count * (width + 8) + width)
        for at in range(0, count * (width + 8), width + 8):
            child = uint(raw, at + width, 8)
            if child in seen:
                raise Unreadable("an HDF5 tree that leads back to itself")
            seen.add(child)
            if level:
                todo.append(child)
                continue
            begin = tuple(uint(raw, at + 8 + 8 * axis, 8) for axis in range(rank - 1))
            yield begin, child, uint(raw, at, 4), uint(raw, at + 4, 4)


def stored_digest(reader: Reader, node: Node) -> str:
    """Return a digest of the chunks as they are stored, for types and filters that are not read."""
    digest = blake3.blake3()
    for begin, address, size, _ in sorted(chunk_places(reader, node)):
        digest.update(repr(begin).encode() + reader.at(address, size))
    return digest.hexdigest()


def assembled(reader: Reader, node: Node, dtype: DType) -> bytes:
    """Return the bytes of the whole array, little-endian and in C order; what no chunk holds is 0."""
    import numpy as np

    assert node.layout is not None
    assert node.shape is not None
    shape, chunk = node.shape, node.layout.chunk[:-1]
    if len(chunk) != len(shape) or product(node.layout.chunk) > 1 << 31 or node.layout.chunk[-1] != dtype.size:
        raise Unreadable("an HDF5 dataset in chunks of no possible shape")
    kind = dtype.numpy()
    whole: np.ndarray[Any, Any] = np.zeros(shape, kind)
    for begin, address, size, left_out in chunk_places(reader, node):
        filters = [number for at, number in enumerate(node.filters) if not left_out >> at & 1]
        raw = _unpacked(reader.at(address, size), filters, product(chunk) * dtype.size, dtype.size)
        piece = np.frombuffer(raw, kind).reshape(chunk)
        if any(start % step or start >= end for start, step, end in zip(begin, chunk, shape, strict=True)):
            raise Unreadable("an HDF5 chunk outside of its dataset")
        place = tuple(slice(start, start + step) for start, step in zip(begin, chunk, strict=True))
        room = whole[place].shape
        whole[place] = piece[tuple(slice(0, length) for length in room)]
    return whole.astype(kind.newbyteorder("<")).tobytes()


def _unpacked(raw: bytes, filters: list[int], size: int, width: int) -> bytes:
    for number in reversed(filters):
        if number == _CHECKSUM:
            raw = raw[:-4]
        elif number == _SHUFFLE:
            import numpy as np

            raw = np.frombuffer(raw, np.uint8)[: len(raw) // width * width].reshape(width, -1).T.tobytes()
        else:
            try:
                engine = zlib.decompressobj()
                raw = engine.decompress(raw, size + 4)  # a checksum may stand inside
            except zlib.error as error:
                raise Unreadable("an HDF5 chunk that cannot be unpacked") from error
    if len(raw) != size:
        raise Unreadable("an HDF5 chunk of the wrong size")
    return raw
