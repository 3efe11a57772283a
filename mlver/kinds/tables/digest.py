"""128-bit digests of cells and rows, by value: stable across library versions, platforms and encodings.

    cell = mix(payload ^ key(lane, tag, column))        row = sum of its cells, so the order of columns is nothing

| value                    | tag      | payload                                                                     |
| null                     | null     | 0                                                                           |
| number                   | int      | the integer, when the value is one that fits 64 bits (also 1.0 and -0.0)     |
|                          | float    | bits of the double otherwise; all NaN are 0x7FF8000000000000                 |
|                          | uint     | an unsigned integer from 2**63 on that no double equals                      |
| decimal                  |          | the nearest double (15 digits at most), else `decimal`, hash of its text    |
| true, false              | bool     | 1, 0                                                                        |
| text, bytes              | text, bytes | the hash of the string (strings.py), lane by lane                        |
| date, timestamp          | time     | whole seconds since 1970 + mix(nanoseconds ^ key(lane, "nanos", "")) if any |
| timestamp with a zone    | instant  | the same; time of day: `clock`, duration: `span`                            |
| list, map                | list     | length + sum of mix(cell of item with column "" ^ position * 0x9E37...7C15)   |
| struct                   | struct   | sum of the cells of its fields that are not null                            |

So 1, 1.0 and 1.50 against 1.5 agree across types and files, NaN and null differ, a dictionary is its values.
XXH3 and these sums are no shield against an attacker; blob ids are. A wrong digest costs a wrong line in a diff.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mlver.frozen import frozen
from mlver.kinds.tables.arrays import bits, fixed, texts
from mlver.kinds.tables.arrays import missing as where_null
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.mixing import BLOCK, U64, Lanes, Mask, key, mix
from mlver.kinds.tables.strings import hash_strings

_POSITION: Final = np.uint64(0x9E3779B97F4A7C15)
_NAN: Final = np.uint64(0x7FF8000000000000)
_EXACT_DIGITS = 15  # every decimal of so many digits is the nearest one to its double
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@frozen
class _Payload:
    """What goes into the mix for each row: words per lane, their tag, and rows of another tag."""

    lanes: tuple[U64, U64]
    tag: str
    others: tuple[tuple[str, Mask], ...] = field(default=())


def row_digests(table: Any, columns: Sequence[str] | None = None) -> Lanes:
    """Return the digest of every row of `table` over `columns` (default: all), shape (2, rows)."""
    total = np.zeros((2, table.num_rows), dtype=np.uint64)
    for name in table.column_names if columns is None else columns:
        total += column_digests(table.column(name), name)
    return total


def column_digests(column: Any, name: str) -> Lanes:
    """Return the digest of every cell of a (chunked) array that is called `name`, shape (2, rows)."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [cell_digests(chunk, name) for chunk in chunks]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty((2, 0), np.uint64), *parts], axis=1)


def cell_digests(array: Any, name: str) -> Lanes:
    """Return the digest of every value of one Arrow array as a cell of column `name`."""
    array = _plain(array)
    if pa.types.is_dictionary(array.type):
        return _through_dictionary(array, name)
    if pa.types.is_nested(array.type):
        return _mixed(_nested(array), array, name)
    if array.type in (pa.string(), pa.large_string()) and _repeats(array):
        return _through_dictionary(array.dictionary_encode(), name)
    out = np.empty((2, len(array)), dtype=np.uint64)
    for begin in range(0, len(array), BLOCK):
        block = array.slice(begin, BLOCK)
        out[:, begin : begin + BLOCK] = _mixed(_scalars(block), block, name)
    return out


def _mixed(payload: _Payload, array: Any, name: str) -> Lanes:
    out = np.empty((2, len(array)), dtype=np.uint64)
    missing = where_null(array) if array.null_count else None
    for lane in (0, 1):
        words = np.bitwise_xor(payload.lanes[lane], key(lane, payload.tag, name), out=out[lane])
        for tag, where in payload.others:
            words[where] = payload.lanes[lane][where] ^ key(lane, tag, name)
        if missing is not None:
            words[missing] = key(lane, "null", name)
        mix(words)
    return out


