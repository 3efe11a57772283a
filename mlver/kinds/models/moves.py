"""How far the arrays of a model moved between two versions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from mlver.frozen import frozen
from mlver.kinds.base import Unreadable
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.limits import CHUNK

if TYPE_CHECKING:
    import numpy as np

_FLOATS: Final = {  # special name: exponent bits, mantissa bits, bias, infinities as in IEEE, unsigned zero only
    "float8_e4m3fn": (4, 3, 7, False, False), "float8_e5m2": (5, 2, 15, True, False),
    "float8_e4m3fnuz": (4, 3, 8, False, True), "float8_e5m2fnuz": (5, 2, 16, False, True),
}  # fmt: skip


@frozen
class Move:
    """The way of one array. `relative` is the L2 norm of the change over the old norm; None where there is
    no such number: another shape, values that are no numbers, or an old norm of zero.
    """

    path: str
    shape: str
    l2: float | None = None
    relative: float | None = None
    largest: float | None = None
    unchanged: float | None = None  # fraction of elements
    nans: tuple[int, int] = (0, 0)  # how many elements are NaN, before and after
    infs: tuple[int, int] = (0, 0)  # how many are infinite

    @property
    def spoilt(self) -> int:
        """How many more elements are NaN or infinite than before."""
        return max(0, self.nans[1] - self.nans[0]) + max(0, self.infs[1] - self.infs[0])

    @property
    def rank(self) -> tuple[int, float, str]:
        """Sorts the arrays that moved most to the front; arrays of another shape come first of all."""
        if self.relative is not None:
            return (1, -self.relative if self.relative == self.relative else 0.0, self.path)
        return (0, -(self.l2 or 0.0), self.path)


def measure(path: str, old: ArrayData, new: ArrayData) -> Move:
    """Return how far `new` is from `old`. NaN in both at one place counts as unchanged there; a place that is
    not finite on one side counts as changed and is left out of the norms.
    """
    if old.shape != new.shape:
        return Move(path, f"{shape_text(old.shape)} → {shape_text(new.shape)}")
    shape = shape_text(new.shape)
    if old.objects is not None or new.objects is not None or not new.count:
        return Move(path, shape, unchanged=_same_objects(old, new))
    try:
        return _measure(path, shape, old, new)
    except (ValueError, TypeError) as error:  # numpy could not make sense of the bytes
        raise Unreadable(f"the values of {path} cannot be compared") from error


def _measure(path: str, shape: str, old: ArrayData, new: ArrayData) -> Move:
    import numpy as np

    count = equal = 0
    square = base = largest = 0.0
    numbers = True
    odd = [0, 0, 0, 0]
    with np.errstate(all="ignore"):
        for a, b in _pairs(old.pieces(), new.pieces()):
            count += len(a)
            x, y = _numbers(a, old), _numbers(b, new)
            if x is None or y is None:
                numbers = False
                equal += int(np.count_nonzero(a == b)) if a.dtype == b.dtype else 0
                continue
            same, change, size, far = _sums(x, y)
            equal, square, base, largest = equal + same, square + change, base + size, max(largest, far)
            odd = [count + more for count, more in zip(odd, _odd(x, y), strict=True)]
    unchanged = equal / count if count else None
    if not numbers:
        return Move(path, shape, unchanged=unchanged)
    relative = math.sqrt(square) / math.sqrt(base) if base and math.isfinite(base) else None
    return Move(path, shape, math.sqrt(square), relative, largest, unchanged, (odd[0], odd[1]), (odd[2], odd[3]))


def _odd(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> tuple[int, int, int, int]:
    """Return how many elements are NaN in `x` and `y`, and how many infinite."""
    import numpy as np

    if np.isfinite(x.sum()) and np.isfinite(y.sum()):  # the usual case, at a third of the price
        return 0, 0, 0, 0
    a, b = (int(np.count_nonzero(np.isnan(piece))) for piece in (x, y))
    c, d = (int(np.count_nonzero(np.isinf(piece))) for piece in (x, y))
    return a, b, c, d


def _sums(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> tuple[int, float, float, float]:
    """Return the number of equal elements, the squared norms of the change and of `x`, and the largest change."""
    import numpy as np

    if x.ndim == 1 and x.dtype.kind == "f" and x.shape == y.shape:
        step = y - x
        square, base = float(step @ step), float(x @ x)
        if math.isfinite(square) and math.isfinite(base):  # then every element is: the usual case, four times as fast
            far = max(float(step.max(initial=0.0)), -float(step.min(initial=0.0)))
            return len(x) - int(np.count_nonzero(step)), square, base, far
    same = (x == y) | ((x != x) & (y != y))
    change = np.abs(y - x)[~same]
    change = change[np.isfinite(change)]
    size = np.abs(x[np.isfinite(x)])
    equal = int(np.count_nonzero(same.reshape((len(x), -1)).all(axis=1)))
    return equal, float(np.sum(change * change)), float(np.sum(size * size)), float(change.max(initial=0.0))


def _pairs(old: Iterator[np.ndarray[Any, Any]], new: Iterator[np.ndarray[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    """Yield pieces of equal length from two sequences of pieces."""
    a = b = None
    while True:
        a = next(old, None) if a is None or not len(a) else a
        b = next(new, None) if b is None or not len(b) else b
        if a is None or b is None:
            return
        size = min(len(a), len(b), CHUNK)
        yield a[:size], b[:size]
        a, b = a[size:], b[size:]


def _numbers(piece: np.ndarray[Any, Any], array: ArrayData) -> np.ndarray[Any, Any] | None:
    """Return the piece as float64 (complex128 for complex numbers), records as their numeric fields; else None."""
    import numpy as np

    dtype = array.dtype
    if dtype.special:
        return _special(piece, dtype.special)
    if dtype.fields:
        columns = [piece[name] for name, inner, _ in dtype.fields if inner.kind in "biuf"]
        if len(columns) != len(dtype.fields):
            return None
        return np.stack([column.astype("f8") for column in columns], axis=1)
    if piece.dtype.kind == "c":
        return piece.astype("c16")
    return piece.astype("f8") if piece.dtype.kind in "biuf" else None


def _special(piece: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any] | None:
    import numpy as np

    if name == "bfloat16":  # the upper half of a float32
        return (piece.astype("<u4") << np.uint32(16)).view("<f4").astype("f8")
    if name == "float8_e8m0fnu":
        return np.where(piece == 255, np.nan, np.exp2(piece.astype("f8") - 127))
    if name not in _FLOATS:
        return None
    exponent_bits, mantissa_bits, bias, ieee, unsigned_zero = _FLOATS[name]
    codes = np.arange(256)
    sign = np.where(codes >> 7, -1.0, 1.0)
    exponent = (codes >> mantissa_bits) & ((1 << exponent_bits) - 1)
    fraction = (codes & ((1 << mantissa_bits) - 1)) / (1 << mantissa_bits)
    table = sign * np.where(
        exponent == 0, fraction * 2.0 ** (1 - bias), (1 + fraction) * np.exp2(exponent.astype("f8") - bias)
    )
    if ieee:
        top = exponent == (1 << exponent_bits) - 1
        table = np.where(top, np.where(fraction == 0, sign * np.inf, np.nan), table)
    elif unsigned_zero:
        table[0x80] = np.nan
    else:
        table[[0x7F, 0xFF]] = np.nan
    values: np.ndarray[Any, Any] = table[piece]
    return values


def _same_objects(old: ArrayData, new: ArrayData) -> float | None:
    if old.objects is None or new.objects is None or not new.objects:
        return None
    from mlver.kinds.models.scalars import Plain

    plain = Plain()
    equal: int = sum(plain.scalar(a) == plain.scalar(b) for a, b in zip(old.objects, new.objects, strict=True))
    return equal / len(new.objects)


def shape_text(shape: tuple[int, ...]) -> str:
    """Return `100x30`, `scalar` for a shape without dimensions."""
    return "x".join(map(str, shape)) or "scalar"
