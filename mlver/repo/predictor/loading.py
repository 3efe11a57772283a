"""Loading a model inside the walls: every name passes the list in `names`, and arrays are read by our own code.

joblib's own reader is not used: it hands arrays of objects to a plain unpickler. The layout of its files is
described in `joblib/numpy_pickle.py`.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import math
import pickle
import zlib
from collections.abc import Callable
from typing import Any, ClassVar, Final

import numpy as np

from mlver.repo.predictor.names import Forbidden, allowed

_ZIP: Final = b"PK\x03\x04"
_PACKED: Final[tuple[tuple[bytes, Callable[[bytes], bytes]], ...]] = (
    (b"\x1f\x8b", gzip.decompress),
    (b"BZh", bz2.decompress),
    (b"\xfd7zXZ", lzma.decompress),
    (b"]\x00", lzma.decompress),
    (b"x\x01", zlib.decompress),
    (b"x\x5e", zlib.decompress),
    (b"x\x9c", zlib.decompress),
    (b"x\xda", zlib.decompress),
)


def load_model(content: bytes) -> Any:
    """Return the object in a pickle, a file of joblib or one of skops; Forbidden for a name it may not mention."""
    if content.startswith(_ZIP):
        return _skops(content)
    for magic, unpack in _PACKED:
        if content.startswith(magic):
            content = unpack(content)
            break
    return _Unpickler(io.BytesIO(content)).load()


def _skops(content: bytes) -> Any:
    from skops.io import get_untrusted_types, loads

    names = get_untrusted_types(data=content)
    for path in names:
        module, _, name = path.rpartition(".")
        allowed(module, name)
    return loads(content, trusted=names)


class _Array:
    """Stands in for joblib's NumpyArrayWrapper: announces an array whose bytes follow."""

    subclass: Any
    shape: tuple[int, ...]
    order: str
    dtype: Any
    numpy_array_alignment_bytes: int | None = None

    def read(self, stream: io.BytesIO) -> Any:
        """Return the array that begins here."""
        if self.dtype.hasobject:
            return _Unpickler(stream).load()
        if self.numpy_array_alignment_bytes is not None:
            stream.read(stream.read(1)[0])
        count = math.prod(self.shape)
        flat = np.frombuffer(stream.read(count * self.dtype.itemsize), dtype=self.dtype, count=count).copy()
        array = flat.reshape(self.shape[::-1]).transpose() if self.order == "F" else flat.reshape(self.shape)
        return array.view(np.matrix) if self.subclass is np.matrix else array


def _latin(text: str, encoding: str) -> bytes:
    """Stands in for _codecs.encode, which old pickles carry bytes by."""
    if encoding not in ("latin1", "latin-1"):
        raise Forbidden(f"_codecs.encode with {encoding}")
    return text.encode("latin-1")


_STANDING_IN: Final[dict[tuple[str, str], Any]] = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _Array,
    ("_codecs", "encode"): _latin,
}


_Plain: Any = pickle._Unpickler


class _Unpickler(_Plain):  # type: ignore[misc]
    """The unpickler written in Python, so that arrays can follow the objects that announce them."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(_Plain.dispatch)

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self._bytes = stream

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name stands for, if a model may mention it."""
        known = _STANDING_IN.get((module, name))
        return allowed(module, name) if known is None else known

    def load_build(self) -> None:
        """Give an object its state; one that announces an array becomes the array."""
        thing = self.stack[-2]
        if isinstance(thing, type):
            raise Forbidden(f"a change of {thing.__module__}.{thing.__name__}")
        super().load_build()
        if isinstance(thing, _Array):
            self.stack[-1] = thing.read(self._bytes)

    dispatch[pickle.BUILD[0]] = load_build
