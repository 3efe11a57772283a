"""ONNX models: opsets, inputs, outputs, each node and each weight by name. No node is ever run.

The messages: `onnx/onnx.proto`. A node is called by its name, or by its first output, which is its own.
"""

from __future__ import annotations

from typing import Any, Final

from mlver.kinds.base import Source, Unreadable, Value
from mlver.kinds.models.arrays import describe
from mlver.kinds.models.limits import MAX_UNITS
from mlver.kinds.models.loaded import Loaded
from mlver.kinds.models.onnx_attribute import read_attribute
from mlver.kinds.models.onnx_tensor import Tensor, dtype_name, read_pair, read_tensor
from mlver.kinds.models.paths import key_text
from mlver.kinds.models.protobuf import Field, Messages, signed
from mlver.kinds.models.scalars import Plain
from mlver.kinds.models.stream import Stream
from mlver.kinds.models.symbols import PLAIN, UNKNOWN
from mlver.kinds.models.walk import Walker

_FIELDS: Final = 5_000_000
_DEPTH: Final = 20
_STANDARD: Final = ("ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training", "com.microsoft")
_TEXTS: Final = {2: "producer", 3: "producer_version", 4: "domain", 6: "description"}


def read_onnx(source: Source) -> Loaded:
    """Return what the model's graph says; Unreadable when it is no ONNX model, or cut short."""
    with Stream(source, "ONNX") as stream:
        model = _Model(Messages(stream, _FIELDS))
        model.read(Field(0, 2, 0, 0, source.size))
    if model.version is None or not model.graphs or not model.opsets:
        raise Unreadable("not an ONNX model: it has no version, no opset or no graph")
    walker, outside = model.walker, sorted(model.outside)
    facts: dict[str, Value] = {"opset": model.opsets.get("ai.onnx") or dict(model.opsets), "nodes": model.nodes}
    facts |= {key: walker.units[key] for key in ("producer",) if key in walker.units}
    if outside:
        facts["external"] = outside[:20]
    odd = tuple(
        f"weights in another file{', outside of its folder' if _leaves(name) else ''}: {name[:100]}" for name in outside
    )
    odd += ("parts that are not read",) if model.unread else ()
    custom = sorted(name for name in model.domains if name not in _STANDARD)
    verdict = UNKNOWN if custom or odd else PLAIN
    return Loaded("onnx", walker.units, walker.arrays, verdict, (), tuple(custom), odd, title="ONNX model", facts=facts)


def _leaves(name: str) -> bool:
    return name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or ":" in name


