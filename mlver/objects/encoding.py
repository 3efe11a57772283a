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
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from mlver.errors import Damaged, UsageError
from mlver.objects.ids import ObjectId
from mlver.objects.time import format_time, parse_time

_T = TypeVar("_T")
Plain = Any  # JSON without NaN: None, bool, int, float, str, list, dict


def dump_canonical(plain: Plain) -> bytes:
    """Return the canonical bytes of a plain value; ValueError on NaN, infinities, lone surrogates."""
    text = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def load_plain(data: bytes) -> Plain:
    """Return the JSON value in `data`; Damaged when it is not JSON."""
    try:
        return json.loads(data.decode("utf-8"))
    except RecursionError:
        raise Damaged("object is too deeply nested") from None
    except ValueError as error:
        raise Damaged(f"object is not valid JSON: {error}") from None


def encode(value: Any) -> bytes:
    """Return the canonical bytes of a frozen dataclass made of the types below."""
    return dump_canonical(to_plain(value))


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
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, ObjectId):
        return value.hex()
    if isinstance(value, datetime):
        return format_time(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if hasattr(value, "to_row"):
            return value.to_row()
        return {
            field.name: to_plain(item)
            for field in dataclasses.fields(value)
            if (item := getattr(value, field.name)) != _default(field)
        }
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    raise TypeError(f"cannot encode {type(value).__name__}")


def from_plain(hint: Any, plain: Plain) -> Any:
    """Return `plain` read as the type `hint`; TypeError, KeyError or ValueError if it is not one."""
    origin = get_origin(hint)
    if hint is Any:
        return plain
    if origin in (Union, types.UnionType):
        if plain is None:
            return None
        (inner,) = [arg for arg in get_args(hint) if arg is not type(None)]
        return from_plain(inner, plain)
    if origin is tuple:
        return tuple(from_plain(get_args(hint)[0], item) for item in _expect(list, plain))
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        item_type = get_args(hint)[1]
        return {key: from_plain(item_type, item) for key, item in _expect(dict, plain).items()}
    if isinstance(hint, type) and issubclass(hint, ObjectId):
        return hint.parse(_expect(str, plain))
    if hint is datetime:
        return parse_time(_expect(str, plain))
    if dataclasses.is_dataclass(hint):
        if hasattr(hint, "from_row"):
            return hint.from_row(_expect(list, plain))
        return _dataclass_from(hint, _expect(dict, plain))  # type: ignore[arg-type]
    return _expect(hint, plain)


def _dataclass_from(cls: type, plain: dict[str, Any]) -> Any:
    hints = _hints(cls)
    if unknown := plain.keys() - hints.keys():
        raise ValueError(f"unknown field {sorted(unknown)[0]!r}")
    return cls(**{name: from_plain(hints[name], item) for name, item in plain.items()})


def _expect(kind: type, plain: Plain) -> Any:
    if kind is float and type(plain) is int:
        return plain
    if type(plain) is not kind:
        raise TypeError(f"expected {kind.__name__}, found {type(plain).__name__}")
    return plain


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


_NO_DEFAULT = object()


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return _NO_DEFAULT
