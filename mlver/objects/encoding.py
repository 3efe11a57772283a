"""The one canonical encoding: what is hashed, byte for byte.

An object is UTF-8 JSON with sorted keys, no spaces and no escapes beyond those JSON requires.
Every frozen dataclass is written by its field names; a field that equals its default is left
out, so that a new optional field changes no old id. Decoding is strict: bytes that are not
exactly what encoding the value gives are rejected. NaN and infinities do not exist here.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from mlver.errors import Damaged, UsageError
from mlver.objects.ids import ObjectId
from mlver.objects.time import format_time, parse_time

_T = TypeVar("_T")
Plain = Any  # JSON without NaN: None, bool, int, float, str, list, dict
_canonical = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def dump_canonical(plain: Plain) -> bytes:
    """Return the canonical bytes of a plain value; ValueError on NaN, infinities, lone surrogates."""
    return _canonical.encode(plain).encode("utf-8")


def load_plain(data: bytes) -> Plain:
    """Return the JSON value in `data`; Damaged when it is not JSON."""
    try:
        return json.loads(data.decode("utf-8"))
    except RecursionError:
        raise Damaged("object is too deeply nested") from None
    except ValueError as error:
        raise Damaged(f"object is not valid JSON: {error}") from None


def encode(value: Any) -> bytes:
    """Return the canonical bytes of a frozen dataclass made of the types below.

    UsageError when it holds what these bytes cannot: NaN, text that is no Unicode, a giant number.
    """
    try:
        return dump_canonical(to_plain(value))
    except UnicodeEncodeError as error:
        around = error.object[max(0, error.start - 10) : error.start + 10]
        raise UsageError(f"cannot be recorded: not UTF-8 text: …{around}…") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot be recorded: {error}") from None


def decode(cls: type[_T], data: bytes) -> _T:
    """Return the `cls` in `data`; Damaged when the bytes are not the canonical form of one."""
    plain = load_plain(data)
    try:
        value: _T = from_plain(cls, plain)
        canonical = encode(value)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, UsageError) as error:
        raise Damaged(f"not a valid {cls.__name__}: {error}") from None
    if canonical != data:
        raise Damaged(f"not the canonical form of a {cls.__name__}")
    return value


def to_plain(value: Any) -> Plain:
    """Return `value` as JSON-ready data: ids as hex, moments as RFC 3339, dataclasses as objects."""
    cls: Any = type(value)
    return _writer(cls)(value)


def from_plain(hint: Any, plain: Plain) -> Any:
    """Return `plain` read as the type `hint`; TypeError, KeyError or ValueError if it is not one."""
    return _reader(hint)(plain)


# A batch of facts holds many values of few types, so what to do with a type is found out once.


@cache
def _writer(cls: Any) -> Callable[[Any], Plain]:
    if issubclass(cls, (types.NoneType, str, bool, int, float)):
        return _same
    if issubclass(cls, ObjectId):
        return ObjectId.hex
    if issubclass(cls, datetime):
        return format_time
    if dataclasses.is_dataclass(cls):
        if hasattr(cls, "to_row"):
            return lambda value: value.to_row()
        return _dataclass_writer(cls)
    if issubclass(cls, Mapping):
        return lambda value: {str(key): to_plain(item) for key, item in value.items()}
    if issubclass(cls, (tuple, list)):
        return lambda value: [to_plain(item) for item in value]
    raise TypeError(f"cannot encode {cls.__name__}")


def _same(value: Any) -> Any:
    return value


def _dataclass_writer(cls: Any) -> Callable[[Any], Plain]:
    fields = [(field.name, _default(field)) for field in dataclasses.fields(cls)]

    def write(value: Any) -> Plain:
        items = ((name, getattr(value, name), default) for name, default in fields)
        return {name: to_plain(item) for name, item, default in items if item != default}

    return write


@cache
def _reader(hint: Any) -> Callable[[Plain], Any]:
    origin = get_origin(hint)
    if hint is Any:
        return _same
    if origin in (Union, types.UnionType):
        (inner,) = [arg for arg in get_args(hint) if arg is not type(None)]
        read = _reader(inner)
        return lambda plain: None if plain is None else read(plain)
    if origin is tuple:
        read = _reader(get_args(hint)[0])
        return lambda plain: tuple(map(read, _expect(list, plain)))
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        read = _reader(get_args(hint)[1])
        return lambda plain: {key: read(item) for key, item in _expect(dict, plain).items()}
    if isinstance(hint, type) and issubclass(hint, ObjectId):
        return lambda plain: hint.parse(_expect(str, plain))
    if hint is datetime:
        return lambda plain: parse_time(_expect(str, plain))
    if dataclasses.is_dataclass(hint):
        if hasattr(hint, "from_row"):
            return lambda plain: hint.from_row(_expect(list, plain))
        return _dataclass_reader(hint)  # type: ignore[arg-type]
    return lambda plain: _expect(hint, plain)


def _dataclass_reader(cls: type) -> Callable[[Plain], Any]:
    readers = {name: _reader(hint) for name, hint in get_type_hints(cls).items()}

    def read(plain: Plain) -> Any:
        if unknown := _expect(dict, plain).keys() - readers.keys():
            raise ValueError(f"unknown field {sorted(unknown)[0]!r}")
        return cls(**{name: readers[name](item) for name, item in plain.items()})

    return read


def _expect(kind: type, plain: Plain) -> Any:
    if type(plain) is not kind and not (kind is float and type(plain) is int):
        raise TypeError(f"expected {kind.__name__}, found {type(plain).__name__}")
    return plain


_NO_DEFAULT = object()


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return _NO_DEFAULT
