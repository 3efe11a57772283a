"""What one array looks like: type, shape, digest, range, missing values."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from blake3 import blake3

from mlver.kinds.base import Unreadable, Value

_FEW: Final = 8  # values that are listed one by one


def type_text(dtype: np.dtype[Any]) -> str:
    """Return the name of an element type without its byte order: `float32`, `datetime64[ns]`, `{x: int64, y: str4}`."""
    if dtype.names is not None and dtype.fields is not None:
        return "{" + ", ".join(f"{name}: {type_text(dtype.fields[name][0])}" for name in dtype.names) + "}"
    if dtype.subdtype is not None:
        return f"{type_text(dtype.subdtype[0])}{list(dtype.subdtype[1])}"
    if dtype.kind in "US":
        return f"{'str' if dtype.kind == 'U' else 'bytes'}{dtype.itemsize // (4 if dtype.kind == 'U' else 1)}"
    return dtype.name


def shape_text(shape: Any) -> str:
    """Return `100x30`; `scalar` for a shape without dimensions."""
    return "x".join(map(str, shape)) or "scalar"


def canonical(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the same values little-endian, in C order and without padding: layout is no meaning."""
    dtype = array.dtype.newbyteorder("<")
    if dtype.names is not None:
        from numpy.lib.recfunctions import repack_fields  # brings numpy.ma, which hardly any array needs

        dtype = repack_fields(np.zeros(0, dtype), recurse=True).dtype
    return np.ascontiguousarray(array.astype(dtype, copy=False)).reshape(array.shape)


def describe(array: np.ndarray[Any, Any]) -> dict[str, Value]:
    """Return `dtype`, `shape`, `digest` (BLAKE3 of the canonical bytes) and, where they mean something, `min`,
    `max`, `mean`, `nulls` (NaN or NaT, left out of the rest) and the `values` of a very small array.
    """
    try:
        plain = canonical(array)
        digest = blake3(
            plain.data.cast("B") if plain.size and plain.dtype.kind in "biufc" else plain.tobytes()
        ).hexdigest()
    except (ValueError, TypeError) as error:
        raise Unreadable("an array whose bytes are no values of its type") from error
    said: dict[str, Value] = {"dtype": type_text(array.dtype), "shape": list(array.shape), "digest": digest}
    if array.dtype.kind not in "biufmM" or not array.size:
        return said
    with np.errstate(all="ignore"):
        return said | _numbers(plain)


def _numbers(array: np.ndarray[Any, Any]) -> dict[str, Value]:
    kind = array.dtype.kind
    missing = np.isnat(array) if kind in "mM" else np.isnan(array) if kind == "f" else None
    nulls = int(np.count_nonzero(missing)) if missing is not None else 0
    there = array[~missing] if missing is not None and nulls else array
    said: dict[str, Value] = {"nulls": nulls}
    if there.size:
        ends = there.min(), there.max()
        if kind in "mM":
            said |= {"min": str(ends[0]), "max": str(ends[1])}
        else:
            said |= {"min": ends[0].item(), "max": ends[1].item(), "mean": float(there.mean(dtype=np.float64))}
    if array.size <= _FEW and kind in "biuf" and array.dtype.itemsize <= 8:
        said["values"] = array.tolist()
    return said
