"""ONNX tensors (`TensorProto` in `onnx/onnx.proto`): where their bytes lie, whichever field holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mlver.kinds.base import Unreadable, Value
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.dtypes import DType, checked_shape, product
from mlver.kinds.models.parts import payload
from mlver.kinds.models.protobuf import BYTES, FIXED32, FIXED64, Field, Messages
from mlver.kinds.models.values import Payload

if TYPE_CHECKING:
    import numpy as np

_MAX_PACKED: Final = 256 << 20  # of tensors spelled out number by number
_TYPES: Final[dict[int, tuple[str, int]]] = {  # number in the file: type, bits of an element
    1: ("f4", 32), 2: ("u1", 8), 3: ("i1", 8), 4: ("u2", 16), 5: ("i2", 16), 6: ("i4", 32), 7: ("i8", 64),
    9: ("b1", 8), 10: ("f2", 16), 11: ("f8", 64), 12: ("u4", 32), 13: ("u8", 64), 14: ("c8", 64), 15: ("c16", 128),
    16: ("bfloat16", 16), 17: ("float8_e4m3fn", 8), 18: ("float8_e4m3fnuz", 8), 19: ("float8_e5m2", 8),
    20: ("float8_e5m2fnuz", 8), 21: ("uint4", 4), 22: ("int4", 4), 23: ("float4_e2m1fn_x2", 4),
    24: ("float8_e8m0fnu", 8), 25: ("uint2", 2), 26: ("int2", 2),
}  # fmt: skip
_TEXT: Final = 8


@dataclass
class Tensor:
    """One tensor: its name and shape, and its array, or its texts, or the file outside that holds it."""

    name: str = ""
    shape: tuple[int, ...] = ()
    type: str = ""
    array: ArrayData | None = None
    texts: list[str] | None = None
    outside: dict[str, str] | None = None

    def place(self) -> dict[str, Value]:
        """Return the unit value of a tensor that lies in another file."""
        told = self.outside or {}
        numbers = {key: int(told[key]) for key in ("offset", "length") if told.get(key, "").isdecimal()}
        return {"shape": list(self.shape), "dtype": self.type, "external": told.get("location", "")} | numbers


@dataclass
class _Raw:
    """The fields of a `TensorProto` as they come."""

    dims: list[int] = field(default_factory=list)
    kind: int = 0
    packed: list[Field] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    raw: Payload | None = None
    outside: dict[str, str] = field(default_factory=dict)
    external: bool = False


def dtype_name(code: int) -> str:
    """Return the name of an ONNX element type."""
    if code == _TEXT:
        return "string"
    return _dtype(code).name if code in _TYPES else f"type {code}"


def read_tensor(messages: Messages, given: Field) -> Tensor:
    """Return a tensor; Unreadable when its bytes do not fit its shape."""
    raw, tensor = _Raw(), Tensor()
    for part in messages.message(given):
        if part.number == 1:
            raw.dims += messages.integers(part, 1 << 10).tolist()
        elif part.number == 2:
            raw.kind = part.value
        elif part.number in (4, 5, 7, 10, 11):
            raw.packed.append(part)
        elif part.number == 6:
            raw.texts.append(messages.text(part))
        elif part.number == 8:
            tensor.name = messages.text(part)
        elif part.number == 9 and part.wire == BYTES:
            raw.raw = payload(messages.stream.source, part.start, part.size)
        elif part.number == 13:
            key, value = read_pair(messages, part)
            raw.outside[key] = value
        elif part.number == 14:
            raw.external = part.value == 1
    shape = checked_shape(raw.dims)
    if shape is None:
        raise Unreadable("an ONNX tensor with an impossible shape")
    tensor.shape, tensor.type = shape, dtype_name(raw.kind)
    if raw.external:
        tensor.outside = raw.outside
    elif raw.kind == _TEXT:
        if len(raw.texts) != product(shape):
            raise Unreadable("an ONNX tensor whose shape does not fit its texts")
        tensor.texts = raw.texts
    else:
        tensor.array = _array(messages, raw, shape)
    return tensor


def read_pair(messages: Messages, given: Field) -> tuple[str, str]:
    """Return key and value of a `StringStringEntryProto`."""
    found = {part.number: messages.text(part) for part in messages.message(given) if part.number in (1, 2)}
    return found.get(1, ""), found.get(2, "")


def _array(messages: Messages, raw: _Raw, shape: tuple[int, ...]) -> ArrayData:
    if raw.kind not in _TYPES:
        raise Unreadable(f"an ONNX tensor of unknown type {raw.kind}")
    dtype, bits = _dtype(raw.kind), _TYPES[raw.kind][1]
    data = raw.raw if raw.raw is not None else _packed(messages, raw, dtype)
    if -(-product(shape) * bits // 8) != len(data):
        raise Unreadable("an ONNX tensor whose shape does not fit its bytes")
    return ArrayData(dtype, shape, data)


def _dtype(code: int) -> DType:
    word, bits = _TYPES[code]
    return DType(word[0], int(word[1:])) if word[1:].isdigit() else DType("x", max(1, bits // 8), special=word)


def _packed(messages: Messages, raw: _Raw, dtype: DType) -> bytes:
    """Return the little-endian bytes of numbers that are spelled out in a field of their own."""
    parts: list[bytes] = []
    for part in raw.packed:
        if part.number in (4, 10):  # float_data, double_data
            wide = 4 if part.number == 4 else 8
            alone = part.value.to_bytes(wide, "little") if part.wire in (FIXED32, FIXED64) else None
            parts.append(alone if alone is not None else messages.bytes(part, _MAX_PACKED))
        else:  # int32_data, int64_data, uint64_data: small types are widened
            parts.append(_integers(messages.integers(part, _MAX_PACKED), dtype))
    return b"".join(parts)


def _integers(numbers: np.ndarray[Any, Any], dtype: DType) -> bytes:
    if dtype.size not in (1, 2, 4, 8):
        raise Unreadable("an ONNX tensor of complex numbers spelled out as integers")
    return numbers.view("u8").astype(f"<u{dtype.size}").tobytes()  # the lower bytes, as small types are widened
