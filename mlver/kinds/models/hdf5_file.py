"""HDF5 files with weights, as Keras writes them: each dataset an array, attributes beside them.

Links by name and datasets kept in other files are named, never followed. A file of a newer layout,
which h5py writes for virtual datasets, links to other files or on request, is one digest, and a summary
says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import blake3

from mlver.kinds.base import Source, Unreadable, Value
from mlver.kinds.models.arrays import ArrayData, describe
from mlver.kinds.models.dtypes import DType, product
from mlver.kinds.models.hdf5_chunks import READ, assembled, stored_digest
from mlver.kinds.models.hdf5_reader import MAGIC, Node, Reader
from mlver.kinds.models.hdf5_types import NOWHERE, Newer
from mlver.kinds.models.keras_config import Config
from mlver.kinds.models.limits import CHUNK, INFLATE_FLOOR, INFLATE_MAX, INFLATE_RATIO, MAX_DEPTH
from mlver.kinds.models.loaded import Loaded
from mlver.kinds.models.parts import payload
from mlver.kinds.models.paths import join, key_text
from mlver.kinds.models.stream import Stream
from mlver.kinds.models.values import Payload
from mlver.kinds.models.walk import Walker

__all__ = ["MAGIC", "add_hdf5", "read_weights"]
_NEWER: Final = "each weight, as the HDF5 file has a newer layout"
_TOLD: Final = ("weight_names", "layer_names", "name", "backend", "keras_version")


def read_weights(source: Source) -> Loaded:
    """Return the datasets and attributes of the file; Unreadable when it is broken."""
    walker, config = Walker(), Config()
    attributes, missing = add_hdf5(walker, source, "")
    for name, path in (("model_config", ""), ("training_config", "training")):
        if isinstance(text := attributes.pop(name, None), str):
            config.add_text(walker, text, path)
    for name, value in attributes.items():
        walker.walk(value, key_text(name))
    version = attributes.get("keras_version")
    facts: dict[str, Value] = {**config.facts}
    if isinstance(version, str):
        facts["library"] = f"Keras {version[:40]}"
    title = config.title or ("Keras weights" if source.path.endswith(".weights.h5") else "HDF5 weights")
    return config.loaded("hdf5", walker, title, facts, missing)


def add_hdf5(
    walker: Walker, source: Source, prefix: str, renamed: Mapping[str, str] = MappingProxyType({})
) -> tuple[dict[str, Any], str]:
    """Add the datasets of an HDF5 file under `prefix`; return the attributes of its root, and what is missing.

    `renamed` holds other names for layers.
    """
    below = Walker()
    try:
        with Stream(source, "HDF5") as stream:
            reader = Reader(stream)
            tree = _Tree(below, reader, renamed)
            root = reader.node(reader.root)
            if root.table is None:
                raise Unreadable("an HDF5 file without a root group")
            tree.group(root, prefix, 0)
    except Newer:
        digest = blake3.blake3()
        with source.open() as whole:
            while piece := whole.read(CHUNK):
                digest.update(piece)
        walker.put(join(prefix, "weights"), {"bytes": source.size, "digest": digest.hexdigest()})
        return {}, _NEWER
    for path, value in below.units.items():
        array = below.arrays.get(path)
        path = walker.put(path, value)
        if array is not None:
            walker.arrays[path] = array
    return root.attributes, ""


class _Tree:
    """Adds the groups and datasets of one file."""

    def __init__(self, walker: Walker, reader: Reader, renamed: Mapping[str, str]) -> None:
        self.walker, self.reader, self._renamed = walker, reader, renamed
        self._left = min(INFLATE_MAX, max(INFLATE_FLOOR, reader.source.size * INFLATE_RATIO))
        self._in_place = reader.source.size
        self._seen = {reader.root}

    def group(self, group: Node, path: str, depth: int) -> None:
        """Add what is in a group, by name. An object that was met before is left out: it has its units."""
        if depth > MAX_DEPTH:
            raise Unreadable("an HDF5 file that is nested too deep")
        assert group.table is not None
        members = dict(self.reader.members(group.table))
        for name, address in sorted(members.items()):
            if isinstance(address, str):
                self.walker.put(join(path, _step(name)), {"link": address[:200]})
                continue
            if address in self._seen:
                continue
            self._seen.add(address)
            node = self.reader.node(address)
            if node.table is None:
                self._dataset(node, join(path, _step(name)))
            else:
                self.group(node, join(path, self._named(node, name) if depth else _step(name)), depth + 1)
        if depth:
            for name, value in group.attributes.items():
                if name not in _TOLD:
                    self.walker.walk(value, f"{path}.@{key_text(name)}")

    def _named(self, group: Node, name: str) -> str:
        """Return the path step of a group: the name Keras gives its layer, where the group is called otherwise."""
        assert group.table is not None
        inner = dict(self.reader.members(group.table)).get("vars")
        given = self.reader.node(inner).attributes.get("name") if isinstance(inner, int) else None
        return _step(self._renamed.get(given, given) if isinstance(given, str) and given else name)

    def _dataset(self, node: Node, path: str) -> None:
        kind, layout, shape = node.type, node.layout, node.shape
        if kind is None or layout is None:
            raise Unreadable("an HDF5 dataset without a type or a place")
        if node.outside:
            self.walker.put(path, {"shape": list(shape or ()), "dtype": kind.name, "external": "another file"})
        elif shape is None:
            self.walker.put(path, {"shape": [], "dtype": kind.name})
        elif kind.dtype is None or not READ.issuperset(node.filters):
            self.walker.put(path, {"shape": list(shape), "dtype": kind.name, **self._stored(node)})
        else:
            data, dtype = self._bytes(node, kind.dtype)
            array = ArrayData(dtype, shape, data)
            self.walker.arrays[self.walker.put(path, describe(array))] = array

    def _bytes(self, node: Node, dtype: DType) -> tuple[Payload, DType]:
        """Return the bytes of a dataset, left in the file where they lie there as they are."""
        assert node.layout is not None
        assert node.shape is not None
        size, layout = product(node.shape) * dtype.size, node.layout
        if layout.form == "compact":
            if len(layout.data) < size:
                raise Unreadable("an HDF5 dataset whose shape does not fit its bytes")
            return layout.data[:size], dtype
        if layout.form == "contiguous" and layout.address != NOWHERE:
            if size > layout.size or layout.address + size > self.reader.source.size:
                raise Unreadable("an HDF5 dataset whose shape does not fit its bytes")
            self._in_place -= size
            if self._in_place < 0:
                raise Unreadable("HDF5 datasets that lie over each other")
            return payload(self.reader.source, layout.address, size), dtype
        self._spend(size)
        if layout.form == "contiguous":  # never written
            return bytes(size), dtype
        return assembled(self.reader, node, dtype), DType(dtype.kind, dtype.size, special=dtype.special)

    def _stored(self, node: Node) -> dict[str, Value]:
        """Return the digest of what is stored of a dataset of text or records, or packed in an unknown way."""
        assert node.layout is not None
        assert node.type is not None
        layout = node.layout
        if layout.form == "chunked":
            return {"digest": stored_digest(self.reader, node)}
        if node.type.text and node.shape is not None and layout.form == "contiguous" and layout.address != NOWHERE:
            self._spend(layout.size)
            texts = self.reader.values(node.type, node.shape, self.reader.at(layout.address, layout.size))
            return {"digest": blake3.blake3(repr(texts).encode()).hexdigest()}
        self._spend(layout.size)
        raw = layout.data if layout.address == NOWHERE else self.reader.at(layout.address, layout.size)
        return {"digest": blake3.blake3(raw).hexdigest()}

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Unreadable("unpacks to far more than its size allows")


def _step(name: str) -> str:
    return name if name.isdecimal() else key_text(name)  # names in HDF5 are text, never numbers