class _Model:
    """Collects the units of one file."""

    def __init__(self, messages: Messages) -> None:
        self.messages = messages
        self.walker = Walker()
        self.plain = Plain()
        self.version: int | None = None
        self.opsets: dict[str, int] = {}
        self.domains: set[str] = set()
        self.outside: set[str] = set()
        self.nodes = self.graphs = 0
        self.unread = False

    def read(self, given: Field) -> None:
        """Add the units of a `ModelProto`."""
        messages, walker = self.messages, self.walker
        graphs = []
        for part in messages.message(given):
            if part.number == 1:
                self.version = part.value
                walker.put("ir_version", part.value)
            elif part.number in _TEXTS:
                if text := messages.text(part):
                    walker.put(_TEXTS[part.number], self.plain.scalar(text))
            elif part.number == 5:
                walker.put("model_version", signed(part.value))
            elif part.number == 7:
                graphs.append(part)
            elif part.number == 8:
                domain, version = self._opset(part)
                self.opsets[domain] = version
                walker.put(f"opset.{key_text(domain).strip(chr(34))}", version)
            elif part.number == 14:
                key, value = read_pair(messages, part)
                walker.put(f"metadata.{key_text(key)}", self.plain.scalar(value))
            else:
                self._other(f"field_{part.number}", part)
        for graph in graphs:
            self._graph(graph, "", 0)

    def _opset(self, given: Field) -> tuple[str, int]:
        domain, version = "", 0
        for part in self.messages.message(given):
            if part.number == 1:
                domain = self.messages.text(part)
            elif part.number == 2:
                version = signed(part.value)
        return domain or "ai.onnx", version

    def _graph(self, given: Field, prefix: str, depth: int) -> None:
        if depth > _DEPTH:
            raise Unreadable(f"ONNX graphs nested more than {_DEPTH} levels deep")
        self.graphs += 1
        nodes: list[Field] = []
        for part in self.messages.message(given):
            if part.number == 1:
                nodes.append(part)
            elif part.number == 2:
                self.walker.put(f"{prefix}graph", self.plain.scalar(self.messages.text(part)))
            elif part.number == 5:
                self._weight(read_tensor(self.messages, part), f"{prefix}weights.")
            elif part.number in (11, 12):
                self._port(part, f"{prefix}{'inputs' if part.number == 11 else 'outputs'}.")
            elif part.number == 10:
                self.walker.put(f"{prefix}description", self.plain.scalar(self.messages.text(part)))
            elif part.number == 16:
                key, value = read_pair(self.messages, part)
                self.walker.put(f"{prefix}graph_metadata.{key_text(key)}", self.plain.scalar(value))
            elif part.number != 13:  # shapes in between are worked out from the rest
                self._other(f"{prefix}graph_field_{part.number}", part)
        self.nodes += len(nodes)
        if self.nodes > MAX_UNITS:
            raise Unreadable(f"more than {MAX_UNITS:,} parts")
        for node in nodes:
            self._node(node, f"{prefix}nodes.", depth)

    def _weight(self, tensor: Tensor, prefix: str) -> None:
        self._put_tensor(f"{prefix}{_path(tensor.name)}", tensor)

    def _put_tensor(self, path: str, tensor: Tensor) -> None:
        if tensor.array is not None:
            self.walker.arrays[self.walker.put(path, describe(tensor.array))] = tensor.array
        elif tensor.texts is not None:
            value = self.plain.sequence(tensor.texts)
            self.walker.put(path, {"shape": list(tensor.shape), "dtype": "string", "values": value})
        else:
            self.walker.put(path, tensor.place())
            self.outside.add((tensor.outside or {}).get("location", ""))

    def _port(self, given: Field, prefix: str) -> None:
        name, kind = "", "unknown type"
        for part in self.messages.message(given):
            if part.number == 1:
                name = self.messages.text(part)
            elif part.number == 2:
                kind = self._type(part, 0)
        self.walker.put(prefix + _path(name), kind)

    def _type(self, given: Field, depth: int) -> str:
        """Return a `TypeProto` as text: `float32 Nx30`, `sequence of ...`."""
        if depth > 4:
            raise Unreadable("an ONNX type nested too deep")
        for part in self.messages.message(given):
            if part.number in (1, 8):
                return ("sparse " if part.number == 8 else "") + self._tensor_type(part)
            if part.number in (4, 5, 9):
                inner = next(
                    (p for p in self.messages.message(part) if p.number == (2 if part.number == 5 else 1)), None
                )
                word = {4: "sequence", 5: "map", 9: "optional"}[part.number]
                return f"{word} of {self._type(inner, depth + 1)}" if inner else word
        return "unknown type"

    def _tensor_type(self, given: Field) -> str:
        name, shape = "unknown type", ""
        for part in self.messages.message(given):
            if part.number == 1:
                name = dtype_name(part.value)
            elif part.number == 2:
                sizes = [self._dimension(size) for size in self.messages.message(part) if size.number == 1]
                shape = "x".join(sizes) or "scalar"
        return f"{name} {shape}".strip()

    def _dimension(self, given: Field) -> str:
        for part in self.messages.message(given):
            if part.number == 1:
                return str(signed(part.value))
            if part.number == 2:
                return self.messages.text(part)[:100]
        return "?"

    def _node(self, given: Field, prefix: str, depth: int) -> None:
        said: dict[str, Any] = {"inputs": [], "outputs": []}
        attributes: list[Field] = []
        name = domain = ""
        for part in self.messages.message(given):
            if part.number in (1, 2):
                said["inputs" if part.number == 1 else "outputs"].append(self.messages.text(part))
            elif part.number == 3:
                name = self.messages.text(part)
            elif part.number == 4:
                said["op"] = self.messages.text(part)
            elif part.number == 5:
                attributes.append(part)
            elif part.number == 7:
                domain = self.messages.text(part)
        self.domains.add(domain or "ai.onnx")
        own = name or next((text for text in said["outputs"] if text), "") or said.get("op", "")
        op = str(said.get("op", "?"))
        if op.startswith("Py"):  # of ONNX Runtime: calls Python
            self.domains.add(f"{domain or 'ai.onnx'}.{op}")
        path = prefix + _path(own)
        value = {"class": f"{domain}.{op}" if domain and domain != "ai.onnx" else op}
        for word in ("inputs", "outputs"):
            value[word] = self.plain.sequence(said[word])
        path = self.walker.put(path, value)
        for attribute in attributes:
            self._attribute(attribute, path, depth)

    def _attribute(self, given: Field, path: str, depth: int) -> None:
        attribute = read_attribute(self.messages, given)
        path = f"{path}.{key_text(attribute.name)}"
        for index, tensor in enumerate(attribute.tensors):
            self._put_tensor(f"{path}.{index}" if index else path, tensor)
        for index, graph in enumerate(attribute.graphs):
            self._graph(graph, f"{path}.{index}." if index else f"{path}.", depth + 1)
        for part in attribute.others:
            self._other(f"{path}.attribute_{part.number}", part)
        if attribute.given:
            self.walker.walk(attribute.value(), path)

    def _other(self, path: str, part: Field) -> None:
        """Add what this reader gives no names to (functions, training) by its bytes."""
        self.unread = True
        raw: Any = self.messages.bytes(part) if part.wire == 2 else part.value
        self.walker.walk(raw, path)


def _path(name: str) -> str:
    plain = name and name.isprintable() and name.strip() == name and len(name) <= 500
    return name if plain else key_text(name)
