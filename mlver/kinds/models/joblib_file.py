"""joblib's way to store an array: a wrapper object in the pickle, and the raw bytes right after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mlver.kinds.base import Unreadable
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.dtypes import checked_shape, dtype_of, product
from mlver.kinds.models.known import array_of
from mlver.kinds.models.reader import Reader
from mlver.kinds.models.values import Call, Pairs, Symbol

WRAPPER: Final = "joblib.numpy_pickle.NumpyArrayWrapper"
_FIELDS: Final = {"subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"}


def raw_array(wrapper: Call, reader: Reader, nested: Callable[[], Any]) -> Any:
    """Return the array `wrapper` announces, read from where the reader stands.

    `nested` reads a whole pickle from there: the form of arrays that hold objects. A wrapper with
    anything but joblib's own fields is Unreadable, since what follows could not be told apart.
    """
    state = wrapper.states[-1] if len(wrapper.states) == 1 and not wrapper.args else None
    given = state.named() if isinstance(state, Pairs) else {}
    if (
        not isinstance(state, Pairs)
        or len(given) != len(state.pairs)
        or not _FIELDS - {"numpy_array_alignment_bytes"} <= set(given) <= _FIELDS
    ):
        raise Unreadable("a joblib array of unknown form")
    dtype, shape, order, subclass = (
        dtype_of(given["dtype"]),
        checked_shape(given["shape"]),
        given["order"],
        given["subclass"],
    )
    if dtype is None or shape is None or order not in ("C", "F") or not isinstance(subclass, Symbol):
        raise Unreadable("a joblib array of unknown form")
    alignment = given.get("numpy_array_alignment_bytes")
    if type(given["allow_mmap"]) not in (bool, int) or (alignment is not None and type(alignment) is not int):
        raise Unreadable("a joblib array of unknown form")
    reader.leave_frames()
    if dtype.has_objects:
        array = nested()
        reader.leave_frames()
        return array
    if alignment is not None:
        reader.read(reader.uint(1))
    array = array_of(dtype, shape, order, reader.payload(product(shape) * dtype.size))
    if not isinstance(array, ArrayData):
        raise Unreadable("a joblib array of unknown form")
    array.subclass = subclass.path
    return Call(Symbol(WRAPPER), value=array)