def _plain(array: Any) -> Any:
    """Return the same values without encodings that only matter for storage."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    kind = array.type
    if pa.types.is_run_end_encoded(kind):
        return _plain(pc.run_end_decode(array))
    if pa.types.is_string_view(kind):
        return array.cast(pa.large_string())
    if pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        return array.cast(pa.large_binary())
    return array


def _repeats(array: Any) -> bool:
    """Whether it pays to hash distinct values only: a sample from the middle repeats itself a lot."""
    sample = array.slice(len(array) // 2, 4096)
    return len(sample) == 4096 and pc.count_distinct(sample).as_py() <= 512


def _through_dictionary(array: Any, name: str) -> Lanes:
    values = np.concatenate([cell_digests(array.dictionary, name), cell_digests(pa.nulls(1), name)], axis=1)
    codes = fixed(array.indices.cast(pa.int64()), np.int64, values.shape[1] - 1)
    taken: Lanes = np.take(values, codes, axis=1)
    return taken


def _scalars(array: Any) -> _Payload:
    kind = array.type
    if pa.types.is_integer(kind):
        return _integers(array)
    if pa.types.is_floating(kind):
        return _floats(fixed(array, np.dtype(f"f{kind.bit_width // 8}")).astype(np.float64))
    if pa.types.is_boolean(kind):
        words = bits(array).astype(np.uint64)
        return _Payload((words, words), "bool")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        lanes = hash_strings(array)
        return _Payload((lanes[0], lanes[1]), "text")
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        lanes = hash_strings(array)
        return _Payload((lanes[0], lanes[1]), "bytes")
    if pa.types.is_decimal(kind):
        return _decimals(array)
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return _times(array)
    return _as_texts(array)


def _as_texts(array: Any) -> _Payload:
    lanes = hash_strings(texts(None if item is None else str(item) for item in array.to_pylist()))
    return _Payload((lanes[0], lanes[1]), "text")


def _integers(array: Any) -> _Payload:
    kind = array.type
    signed = pa.types.is_signed_integer(kind)
    words = fixed(array, np.dtype(f"{'i' if signed else 'u'}{kind.bit_width // 8}"))
    words = words.astype(np.int64).view(np.uint64) if signed else words.astype(np.uint64)
    if signed or kind.bit_width < 64 or not (big := words >> np.uint64(63) != 0).any():
        return _Payload((words, words), "int")
    doubles = words.astype(np.float64)
    exact = big & (doubles < 2.0**64)
    exact[exact] = doubles[exact].astype(np.uint64) == words[exact]
    words = np.where(exact, doubles.view(np.uint64), words)
    return _Payload((words, words), "int", (("uint", big & ~exact), ("float", exact)))


def _floats(doubles: Any) -> _Payload:
    with np.errstate(invalid="ignore"):
        fits = np.abs(doubles) < 2.0**63
        whole = np.where(fits, doubles, 0.0).astype(np.int64)
        integral = fits & (whole == doubles)
        words = np.where(np.isnan(doubles), _NAN, doubles.view(np.uint64))
    if not integral.any():
        return _Payload((words, words), "float")
    words = np.where(integral, whole.view(np.uint64), words)
    return _Payload((words, words), "float", (("int", integral),))


def _decimals(array: Any) -> _Payload:
    """Decimals of few digits are numbers like any other; longer ones are compared as exact text."""
    spelled = array.cast(pa.string())
    digits = pc.utf8_ltrim(pc.utf8_rtrim(pc.replace_substring_regex(spelled, r"[eE].*|[^0-9]", ""), "0"), "0")
    simple = _floats(fixed(spelled.cast(pa.float64()), np.float64, 0.0))
    long = fixed(pc.utf8_length(digits), np.int32, 0) > _EXACT_DIGITS
    if not long.any():
        return simple
    pairs = zip(spelled.to_pylist(), long, strict=True)
    exact = [format(Decimal(text).normalize(), "f") if is_long else "" for text, is_long in pairs]
    lanes = hash_strings(texts(exact))
    words = (np.where(long, lanes[0], simple.lanes[0]), np.where(long, lanes[1], simple.lanes[1]))
    return _Payload(words, simple.tag, (*simple.others, ("decimal", long)))


def _times(array: Any) -> _Payload:
    kind = array.type
    ticks = fixed(array, np.dtype(f"i{kind.bit_width // 8}")).astype(np.int64)
    if pa.types.is_date32(kind):
        unit, tag, ticks = 1, "time", ticks * 86_400
    else:
        unit = 1000 if pa.types.is_date64(kind) else _PER_SECOND[kind.unit]
        tag = "clock" if pa.types.is_time(kind) else "span" if pa.types.is_duration(kind) else "time"
        tag = "instant" if pa.types.is_timestamp(kind) and kind.tz is not None else tag
    seconds = ticks // unit
    nanos = ((ticks - seconds * unit) * (10**9 // unit)).view(np.uint64)
    seconds = seconds.view(np.uint64)
    if not nanos.any():
        return _Payload((seconds, seconds), tag)
    some = nanos != 0
    parts = [np.where(some, mix(nanos ^ key(lane, "nanos", "")), np.uint64(0)) + seconds for lane in (0, 1)]
    return _Payload((parts[0], parts[1]), tag)


def _nested(array: Any) -> _Payload:
    if pa.types.is_struct(array.type):
        total = np.zeros((2, len(array)), dtype=np.uint64)
        for number, child in enumerate(array.flatten()):
            cells = cell_digests(child, array.type.field(number).name)
            if child.null_count:  # readers fill fields that a record does not have with nulls
                cells[:, where_null(child)] = 0
            total += cells
        return _Payload((total[0], total[1]), "struct")
    if pa.types.is_union(array.type):
        return _as_texts(array)
    if pa.types.is_map(array.type):
        array = array.cast(pa.list_(pa.struct([("key", array.type.key_type), ("value", array.type.item_type)])))
    lengths = fixed(pc.list_value_length(array).cast(pa.int64()), np.int64, 0)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    items = cell_digests(array.flatten(), "")
    place = (np.arange(items.shape[1], dtype=np.int64) - np.repeat(starts, lengths)).view(np.uint64) * _POSITION
    sums = []
    for lane in (0, 1):
        running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mix(items[lane] ^ place))])
        sums.append(running[ends] - running[starts] + lengths.view(np.uint64))
    return _Payload((sums[0], sums[1]), "list")
