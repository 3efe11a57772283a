"""Plain values of models in the form units have: JSON data, the same whatever file they came from."""

from __future__ import annotations

import json
from typing import Any, Final

import blake3

from mlver.kinds.base import Value
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.dtypes import DType
from mlver.kinds.models.limits import SMALL_LIST, SMALL_TEXT
from mlver.kinds.models.paths import key_text, number_text
from mlver.kinds.models.values import Call, Group, Pairs, Span, Symbol, Tagged, chunks_of

NOT_PLAIN: Final = object()
_LEVELS: Final = 3


def is_long(thing: Any) -> bool:
    """Whether working out the value of a scalar costs more than a glance."""
    return isinstance(thing, (str, bytes, bytearray, Span)) and len(thing) > SMALL_TEXT


def value_of(thing: Any) -> Value:
    """Return the unit value of something that has no parts."""
    if thing is None or isinstance(thing, (bool, float)):
        return thing
    if isinstance(thing, int):
        return thing if thing.bit_length() <= 1024 else {"int": number_text(thing)}
    if isinstance(thing, str):
        return _text(thing)
    if isinstance(thing, (bytes, bytearray, Span)):
        return _bytes(thing)
    if isinstance(thing, complex):
        return {"complex": [thing.real, thing.imag]}
    if isinstance(thing, Symbol):
        return {"name": clean(thing.path)}
    if isinstance(thing, Tagged):
        return {thing.tag: clean(thing.text)}
    if isinstance(thing, DType):
        return {"dtype": thing.name}
    return {} if isinstance(thing, (Pairs, dict)) else str(type(thing).__name__)


def clean(text: str) -> str:
    """Return `text` with lone surrogates written out, so that it can be stored as UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _text(text: str) -> Value:
    if len(text) <= SMALL_TEXT:
        return clean(text)
    digest = blake3.blake3(text.encode("utf-8", "surrogatepass")).hexdigest()
    return {"text": clean(text[:80]) + "…", "length": len(text), "digest": digest}


def _bytes(raw: bytes | bytearray | Span) -> Value:
    if not isinstance(raw, Span) and len(raw) <= 32:
        return {"bytes": len(raw), "hex": bytes(raw).hex()}
    digest = blake3.blake3()
    for piece in chunks_of(raw):
        digest.update(piece)
    return {"bytes": len(raw), "digest": digest.hexdigest()}


def is_scalar(thing: Any) -> bool:
    """Whether a thing has no parts that could be units of their own."""
    if isinstance(thing, Call):
        return isinstance(thing.value, DType)
    return not isinstance(thing, (list, tuple, dict, Pairs, Group, ArrayData))


def _scalar(thing: Any) -> Value:
    return value_of(thing.value if isinstance(thing, Call) else thing)


def plain_list(thing: Any) -> Value:
    """Return the value of a list that is one unit: small and of plain values, or long and flat. Else NOT_PLAIN."""
    small, _ = _small(thing, SMALL_LIST, _LEVELS)
    if small is not NOT_PLAIN:
        return small
    if not all(map(is_scalar, thing)):
        return NOT_PLAIN
    return _digested(thing)


def _small(thing: Any, room: int, levels: int) -> tuple[Value, int]:
    # nested only a few levels deep, and no more than `room` values in all: so this ends soon
    if is_scalar(thing):
        return _scalar(thing), room - 1
    if not isinstance(thing, (list, tuple)) or levels == 0 or len(thing) > room:
        return NOT_PLAIN, room
    values = []
    for member in thing:
        value, room = _small(member, room, levels - 1)
        if value is NOT_PLAIN or room < 0:
            return NOT_PLAIN, room
        values.append(value)
    return values, room - 1


def _digested(members: Any) -> Value:
    digest = blake3.blake3()
    for member in members:
        digest.update(_line(_scalar(member)))
    return {"length": len(members), "digest": digest.hexdigest(), "first": [_scalar(member) for member in members[:3]]}


def _line(value: Value) -> bytes:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        value = int(value)  # 1 and 1.0 are the same value
    return json.dumps(value, sort_keys=True).encode() + b"\n"


def step_of(key: Any) -> str | None:
    """Return the path step of a dict's key of any type; None when the key has parts of its own."""
    if key is None or isinstance(key, (str, bool, int, float)):
        return key_text(key)
    value, _ = _small(key, SMALL_LIST, _LEVELS)
    if value is NOT_PLAIN:
        return None
    return key_text(json.dumps(value, sort_keys=True))


def plain_set(thing: Group) -> Value:
    """Return the value of a set of plain values, sorted; NOT_PLAIN when it holds others."""
    values = [_small(member, SMALL_LIST, _LEVELS)[0] for member in thing.members]
    if any(value is NOT_PLAIN for value in values):
        return NOT_PLAIN
    ordered = sorted(values, key=_line)
    if len(ordered) <= SMALL_LIST:
        return {"set": ordered}
    digest = blake3.blake3(b"".join(map(_line, ordered))).hexdigest()
    return {"set": ordered[:3], "length": len(ordered), "digest": digest}


def objects_value(array: ArrayData) -> tuple[Value, bool]:
    """Return the value of an array of objects and whether it is complete, all members being plain."""
    members = array.objects or ()
    value: dict[str, Value] = {"shape": list(array.shape), "dtype": "object"}
    plain = all(map(is_scalar, members))
    if plain:
        digested = _digested(members)
        value["digest"] = digested["digest"]
        if len(members) <= SMALL_LIST:
            value["values"] = _nested([_scalar(member) for member in members], array.shape)
    return value, plain


def _nested(flat: list[Value], shape: tuple[int, ...]) -> Value:
    for size in reversed(shape[1:]):
        if size == 0:
            return []
        flat = [flat[at : at + size] for at in range(0, len(flat), size)]
    return flat if shape else flat[0]


def inline_args(call: Call) -> dict[str, Value] | None:
    """Return the arguments of a call as fields of its unit when they are few and plain, else None."""
    kwargs = call.kwargs.pairs if call.kwargs else []
    if len(call.args) + len(kwargs) > 16 or not all(isinstance(key, str) for key, _ in kwargs):
        return None
    args, room = [], SMALL_LIST
    for argument in (*call.args, *(part for _, part in kwargs)):
        value, room = _small(argument, room, _LEVELS)
        if value is NOT_PLAIN or room < 0:
            return None
        args.append(value)
    named = {key: value for (key, _), value in zip(kwargs, args[len(call.args) :], strict=True)}
    return ({"args": args[: len(call.args)]} if call.args else {}) | ({"kwargs": named} if named else {})
