"""Arrays as data: their bytes in one canonical form, a digest of it, and numbers when asked for.

Canonical: little-endian, C order, no padding between fields. So memory layout, byte order and the
way a file stores them make no difference, while every bit of every value does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import blake3

from mlver.kinds.base import Unreadable, Value
from mlver.kinds.models.dtypes import DType, product
from mlver.kinds.models.limits import MAX_MEMORY, SMALL_ARRAY, SMALL_TEXT
from mlver.kinds.models.values import Payload, bytes_of, chunks_of

if TYPE_CHECKING:
    import numpy as np


@dataclass(eq=False, slots=True)
class ArrayData:
    """One array of a model. `data` is its bytes, or the list of its members when it holds objects.

    `stored` is the shape the bytes lie in, `order` C or F, `axes` the transposition that follows.
    """

    dtype: DType
    stored: tuple[int, ...]
    data: Payload | tuple[Any, ...]
    order: str = "C"
    axes: tuple[int, ...] | None = None
    subclass: str = "numpy.ndarray"

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape as Python code sees it."""
        return self.stored if self.axes is None else tuple(self.stored[axis] for axis in self.axes)

    @property
    def count(self) -> int:
        """The number of elements."""
        return product(self.stored)

    @property
    def objects(self) -> tuple[Any, ...] | None:
        """The members in C order when the array holds Python objects, else None."""
        return self.data if isinstance(self.data, tuple) else None

    def _direct(self) -> bool:
        flat = sum(n != 1 for n in self.stored) < 2 or self.order == "C"
        return self.dtype.simple and flat and self.axes is None

    def canonical(self) -> Iterator[bytes]:
        """Yield the canonical bytes in pieces; Unreadable when they cannot be had."""
        if isinstance(self.data, tuple):
            raise Unreadable("an array of objects has no bytes")
        if self._direct():
            yield from chunks_of(self.data)
        elif self.count and self.dtype.size:
            yield self.numpy().tobytes()

    def numpy(self) -> np.ndarray[Any, Any]:
        """Return the array as numpy holds it, little-endian and C-contiguous (special types as raw integers)."""
        import numpy as np

        if isinstance(self.data, tuple):
            raise Unreadable("an array of objects has no numbers")
        if len(self.data) > MAX_MEMORY:
            raise Unreadable(f"an array larger than {MAX_MEMORY >> 30} GiB")
        if not self.count or not self.dtype.size:
            return np.zeros(self.shape if self.count == 0 else (0,), self.dtype.packed())
        flat = np.frombuffer(bytes_of(self.data), self.dtype.numpy())
        if self.dtype.special:
            return flat
        whole = flat.reshape(self.stored, order="F" if self.order == "F" else "C")
        return np.asarray(whole if self.axes is None else whole.transpose(self.axes), self.dtype.packed(), order="C")

    def pieces(self) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the elements, flat and in C order, about a million at a time."""
        import numpy as np

        size = self.dtype.size
        if not (self._direct() and size and not self.dtype.special):
            yield self.numpy().reshape(-1)
            return
        assert not isinstance(self.data, tuple)
        kind = self.dtype.packed()
        rest = b""
        for chunk in chunks_of(self.data):
            rest += chunk
            usable = len(rest) - len(rest) % size
            if usable:
                yield np.frombuffer(rest[:usable], kind)
                rest = rest[usable:]


def describe(array: ArrayData) -> dict[str, Value]:
    """Return the unit value of an array of numbers, text or records: shape, dtype, digest, and values if few.

    Unreadable when numpy cannot make sense of its bytes.
    """
    digest = blake3.blake3()
    try:
        for piece in array.canonical():
            digest.update(piece)
        few = array.count <= SMALL_ARRAY and array.dtype.size <= SMALL_TEXT and array.dtype.kind in "biufSUMm"
        values = _values(array) if few else None
    except (ValueError, TypeError, OverflowError) as error:
        raise Unreadable("an array whose bytes are no values of its dtype") from error
    value: dict[str, Value] = {"shape": list(array.shape), "dtype": array.dtype.name, "digest": digest.hexdigest()}
    if array.subclass not in ("numpy.ndarray", "numpy.memmap"):
        value["class"] = array.subclass
    return value | ({"values": values} if few else {})


def _values(array: ArrayData) -> Value:
    if array.dtype.size == 0 or array.count == 0:
        return []
    values = array.numpy()
    if array.dtype.kind in "Mm":
        return values.astype(str).tolist()
    if array.dtype.kind == "f":
        return values.astype("f8").tolist() if array.dtype.size > 8 else values.tolist()
    if array.dtype.kind == "S":
        return [text.decode("latin-1") for text in values.reshape(-1).tolist()]
    if array.dtype.kind == "U":
        _check_text(values)
    return values.tolist()


def _check_text(values: np.ndarray[Any, Any]) -> None:
    # numpy would raise a bare ValueError for code points that do not exist
    if values.size and int(values.reshape(-1).view("<u4").max()) > 0x10FFFF:
        raise Unreadable("text that is not Unicode")
