"""Plain values of models in the form units have: JSON data, the same whatever file they came from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import blake3

from mlver.kinds.base import Unreadable, Value
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.dtypes import DType
from mlver.kinds.models.limits import MANY, MAX_VALUES, SMALL_LIST, SMALL_TEXT
from mlver.kinds.models.paths import key_text, number_text
from mlver.kinds.models.values import Call, Group, Pairs, Span, Symbol, Tagged, chunks_of

NOT_PLAIN: Final = object()
_LEVELS: Final = 3
_SIMPLE: Final = {int, float, bool, str, type(None)}


def clean(text: str) -> str:
    """Return `text` with lone surrogates written out, so that it can be stored as UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def is_scalar(thing: Any) -> bool:
    """Whether a thing has no parts that could be units of their own."""
    if isinstance(thing, Call):
        return isinstance(thing.value, DType)
    return not isinstance(thing, (list, tuple, dict, Pairs, Group, ArrayData))


class Plain:
    """Works out plain values for one file. What sharing makes it meet again is worked out once."""

    def __init__(self) -> None:
        self._known: dict[int, Value] = {}
        self._kept: list[Any] = []
        self._left = MAX_VALUES

    def once(self, thing: Any, make: Callable[[Any], Value]) -> Value:
        """Return `make(thing)`, called only the first time."""
        if id(thing) not in self._known:
            self._known[id(thing)] = make(thing)
            self._kept.append(thing)  # so that its id stays its own
        return self._known[id(thing)]

    def scalar(self, thing: Any) -> Value:
        """Return the unit value of something that has no parts."""
        self._spend(1)
        if thing is None or isinstance(thing, (bool, float)):
            return thing
        if isinstance(thing, int):
            return thing if thing.bit_length() <= 1024 else {"int": number_text(thing)}
        if isinstance(thing, str):
            return clean(thing) if len(thing) <= SMALL_TEXT else self.once(thing, _long_text)
        if isinstance(thing, (bytes, bytearray, Span)):
            return self.once(thing, _bytes)
        if isinstance(thing, complex):
            return {"complex": [thing.real, thing.imag]}
        if isinstance(thing, Symbol):
            return {"name": clean(thing.path)}
        if isinstance(thing, Tagged):
            return {thing.tag: clean(thing.text)}
        dtype = thing.value if isinstance(thing, Call) else thing
        return {"dtype": clean(dtype.name)} if isinstance(dtype, DType) else {}

    def sequence(self, thing: Sequence[Any]) -> Value:
        """Return the value of a list that is one unit: small and plain, or long and plain. Else NOT_PLAIN."""
        small = self.small(thing)
        if small is not NOT_PLAIN:
            return small
        if all(map(is_scalar, thing)):
            return self._digested(thing)
        if len(thing) <= MANY:
            return NOT_PLAIN
        values = [self.small(member) for member in thing]
        return NOT_PLAIN if any(value is NOT_PLAIN for value in values) else self._digested(values)

    def mapping(self, pairs: Sequence[tuple[Any, Any]]) -> Value:
        """Return the value of a dict with too many entries to be a unit each (a vocabulary). Else NOT_PLAIN."""
        if len(pairs) <= MANY or not all(isinstance(key, str) and is_scalar(value) for key, value in pairs):
            return NOT_PLAIN
        ordered = sorted(pairs, key=lambda pair: pair[0])
        if any(a[0] == b[0] for a, b in pairwise(ordered)):
            return NOT_PLAIN
        flat = [part for pair in ordered for part in pair]
        return {"entries": len(pairs), "digest": self._digested(flat)["digest"]}

    def group(self, thing: Group) -> Value:
        """Return the value of a set of plain values, sorted; NOT_PLAIN when it holds others."""
        values = [self.small(member) for member in thing.members]
        if any(value is NOT_PLAIN for value in values):
            return NOT_PLAIN
        ordered = sorted(values, key=lambda value: json.dumps(_number(value), sort_keys=True))
        return {"set": ordered} if len(ordered) <= SMALL_LIST else {"set": self._digested(ordered)}

    def objects(self, array: ArrayData) -> tuple[Value, bool]:
        """Return the value of an array of objects, and whether that is all, no member having parts."""
        members = array.objects or ()
        value: dict[str, Value] = {"shape": list(array.shape), "dtype": "object"}
        if not all(map(is_scalar, members)):
            return value, False
        value["digest"] = self._digested(members)["digest"]
        if len(members) <= SMALL_LIST:
            value["values"] = _nested([self.scalar(member) for member in members], array.shape)
        return value, True

    def inline(self, call: Call) -> dict[str, Value] | None:
        """Return the arguments of a call as fields of its unit when they are few and plain, else None."""
        kwargs = call.kwargs.pairs if call.kwargs else []
        if not all(isinstance(key, str) for key, _ in kwargs):
            return None
        values = self.small([*call.args, *(part for _, part in kwargs)])
        if values is NOT_PLAIN:
            return None
        named = {clean(key): value for (key, _), value in zip(kwargs, values[len(call.args) :], strict=True)}
        return ({"args": values[: len(call.args)]} if call.args else {}) | ({"kwargs": named} if named else {})

    def step(self, key: Any) -> str | None:
        """Return the path step of a dict's key of any type; None when the key has parts of its own."""
        if key is None or isinstance(key, (bool, int, float)) or (isinstance(key, str) and len(key) <= SMALL_TEXT):
            return key_text(key)
        if isinstance(key, str):
            return str(self.once(key, key_text))
        value = self.small(key)
        return None if value is NOT_PLAIN else key_text(json.dumps(value, sort_keys=True))

    def small(self, thing: Any) -> Value:
        """Return the value of a scalar, or of a list nested a few levels with at most 64 values; else NOT_PLAIN."""
        return self._small(thing, SMALL_LIST, _LEVELS)[0]

    def _small(self, thing: Any, room: int, levels: int) -> tuple[Value, int]:
        if is_scalar(thing):
            return self.scalar(thing), room - 1
        if not isinstance(thing, (list, tuple)) or levels == 0 or len(thing) > room:
            return NOT_PLAIN, room
        values = []
        for member in thing:
            value, room = self._small(member, room, levels - 1)
            if value is NOT_PLAIN or room < 0:
                return NOT_PLAIN, room
            values.append(value)
        return values, room - (levels < _LEVELS)

    def _digested(self, members: Sequence[Any]) -> dict[str, Value]:
        digest = blake3.blake3()
        for piece in self._pieces(members):
            digest.update(json.dumps(piece, sort_keys=True).encode() + b"\n")
        first = [self.scalar(value) if is_scalar(value) else value for value in members[:3]]
        return {"length": len(members), "digest": digest.hexdigest(), "first": first}

    def _pieces(self, members: Sequence[Any]) -> Iterator[list[Value]]:
        for at in range(0, len(members), 1000):
            piece = members[at : at + 1000]
            self._spend(len(piece))
            if _SIMPLE.issuperset(map(type, piece)) and not any(map(_large, piece)):
                yield [_number(value) for value in piece]
            else:
                yield [_number(self.scalar(value)) if is_scalar(value) else _number(value) for value in piece]

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise Unreadable(f"more than {MAX_VALUES:,} values")


def _large(value: Any) -> bool:
    return len(value) > SMALL_TEXT if type(value) is str else type(value) is int and value.bit_length() > 1024


def _number(value: Value) -> Value:
    """Return 1 for 1.0, which is the same value; anything else as it is."""
    return int(value) if type(value) is float and abs(value) < 1 << 53 and value.is_integer() else value


def _long_text(text: str) -> Value:
    digest = blake3.blake3(text.encode("utf-8", "surrogatepass")).hexdigest()
    return {"text": clean(text[:80]) + "…", "length": len(text), "digest": digest}


def _bytes(raw: bytes | bytearray | Span) -> Value:
    if not isinstance(raw, Span) and len(raw) <= 32:
        return {"bytes": len(raw), "hex": bytes(raw).hex()}
    digest = blake3.blake3()
    for piece in chunks_of(raw):
        digest.update(piece)
    return {"bytes": len(raw), "digest": digest.hexdigest()}


def _nested(flat: list[Value], shape: tuple[int, ...]) -> Value:
    for size in reversed(shape[1:]):
        if size == 0:
            return []
        flat = [flat[at : at + size] for at in range(0, len(flat), size)]
    return flat if shape else flat[0]
