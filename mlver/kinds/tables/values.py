"""Arrow arrays as plain values for people: types by name, cells as JSON-like values, keys as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mlver.kinds.base import Unreadable, Value, short_json
from mlver.kinds.tables.arrays import fixed
from mlver.kinds.tables.late import pc

_NAMES: Final = {
    "double": "float64",
    "float": "float32",
    "halffloat": "float16",
    "large_string": "string",
    "string_view": "string",
    "large_binary": "binary",
    "binary_view": "binary",
    "date32[day]": "date",
    "date64[ms]": "date",
}

_FAMILIES: Final[tuple[tuple[str, Callable[[Any], bool]], ...]] = (
    ("number", pa.types.is_integer),
    ("number", pa.types.is_floating),
    ("number", pa.types.is_decimal),
    ("bool", pa.types.is_boolean),
    ("text", lambda kind: kind in (pa.string(), pa.large_string(), pa.string_view())),
    ("instant", lambda kind: pa.types.is_timestamp(kind) and kind.tz is not None),
    ("time", lambda kind: pa.types.is_timestamp(kind) or pa.types.is_date(kind)),
    ("clock", pa.types.is_time),
    ("span", pa.types.is_duration),
    ("null", pa.types.is_null),
    ("nested", pa.types.is_nested),
)


def logical(kind: Any) -> Any:
    """Return the type of the values, without dictionaries and other encodings."""
    while True:
        if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
            kind = kind.value_type
        elif isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        else:
            return kind


def type_name(kind: Any) -> str:
    """Return the name of a column's type as people write it: `int64`, `float64`, `string`."""
    kind = logical(kind)
    return _NAMES.get(str(kind), str(kind))


def family(kind: Any) -> str:
    """Return which values can be equal at all: number, bool, text, bytes, time, instant, ..."""
    kind = logical(kind)
    return next((name for name, test in _FAMILIES if test(kind)), "bytes")


def plain(array: Any) -> list[Value]:
    """Return the values as None, bool, int, float, str, list or dict.

    Times are ISO 8601, durations seconds such as `1.5s`, decimals text, bytes hex.
    """
    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in plain(chunk)]
    array = decoded(array)
    kind = array.type
    if pa.types.is_float16(kind):
        array = array.cast(pa.float64())
    elif pa.types.is_decimal(kind):
        return [None if item is None else format(Decimal(item).normalize(), "f") for item in array.to_pylist()]
    elif pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return _times(array)
    elif pa.types.is_nested(kind):
        return _nested(array)
    elif family(kind) == "bytes":
        return [item.hex() if isinstance(item, bytes) else item and str(item) for item in array.to_pylist()]
    values: list[Value] = array.to_pylist()
    return values


def key_texts(array: Any) -> list[str]:
    """Return each value as the text that names it in `PATH#UNIT`; 7.0 reads `7`, a null `null`."""
    values = plain(array)
    if family(array.type) == "text" and not array.null_count:
        return values
    return [_key_text(value) for value in values]


def _key_text(value: Value) -> str:
    if type(value) is int:
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else short_json(value)


def refuse_twins(names: Iterable[str]) -> None:
    """Raise Unreadable when two columns have one name: which is which can't be said."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Unreadable(f"two columns are called {name or '(no name)'}")
        seen.add(name)


def decoded(array: Any) -> Any:
    """Return the same values as an array without dictionary, run-length or extension type."""
    while array.type != (kind := logical(array.type)):
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        elif pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        elif pa.types.is_run_end_encoded(array.type):
            array = pc.run_end_decode(array)
        else:
            return array.cast(kind)
    return array


def _times(array: Any) -> list[Value]:
    kind = array.type
    if pa.types.is_duration(kind):
        scale = {"s": 0, "ms": 3, "us": 6, "ns": 9}[kind.unit]
        ticks = array.cast(pa.int64()).to_pylist()
        return [None if t is None else f"{format(Decimal(t).scaleb(-scale).normalize(), 'f')}s" for t in ticks]
    zone = ""
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        array, zone = array.view(pa.timestamp(kind.unit)), "Z"
    texts = array.cast(pa.date32() if pa.types.is_date64(kind) else kind if not zone else array.type).cast(pa.string())
    texts = pc.replace_substring_regex(texts, r"\.0*$|(\.\d*[1-9])0+$", r"\1")
    texts = pc.replace_substring(texts, " ", "T")
    return [None if text is None else text + zone for text in texts.to_pylist()]


def _nested(array: Any) -> list[Value]:
    kind = array.type
    missing = array.is_null().to_pylist()
    if pa.types.is_struct(kind):
        names = [kind.field(number).name for number in range(kind.num_fields)]
        columns = [plain(child) for child in array.flatten()]
        rows = list(zip(*columns, strict=True)) if columns else [()] * len(array)
        return [None if gone else dict(zip(names, row, strict=True)) for gone, row in zip(missing, rows, strict=True)]
    if pa.types.is_union(kind):
        return [None if item is None else str(item) for item in array.to_pylist()]
    if pa.types.is_map(kind):
        array = array.cast(pa.list_(pa.struct([("key", kind.key_type), ("value", kind.item_type)])))
    items = plain(array.flatten())
    lengths = fixed(pc.list_value_length(array).cast(pa.int64()), np.int64, 0)
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(int).tolist()
    lists = [items[begin:end] for begin, end in pairwise(bounds)]
    return [None if gone else value for gone, value in zip(missing, lists, strict=True)]
