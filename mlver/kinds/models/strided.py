"""Arrays that lie in a larger stretch of bytes with steps between their elements, as PyTorch's do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mlver.frozen import frozen
from mlver.kinds.base import Unreadable
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.dtypes import DType, product
from mlver.kinds.models.limits import CHUNK, MAX_MEMORY
from mlver.kinds.models.parts import MemorySource
from mlver.kinds.models.values import Payload, Span, bytes_of

_NOWHERE: Final = MemorySource("", b"")


@frozen
class Gathered(Span):
    """Bytes that have to be put in order first: elements of `shape` with `steps` between them, or turned round.

    `offset` and `size` of the base class are those of the result; `data` is the whole storage,
    `first` and `steps` count elements of `width` bytes, `swap` is the width in which bytes are turned.
    """

    data: Payload = b""
    first: int = 0
    shape: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    width: int = 1
    swap: int = 1

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in pieces of at most 1 MiB."""
        whole = self.bytes()
        for at in range(0, len(whole), CHUNK):
            yield whole[at : at + CHUNK]

    def bytes(self) -> bytes:
        """Return the bytes in C order, little-endian; Unreadable when they are too many to hold."""
        import numpy as np
        from numpy.lib.stride_tricks import as_strided

        if self.size > MAX_MEMORY or len(self.data) > MAX_MEMORY:
            raise Unreadable(f"an array larger than {MAX_MEMORY >> 30} GiB")
        raw = np.frombuffer(bytes_of(self.data), np.uint8)[self.first * self.width :]
        strides = (*(step * self.width for step in self.steps), 1)
        array: np.ndarray[Any, Any] = as_strided(raw, (*self.shape, self.width), strides, writeable=False)
        if self.swap > 1:
            array = np.ascontiguousarray(array).reshape(-1, self.swap)[:, ::-1]
        return array.tobytes()


def strided(dtype: DType, storage: Payload, first: int, shape: tuple[int, ...], steps: tuple[int, ...]) -> ArrayData:
    """Return the array at element `first` of `storage`; Unreadable when any element would lie outside of it.

    The array's dtype is little-endian whatever `dtype` says: its bytes are turned round where needed.
    """
    width, count = dtype.size, product(shape)
    little = dtype if dtype.order != ">" else DType(dtype.kind, width, special=dtype.special)
    if not count:
        return ArrayData(little, shape, b"")
    last = first + sum((size - 1) * step for size, step in zip(shape, steps, strict=True))
    if (last + 1) * width > len(storage):
        raise Unreadable("a tensor that reaches beyond its storage")
    if count * width > max(len(storage), CHUNK << 6):
        raise Unreadable("a tensor that is larger than its storage")
    swap = 1 if dtype.order != ">" or width == 1 else width // 2 if dtype.kind == "c" else width
    if swap == 1 and _in_order(shape, steps):
        data = _cut(storage, first * width, count * width)
    else:
        data = Gathered(_NOWHERE, 0, count * width, storage, first, shape, steps, width, swap)
    return ArrayData(little, shape, data)


def _in_order(shape: tuple[int, ...], steps: tuple[int, ...]) -> bool:
    expected = 1
    for size, step in zip(reversed(shape), reversed(steps), strict=True):
        if size != 1 and step != expected:
            return False
        expected *= size
    return True


def _cut(data: Payload, start: int, size: int) -> Payload:
    if isinstance(data, Span) and not isinstance(data, Gathered):
        return Span(data.source, data.offset + start, size)
    return bytes_of(data)[start : start + size]
