"""GGUF files (llama.cpp): metadata by key, and each tensor with a digest of its bytes.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Quantised tensors are compared
by their bytes, as the numbers behind them depend on the library.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from mlver.kinds.base import Source, Unreadable, Value
from mlver.kinds.models.arrays import ArrayData, describe
from mlver.kinds.models.dtypes import DType, product
from mlver.kinds.models.limits import MAX_UNITS
from mlver.kinds.models.loaded import Loaded
from mlver.kinds.models.parts import payload
from mlver.kinds.models.paths import key_text
from mlver.kinds.models.stream import Stream
from mlver.kinds.models.symbols import PLAIN, UNKNOWN
from mlver.kinds.models.walk import Walker

MAGIC: Final = b"GGUF"
_MAX_TEXT: Final = 16 << 20
_MAX_ITEMS: Final = 5_000_000
_NUMBERS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9
_TYPES: Final[dict[int, tuple[str, int, int]]] = {  # number in the file: name, elements and bytes of a block
    0: ("f4", 1, 4), 1: ("f2", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("i1", 1, 1), 25: ("i2", 1, 2), 26: ("i4", 1, 4), 27: ("i8", 1, 8), 28: ("f8", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("bfloat16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip


def read_gguf(source: Source) -> Loaded:
    """Return metadata and tensors of the file; Unreadable when a length in it cannot be true."""
    walker = Walker()
    with Stream(source, "GGUF") as stream:
        file = _File(stream)
        tensors, metadata = file.header()
        given: dict[str, Any] = {}
        for _ in range(metadata):
            key = file.text()
            if key in given:
                raise Unreadable(f"GGUF metadata that gives {key[:60]!r} twice")
            given[key] = file.value(file.number("I"), 0)
        infos = [file.tensor() for _ in range(tensors)]
        alignment = given.get("general.alignment", 32)
        if type(alignment) is not int or not 0 < alignment <= 1 << 20:
            raise Unreadable("GGUF with an impossible alignment")
        start = -(-stream.at // alignment) * alignment
    for key, thing in given.items():
        walker.walk(thing, f"metadata.{_path(key)}")
    if sum(size for _, _, _, _, size in infos) > source.size:
        raise Unreadable("ends early: the tensors lie outside of the file or over each other")
    for name, dtype, shape, offset, size in infos:
        if offset % alignment or start + offset + size > source.size:
            raise Unreadable(f"ends early: the tensor {name[:60]!r} lies outside of the file")
        array = ArrayData(dtype, shape, payload(source, start + offset, size))
        path = walker.put(_path(name), describe(array))
        walker.arrays[path] = array
    kinds: dict[str, int] = {}
    for _, dtype, _, _, _ in infos:
        kinds[dtype.name] = kinds.get(dtype.name, 0) + 1
    facts: dict[str, Value] = {"version": file.version, "tensor_types": kinds}
    for key in ("general.name", "general.architecture"):
        if isinstance(given.get(key), str):
            facts[key.partition(".")[2]] = given[key]
    architecture = facts.get("architecture")
    title = f"GGUF {architecture}" if isinstance(architecture, str) and len(architecture) < 60 else "GGUF"
    template = next((key for key in given if "template" in key.lower()), None)  # Jinja, which programs run
    odd = (f"a template, which programs run: {template[:100]}",) if template else ()
    verdict = UNKNOWN if template else PLAIN
    return Loaded("gguf", walker.units, walker.arrays, verdict, oddities=odd, title=title, facts=facts)


class _File:
    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.order = "<"
        self.version = 0
        self._left = _MAX_ITEMS

    def header(self) -> tuple[int, int]:
        """Return the numbers of tensors and of metadata entries."""
        self.stream.read(4)
        raw = self.stream.read(4)
        self.version = int.from_bytes(raw, "little")
        if self.version & 0xFFFF == 0:  # a small number the wrong way round
            self.order, self.version = ">", int.from_bytes(raw)
        if self.version not in (2, 3):
            raise Unreadable(f"version {self.version} of GGUF, which is not read")
        tensors, metadata = self.number("Q"), self.number("Q")
        room = self.stream.end - self.stream.at
        if tensors > MAX_UNITS or metadata > MAX_UNITS or tensors * 24 + metadata * 13 > room:
            raise Unreadable("GGUF that announces more tensors than fit into it")
        return tensors, metadata

    def number(self, form: str) -> Any:
        """Return one number of a `struct` form."""
        return struct.unpack(self.order + form, self.stream.read(struct.calcsize("=" + form)))[0]

    def text(self) -> str:
        """Return a text, with what is no UTF-8 in it written out (tokens need not be)."""
        length = self.number("Q")
        if length > _MAX_TEXT:
            raise Unreadable("GGUF with an endless text")
        return self.stream.read(length).decode("utf-8", "backslashreplace")

    def value(self, kind: int, depth: int) -> Any:
        """Return one value of metadata."""
        self._left -= 1
        if self._left < 0 or depth > 4:
            raise Unreadable("GGUF with too much metadata")
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind == _TEXT:
            return self.text()
        if kind != _ARRAY:
            raise Unreadable(f"GGUF metadata of unknown type {kind}")
        inner, count = self.number("I"), self.number("Q")
        if inner in _NUMBERS:
            size = struct.calcsize("=" + _NUMBERS[inner])
            self._left -= count
            if self._left < 0:
                raise Unreadable("GGUF with too much metadata")
            raw = self.stream.read(count * size)
            return [number for (number,) in struct.iter_unpack(self.order + _NUMBERS[inner], raw)]
        if count * 8 > self.stream.end - self.stream.at:
            raise Unreadable("ends early: the GGUF file is truncated")
        return [self.value(inner, depth + 1) for _ in range(count)]

    def tensor(self) -> tuple[str, DType, tuple[int, ...], int, int]:
        """Return name, element type, shape (slowest dimension first), place and size in bytes of a tensor."""
        name, dimensions = self.text(), self.number("I")
        if dimensions > 8:
            raise Unreadable("a GGUF tensor of more than 8 dimensions")
        shape = tuple(reversed([self.number("Q") for _ in range(dimensions)]))
        code, offset = self.number("I"), self.number("Q")
        if code not in _TYPES:
            raise Unreadable(f"a GGUF tensor of unknown type {code}")
        word, block, width = _TYPES[code]
        count = product(shape)
        if (shape and shape[-1] % block) or any(size >= 1 << 60 for size in shape):
            raise Unreadable("a GGUF tensor with an impossible shape")
        if word[1:].isdigit():
            return name, DType(word[0], int(word[1:]), self.order), shape, offset, count // block * width
        return name, DType("x", 2 if word == "bfloat16" else 1, special=word), shape, offset, count // block * width


def _path(name: str) -> str:
    plain = name and name.isprintable() and name.strip() == name and len(name) <= 500
    return name if plain else key_text(name)
