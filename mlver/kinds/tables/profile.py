"""What one version of a table looks like, column by column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mlver.kinds.base import Units, Value
from mlver.kinds.tables.arrays import as_array, fixed
from mlver.kinds.tables.digest import cell_digests
from mlver.kinds.tables.keypaths import leaves, looks_like_objects
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.late_table import LateTable
from mlver.kinds.tables.mixing import U64
from mlver.kinds.tables.partitions import FolderTable
from mlver.kinds.tables.units import TableUnits
from mlver.kinds.tables.values import decoded, family, logical, plain, type_name
from mlver.kinds.tables.whole import parts_of, slices

Floats = npt.NDArray[np.float64]
Parts = Callable[[], Iterator[Any]]  # of one column, as arrays in order

QUANTILES: Final = {"p5": 0.05, "p50": 0.5, "p95": 0.95}
_LOW = 100  # distinct values up to which the most frequent ones are listed
_TOP = 10
_STEP: Final = 1 << 16


def profile(units: Units) -> Mapping[str, Value]:
    """Return `rows`, `columns`, `key` and `profile`: for each column by name what `_column_profile` says.

    The keys of objects have profiles, too, by path (`attrs.color`).
    """
    if not isinstance(units, TableUnits | LateTable):
        return {"units": len(units)}
    table = units.table
    described: dict[str, Value] = {}
    for field in table.schema:
        parts = partial(parts_of, table, field.name)
        described[field.name] = _column_profile(parts, field.type, table.num_rows)
        inside = leaves(table.column(field.name), field.name) if _may_be_objects(parts, field.type) else {}
        fresh = {path: leaf for path, leaf in inside.items() if path not in table.column_names}
        described |= {path: column_profile(leaf) for path, leaf in fresh.items()}
    said: dict[str, Value] = {"rows": table.num_rows, "columns": len(table.column_names), "key": list(units.key)}
    if isinstance(units, FolderTable):
        said["parts"] = units.read
    return said | {"profile": described}


def _may_be_objects(parts: Parts, kind: Any) -> bool:
    """Whether to look for objects in a column: if it has fields, or the first texts that are there look like some."""
    if family(kind) != "text":
        return bool(pa.types.is_struct(logical(kind)))
    return next((looks_like_objects(there) for part in parts() if len(there := flat(part).drop_null())), False)


def column_profile(column: Any) -> dict[str, Value]:
    """Return the profile of one column in memory."""
    return _column_profile(partial(slices, column), column.type, len(column))


def _column_profile(parts: Parts, kind: Any, rows: int) -> dict[str, Value]:
    """Return `type`, `count` (values that are there), `nulls`, and what the type allows.

    `distinct`, `min`, `max`; for numbers also `mean`, `p5`, `p50`, `p95` and `nan` (NaN are counted
    as values and left out of all the rest); for few values that repeat `top`, as [value, count] pairs.
    A column is gone through part by part: of each value 8 bytes are kept, and of a number 8 more.
    """
    sort, nulls, count = family(kind), 0, 0
    words, found = (np.empty(rows, dtype=np.uint64), np.empty(rows)) if sort not in ("nested", "null") else (None, None)
    ends: list[Any] = []
    for part in parts():
        nulls += part.null_count
        there = flat(part).drop_null()
        begin, count = count, count + len(there)
        if words is None or found is None or not len(there):
            continue
        words[begin:count] = cell_digests(there, "")[0]
        if sort in ("number", "bool"):
            found[begin:count] = numbers(there)
        elif sort not in ("bytes", "span"):
            ends += [as_array(end) for end in pc.min_max(there).values()]
    said: dict[str, Value] = {"type": type_name(kind), "count": count, "nulls": nulls}
    if words is None or found is None or not count:
        return said
    said["distinct"] = _distinct(words[:count])
    del words
    if sort in ("number", "bool"):
        said |= _numbers(found[:count])
    elif ends:
        both = pc.min_max(pa.concat_arrays(ends))
        said["min"], said["max"] = (plain(as_array(both[side]))[0] for side in ("min", "max"))
    if said["distinct"] <= min(_LOW, max(count // 2, 2)):
        said["top"] = _top_values(parts)
    return said


def _distinct(words: U64) -> int:
    """Return how many different words there are, which are put in order."""
    words.sort()
    steps = (words[begin : begin + _STEP + 1] for begin in range(0, len(words), _STEP))
    return 1 + sum(int(np.count_nonzero(step[1:] != step[:-1])) for step in steps)


def flat(column: Any) -> Any:
    """Return a column as one plain array: no chunks, no dictionary, no type Arrow can't count."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # too large for one piece
        return pa.chunked_array([_countable(decoded(chunk)) for chunk in array.chunks])
    return _countable(decoded(array))


def _countable(array: Any) -> Any:
    if pa.types.is_float16(array.type):
        return array.cast(pa.float32())
    return array.cast(pa.large_string()) if pa.types.is_string_view(array.type) else array


def numbers(array: Any) -> Floats:
    """Return the values of a number or bool column as doubles, without nulls; NaN stay."""
    kind = pa.float64()
    if family(array.type) == "bool":
        array = array.cast(pa.uint8())
    elif pa.types.is_decimal(array.type):
        array = array.cast(pa.string())
    values: Floats = fixed(array.drop_null().cast(kind, safe=False), np.float64)
    return values


def _top_values(parts: Parts) -> list[list[Value]]:
    """Return the most frequent values with their counts, ties by value."""
    counted = [pc.value_counts(flat(part).drop_null()) for part in parts()]
    values = pa.concat_arrays([one.field("values") for one in counted]).dictionary_encode()
    counts = np.zeros(len(values.dictionary), dtype=np.int64)
    times = np.concatenate([fixed(one.field("counts"), np.int64) for one in counted])
    np.add.at(counts, fixed(values.indices, np.int32), times)
    pairs = zip(plain(values.dictionary), counts.tolist(), strict=True)
    return [list(pair) for pair in sorted(pairs, key=lambda pair: (-pair[1], str(pair[0])))[:_TOP]]


def _numbers(values: Floats) -> dict[str, Value]:
    """Return what is said of these numbers, which may be put in another order."""
    nan = int(np.count_nonzero(np.isnan(values)))
    finite = values[~np.isnan(values)] if nan else values
    said: dict[str, Value] = {"nan": nan} if nan else {}
    if not len(finite):
        return said
    with np.errstate(invalid="ignore", over="ignore"):  # infinities have no mean
        mean = float(finite.mean())
        marks = np.quantile(finite, list(QUANTILES.values()), overwrite_input=True)
    said |= {"min": _short(finite.min()), "max": _short(finite.max()), "mean": mean}
    return said | {name: _short(mark) for name, mark in zip(QUANTILES, marks, strict=True)}


def _short(value: Any) -> int | float:
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < 2.0**53 else number
