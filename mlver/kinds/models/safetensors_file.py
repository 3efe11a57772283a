"""Safetensors files, by hand and strictly: an 8-byte length, a JSON header, then the tensors' bytes.

The format: https://github.com/huggingface/safetensors#format. Duplicate names, gaps, overlaps,
wrong sizes and bytes after the last tensor are all refused, as readers differ on them.
"""

from __future__ import annotations

import json
from typing import Any, Final

from mlver.kinds.base import Source, Unreadable, Value
from mlver.kinds.models.arrays import ArrayData, describe
from mlver.kinds.models.dtypes import DType, checked_shape, product
from mlver.kinds.models.limits import MAX_HEADER, MAX_UNITS
from mlver.kinds.models.paths import key_text
from mlver.kinds.models.scalars import Plain
from mlver.kinds.models.values import Span

_PLAIN: Final = {
    "BOOL": "b1", "U8": "u1", "I8": "i1", "U16": "u2", "I16": "i2", "F16": "f2", "U32": "u4", "I32": "i4", "F32": "f4",
    "U64": "u8", "I64": "i8", "F64": "f8", "C64": "c8",
}  # fmt: skip
_SPECIAL: Final = {  # name, bits
    "BF16": ("bfloat16", 16), "F8_E4M3": ("float8_e4m3fn", 8), "F8_E5M2": ("float8_e5m2", 8),
    "F8_E8M0": ("float8_e8m0fnu", 8),
    "F8_E4M3FNUZ": ("float8_e4m3fnuz", 8), "F8_E5M2FNUZ": ("float8_e5m2fnuz", 8), "F6_E2M3": ("float6_e2m3fn", 6),
    "F6_E3M2": ("float6_e3m2fn", 6), "F4": ("float4_e2m1fn_x2", 4),
}  # fmt: skip


def looks_like_safetensors(head: bytes) -> bool:
    """Whether a file may be safetensors: a believable header length, then a JSON object."""
    return len(head) > 8 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= MAX_HEADER


def read_safetensors(source: Source) -> tuple[dict[str, Value], dict[str, ArrayData]]:
    """Return the units and arrays of the file, tensors by name in the order of their bytes.

    The entries of `__metadata__` are units `metadata.<key>`. Tensor bytes are read in pieces.
    """
    header, start = _header(source)
    units: dict[str, Value] = {}
    arrays: dict[str, ArrayData] = {}
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise Unreadable("safetensors metadata that is not text")
    for key, text in metadata.items():
        units[f"metadata.{key_text(key)}"] = Plain().scalar(text)
    if len(header) + len(units) > MAX_UNITS:
        raise Unreadable(f"more than {MAX_UNITS:,} tensors")
    end = 0
    for begin, stop, name, dtype, shape in sorted(
        (_tensor(name, entry) for name, entry in header.items()), key=lambda t: t[:3]
    ):
        if begin != end:
            raise Unreadable("safetensors tensors that overlap or leave gaps")
        end = stop
        if start + stop > source.size:
            raise Unreadable("ends early: the file is truncated")
        array = ArrayData(dtype, shape, Span(source, start + begin, stop - begin))
        path = _path(name, units)
        units[path], arrays[path] = describe(array), array
    if start + end != source.size:
        raise Unreadable("bytes after the last tensor")
    return units, arrays


def _path(name: str, units: dict[str, Value]) -> str:
    # tensor names are dotted paths already
    plain = name and name.isprintable() and name.strip() == name and len(name) <= 500
    path = name if plain else key_text(name)
    while path in units:
        path += "~2"
    return path


def _header(source: Source) -> tuple[dict[str, Any], int]:
    with source.open() as stream:
        length = int.from_bytes(stream.read(8), "little")
        if source.size < 8 or length > MAX_HEADER or 8 + length > source.size:
            raise Unreadable("a safetensors header longer than the file or than 100 MiB")
        raw = stream.read(length)
    if not raw.startswith(b"{"):
        raise Unreadable("a safetensors header that is not a JSON object")
    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable("a safetensors header that is not proper JSON") from error
    if not isinstance(header, dict):
        raise Unreadable("a safetensors header that is not a JSON object")
    return header, 8 + length


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Unreadable("a safetensors header that names something twice")
    return made


def _no_constant(text: str) -> Any:
    raise Unreadable(f"{text} in a safetensors header")


def _tensor(name: str, entry: Any) -> tuple[int, int, str, DType, tuple[int, ...]]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise Unreadable("a tensor without exactly dtype, shape and data_offsets")
    code, offsets = entry["dtype"], entry["data_offsets"]
    shape = checked_shape(entry["shape"]) if isinstance(entry["shape"], list) else None
    if (
        not isinstance(offsets, list)
        or len(offsets) != 2
        or not all(type(at) is int for at in offsets)
        or shape is None
    ):
        raise Unreadable("a tensor with an impossible shape or place")
    if isinstance(code, str) and code in _PLAIN:
        kind, digits = _PLAIN[code][0], int(_PLAIN[code][1:])
        dtype, bits = DType(kind, digits), digits * 8
    elif isinstance(code, str) and code in _SPECIAL:
        special, bits = _SPECIAL[code]
        dtype = DType("x", max(1, bits // 8), special=special)
    else:
        raise Unreadable("a tensor of unknown dtype")
    begin, stop = offsets
    if not 0 <= begin <= stop or product(shape) * bits != (stop - begin) * 8:
        raise Unreadable("a tensor whose shape does not fit its bytes")
    return begin, stop, name, dtype, shape
