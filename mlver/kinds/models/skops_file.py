"""skops files: a zip of `schema.json`, which describes the object node by node, and numpy's arrays.

Each node becomes what the pickle of the same object would be, so that a model has the same units in
either. Nothing named in a node is imported. Node types: `skops/io/_general.py`, `_numpy.py`,
`_scipy.py`, `_sklearn.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from mlver.kinds.base import Unreadable
from mlver.kinds.models.archive import Archive
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.dtypes import DType, product
from mlver.kinds.models.limits import MAX_DEPTH, MAX_NAME, MAX_OPCODES, SPAN_FROM
from mlver.kinds.models.loaded import Loaded
from mlver.kinds.models.npy import read_npy
from mlver.kinds.models.scalars import clean
from mlver.kinds.models.symbols import canonical, is_data, runs_code, verdict
from mlver.kinds.models.trees import gathered
from mlver.kinds.models.values import Call, Group, Pairs, Symbol
from mlver.kinds.models.walk import Walker

SCHEMA: Final = "schema.json"
_LIMIT: Final = 64 << 20
_FRAME: Final = ("__class__", "__module__", "__loader__", "__id__", "content", "is_json", "protocol", "_skops_version")


def read_skops(archive: Archive) -> Loaded:
    """Return the model in the file; Unreadable when its schema is broken or points outside of the archive."""
    try:
        schema = json.loads(archive.text(SCHEMA, _LIMIT), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise Unreadable("a schema.json that is not proper JSON") from error
    if not isinstance(schema, dict) or "__loader__" not in schema:
        raise Unreadable("a zip archive with a schema.json that is not skops's")
    nodes, walker = _Nodes(archive), Walker()
    walker.walk(nodes.thing(schema, 0))
    for member, value in archive.rest().items():
        walker.put(f"__members__.{member}", value)
    names = nodes.names
    version = schema.get("_skops_version")
    facts = {"skops": clean(version[:40])} if isinstance(version, str) else {}
    found = Loaded(
        "skops",
        walker.units,
        walker.arrays,
        verdict(names, False),
        tuple(sorted(filter(runs_code, names))),
        tuple(sorted(name for name in names if not is_data(name) and not runs_code(name))),
        facts=facts,
        imports=tuple(names),
    )
    found = gathered(found)
    return replace(found, facts={**found.facts, **facts})


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Unreadable("a schema.json that names something twice")
    return made


class _Nodes:
    """Turns nodes into what the pickle machine would have made. An object met again is the same object."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.names: dict[str, None] = {}
        self._made: dict[int, Any] = {}
        self._arrays: dict[str, ArrayData] = {}
        self._wrapped: dict[tuple[str, str], Call] = {}
        self._sparse: dict[str, Pairs] = {}
        self._left = MAX_OPCODES

    def thing(self, node: Any, depth: int) -> Any:
        """Return what a node stands for."""
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise Unreadable("a schema.json that is nested too deep")
        if not isinstance(node, dict) or not isinstance(node.get("__loader__"), str):
            raise Unreadable("a node of skops without a loader")
        loader, number = node["__loader__"], node.get("__id__")
        if loader == "CachedNode":
            if number not in self._made:
                raise Unreadable("a node of skops that refers to an object it never had")
            return self._made[number]
        make = _LOADERS.get(loader, _Nodes._other)
        made = make(self, node, depth + 1)
        if type(number) is int:
            self._made.setdefault(number, made)
        return made

    def name(self, node: dict[str, Any]) -> Symbol:
        """Return the name a node gives its class or function."""
        module, name = node.get("__module__"), node.get("__class__")
        if not isinstance(module, str) or not isinstance(name, str) or not module or not name:
            raise Unreadable("a node of skops without a class")
        if len(module) + len(name) > MAX_NAME:
            raise Unreadable("a name longer than 4 KiB")
        path = clean(canonical(module, name, 5))
        self.names[path] = None
        return Symbol(path)

    def members(self, content: Any, depth: int) -> list[Any]:
        """Return what a list of nodes stands for."""
        if not isinstance(content, list):
            raise Unreadable("a node of skops without its members")
        return [self.thing(node, depth) for node in content]

    def array(self, node: dict[str, Any], depth: int) -> Any:
        """Return an array, or the one value of an array of one scalar class."""
        if node.get("type") == "json":
            shape = self.thing(node.get("shape"), depth)
            flat = _flat(self.members(node.get("content"), depth), len(shape) if isinstance(shape, tuple) else 0)
            fits = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
            if not fits or product(shape) != len(flat):
                raise Unreadable("an array of objects whose shape does not fit")
            return Call(Symbol("numpy.ndarray"), value=ArrayData(DType("O", 8), shape, tuple(flat)))
        file = node.get("file")
        if node.get("type") != "numpy" or not isinstance(file, str):
            raise Unreadable("an array of skops of unknown form")
        subclass = self.name(node).path
        if file not in self._arrays:
            self._arrays[file] = read_npy(self.archive.part(file))
        array = self._arrays[file]
        if subclass != "numpy.ndarray" and array.shape == () and array.dtype.kind in "biuf":
            return array.numpy().item()
        key = (file, subclass)
        if key not in self._wrapped:  # one object for all that refer to it, so that it is looked at once
            self._wrapped[key] = Call(Symbol("numpy.ndarray"), value=replace(array, subclass=subclass))
        return self._wrapped[key]

    def plain(self, node: dict[str, Any], depth: int) -> Any:
        """Return the JSON value of a node."""
        try:
            return _inert(json.loads(node["content"]))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise Unreadable("a node of skops whose JSON is broken") from error

    def pairs(self, node: dict[str, Any], depth: int) -> Any:
        """Return a dict; its keys are text in JSON, so those of other types are made what they were."""
        content = node.get("content")
        if not isinstance(content, dict):
            raise Unreadable("a dict of skops without its entries")
        kinds = self.thing(node["key_types"], depth) if isinstance(node.get("key_types"), dict) else []
        names = [kind.path if isinstance(kind, Symbol) else "" for kind in kinds] if isinstance(kinds, list) else []
        keys = content.keys() if len(names) != len(content) else map(_key, content, names)
        made = [(key, self.thing(part, depth)) for key, part in zip(keys, content.values(), strict=True)]
        kind = self.name(node)
        return Pairs(made) if kind.path == "builtins.dict" else Call(kind, items=made)

    def object(self, node: dict[str, Any], depth: int) -> Any:
        """Return an object with its state."""
        call = Call(self.name(node))
        if type(node.get("__id__")) is int:
            self._made.setdefault(node["__id__"], call)  # its state may lead back to it
        reduced = node.get("__reduce__")
        if isinstance(reduced, dict):
            args = self.thing(reduced.get("args"), depth)
            call.args = args if isinstance(args, tuple) else (args,)
        if node.get("content") is not None:
            state = self.thing(node["content"], depth)
            empty = state is None or (isinstance(state, (Pairs, tuple)) and not _size(state))
            call.states = [] if empty else [state]
        return call

    def made_by(self, node: dict[str, Any], depth: int) -> Any:
        """Return the call of a class with arguments."""
        args = self.thing(node.get("content"), depth)
        return Call(self.name(node), args if isinstance(args, tuple) else (args,))

    def bytes(self, node: dict[str, Any], depth: int) -> Any:
        """Return bytes kept in a member of their own."""
        if not isinstance(node.get("file"), str):
            raise Unreadable("bytes of skops without a file")
        part = self.archive.part(node["file"])
        if part.size >= SPAN_FROM:
            return self.archive.payload(node["file"])
        with part.open() as stream:
            return stream.read()

    def slice(self, node: dict[str, Any], depth: int) -> Any:
        """Return a slice, whose ends stand there as they are."""
        content = node.get("content")
        given: dict[str, Any] = content if isinstance(content, dict) else {}
        return Call(self.name(node), tuple(self._guess(given.get(key), depth) for key in ("start", "stop", "step")))

    def sparse(self, node: dict[str, Any], depth: int) -> Any:
        """Return a sparse matrix, kept as an archive of arrays of its own."""
        if not isinstance(node.get("file"), str):
            raise Unreadable("a sparse matrix of skops without a file")
        if node["file"] not in self._sparse:
            inner = Archive(self.archive.part(node["file"]))
            arrays = [(name.removesuffix(".npy"), read_npy(inner.part(name))) for name in sorted(inner.names())]
            state = Pairs([(name, Call(Symbol("numpy.ndarray"), value=array)) for name, array in arrays])
            self._sparse[node["file"]] = state
        return Call(self.name(node), states=[self._sparse[node["file"]]])

    def _other(self, node: dict[str, Any], depth: int) -> Any:
        call = Call(self.name(node))
        parts = [(key, node[key]) for key in node if key not in _FRAME]
        if "content" in node:
            parts.append(("content", node["content"]))
        call.states = [Pairs([(key, self._guess(part, depth)) for key, part in parts])] if parts else []
        return call

    def _guess(self, part: Any, depth: int) -> Any:
        """Return what a part stands for whose form is not known: nodes inside of it, or the JSON as it is."""
        if isinstance(part, dict) and "__loader__" in part:
            return self.thing(part, depth)
        if depth > MAX_DEPTH:
            raise Unreadable("a schema.json that is nested too deep")
        if isinstance(part, dict):
            return Pairs([(key, self._guess(inner, depth + 1)) for key, inner in part.items()])
        return [self._guess(inner, depth + 1) for inner in part] if isinstance(part, list) else part


