"""HDF5 files with weights, as Keras writes them: each dataset an array, through h5py where it is installed.

Without h5py (extra `keras`) the file is one digest. Links out of the file, virtual datasets and
datasets kept in other files are never followed; unpacked data is held to the limits of `limits.py`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

import blake3

from mlver.kinds.base import Source, Unreadable, Value
from mlver.kinds.models.arrays import ArrayData, describe
from mlver.kinds.models.dtypes import DType, parse_code, product
from mlver.kinds.models.limits import CHUNK, INFLATE_FLOOR, INFLATE_MAX, INFLATE_RATIO, MAX_DEPTH, MAX_UNITS
from mlver.kinds.models.loaded import Loaded
from mlver.kinds.models.parts import payload
from mlver.kinds.models.paths import join, key_text
from mlver.kinds.models.walk import Walker

MAGIC: Final = b"\x89HDF\r\n\x1a\n"
MISSING: Final = "each weight: pip install 'mlver[keras]'"
_MAX_ATTRIBUTE: Final = 1 << 20  # elements


def read_weights(source: Source) -> Loaded:
    """Return the datasets and attributes of the file; Unreadable when it is broken."""
    from mlver.kinds.models.keras_config import Config

    walker = Walker()
    attributes = add_hdf5(walker, source, "")
    config = Config()
    for name, path in (("model_config", ""), ("training_config", "training")):
        if isinstance(text := attributes.pop(name, None), str):
            config.add_text(walker, text, path)
    for name, value in attributes.items():
        walker.walk(value, key_text(name))
    version = attributes.get("keras_version")
    facts: dict[str, Value] = {**config.facts, **({"library": f"Keras {version}"} if version else {})}
    title = config.title or ("Keras weights" if source.path.endswith(".weights.h5") else "HDF5 weights")
    return config.loaded("hdf5", walker, title, facts, "" if available() else MISSING)


def available() -> bool:
    """Whether h5py is installed."""
    return importlib.util.find_spec("h5py") is not None


def add_hdf5(
    walker: Walker, source: Source, prefix: str, renamed: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Add the datasets of an HDF5 file under `prefix`; return the attributes of its root.

    `renamed` holds other names for layers. Without h5py: one unit with the digest of the file.
    """
    if not available():
        digest = blake3.blake3()
        with source.open() as stream:
            while piece := stream.read(CHUNK):
                digest.update(piece)
        walker.put(join(prefix, "weights"), {"bytes": source.size, "digest": digest.hexdigest()})
        return {}
    with _opened(source) as file:
        reader = _Reader(walker, source, renamed)
        reader.group(file, prefix, 0)
        return _attributes(file)


@contextmanager
def _opened(source: Source) -> Iterator[Any]:
    import h5py

    try:
        with source.open() as stream, h5py.File(stream, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, AttributeError) as error:
        raise Unreadable("an HDF5 file that is damaged or cut short") from error


class _Reader:
    """Adds the groups and datasets of one file."""

    def __init__(self, walker: Walker, source: Source, renamed: Mapping[str, str]) -> None:
        self.walker, self.source, self._renamed = walker, source, renamed
        self._left = min(INFLATE_MAX, max(INFLATE_FLOOR, source.size * INFLATE_RATIO))
        self._seen: set[int] = set()

    def group(self, group: Any, path: str, depth: int) -> None:
        """Add what is in a group, by name. A group that was met before is left out: it has its units."""
        import h5py

        if depth > MAX_DEPTH or len(self._seen) > MAX_UNITS:
            raise Unreadable("an HDF5 file that is nested too deep")
        for name in sorted(group):
            link = group.get(name, getlink=True)
            below = join(path, _step(name))
            if not isinstance(link, h5py.HardLink):
                self.walker.put(below, {"link": type(link).__name__, "to": str(getattr(link, "path", ""))[:200]})
                continue
            thing = group[name]
            if isinstance(thing, h5py.Dataset):
                self._dataset(thing, below)
            elif isinstance(thing, h5py.Group):
                address = h5py.h5o.get_info(thing.id).addr
                if address not in self._seen:
                    self._seen.add(address)
                    self.group(thing, join(path, self._named(thing, name) if depth else _step(name)), depth + 1)
        if depth:
            for name, value in _attributes(group).items():
                if name not in ("weight_names", "layer_names", "name", "backend", "keras_version"):
                    self.walker.walk(value, f"{path}.@{key_text(name)}")

    def _dataset(self, dataset: Any, path: str) -> None:
        shape = dataset.shape
        dtype = None if shape is None or dataset.dtype.fields else parse_code(dataset.dtype.str)
        if dtype is None or dtype.kind not in "biufc":
            self.walker.put(
                path, {"shape": list(shape or ()), "dtype": str(dataset.dtype)[:80], **self._other(dataset)}
            )
            return
        if dataset.is_virtual or dataset.external:
            self.walker.put(path, {"shape": list(shape), "dtype": dtype.name, "external": "another file"})
            return
        offset, size = dataset.id.get_offset(), dataset.nbytes
        if offset is not None and dataset.chunks is None:
            if offset + size > self.source.size:
                raise Unreadable("ends early: the file is truncated")
            array = ArrayData(dtype, shape, payload(self.source, offset, size))
        else:
            self._left -= size
            if self._left < 0:
                raise Unreadable("unpacks to far more than its size allows")
            array = ArrayData(_little(dtype), shape, dataset[()].astype(dataset.dtype.newbyteorder("<")).tobytes())
        self.walker.arrays[self.walker.put(path, describe(array))] = array

    def _named(self, group: Any, name: str) -> str:
        """Return the path step of a group: the name Keras gives its layer, where the group is called otherwise."""
        inner = group.get("vars")
        given = inner.attrs.get("name") if inner is not None and hasattr(inner, "keys") else None
        if not isinstance(given, str) or not given:
            return _step(name)
        return _step(self._renamed.get(given, given))

    def _other(self, dataset: Any) -> dict[str, Value]:
        """Return the digest of a dataset of text or records; nothing when it is too large to be read."""
        self._left -= dataset.nbytes if dataset.shape is not None else 0
        if self._left < 0 or dataset.is_virtual or dataset.external:
            return {}
        return {"digest": blake3.blake3(repr(dataset[()].tolist()).encode()).hexdigest()} if dataset.shape else {}


def _little(dtype: DType) -> DType:
    return DType(dtype.kind, dtype.size)


def _step(name: str) -> str:
    return name if name.isdecimal() else key_text(name)  # names in HDF5 are text, never numbers


def _attributes(thing: Any) -> dict[str, Any]:
    """Return the attributes of an object as plain values; what is no number or text is left out."""
    import h5py

    found: dict[str, Any] = {}
    for name in thing.attrs:
        attribute = h5py.h5a.open(thing.id, name.encode())
        if product(attribute.shape) > _MAX_ATTRIBUTE:
            raise Unreadable("an HDF5 file with an endless attribute")
        value = thing.attrs[name]
        plain = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(plain, (str, bytes, int, float, bool, list)):
            found[name] = plain.decode("utf-8", "backslashreplace") if isinstance(plain, bytes) else plain
    return found