def _key(text: str, kind: str) -> Any:
    if kind in ("builtins.int", "builtins.float"):
        try:
            return int(text) if kind.endswith("int") else float(text)
        except ValueError:
            return text
    words = {"builtins.bool": {"true": True, "false": False, "True": True, "False": False}, "builtins.NoneType": {}}
    return words.get(kind, {}).get(text, None if kind == "builtins.NoneType" and text == "null" else text)


def _inert(value: Any) -> Any:
    if isinstance(value, dict):
        return Pairs([(key, _inert(part)) for key, part in value.items()])
    return [_inert(part) for part in value] if isinstance(value, list) else value


def _flat(members: list[Any], levels: int) -> list[Any]:
    for _ in range(levels - 1):
        if not all(isinstance(member, list) for member in members):
            raise Unreadable("an array of objects whose shape does not fit")
        members = [part for member in members for part in member]
    return members


def _size(state: Any) -> int:
    return len(state.pairs) if isinstance(state, Pairs) else len(state)


_LOADERS: Final[dict[str, Callable[[_Nodes, dict[str, Any], int], Any]]] = {
    "JsonNode": _Nodes.plain,
    "DictNode": _Nodes.pairs,
    "ListNode": lambda nodes, node, depth: nodes.members(node.get("content"), depth),
    "TupleNode": lambda nodes, node, depth: tuple(nodes.members(node.get("content"), depth)),
    "SetNode": lambda nodes, node, depth: Group(nodes.members(node.get("content"), depth)),
    "NdArrayNode": _Nodes.array,
    "ObjectNode": _Nodes.object,
    "TreeNode": _Nodes.object,
    "LossNode": _Nodes.object,
    "ConstructorFromReduceNode": _Nodes.made_by,
    "TypeNode": lambda nodes, node, depth: nodes.name(node),
    "FunctionNode": lambda nodes, node, depth: nodes.name(node),
    "SliceNode": _Nodes.slice,
    "SparseMatrixNode": _Nodes.sparse,
    "BytesNode": _Nodes.bytes,
    "BytearrayNode": _Nodes.bytes,
}
