"""What one version of a table looks like, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mlver.kinds.base import Units, Value
from mlver.kinds.tables.arrays import as_array, fixed
from mlver.kinds.tables.keypaths import leaves
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.late_table import LateTable
from mlver.kinds.tables.partitions import FolderTable
from mlver.kinds.tables.units import TableUnits
from mlver.kinds.tables.values import decoded, family, plain, type_name

Floats = npt.NDArray[np.float64]

QUANTILES: Final = {"p5": 0.05, "p50": 0.5, "p95": 0.95}
_LOW = 100  # distinct values up to which the most frequent ones are listed
_TOP = 10


def profile(units: Units) -> Mapping[str, Value]:
    """Return `rows`, `columns`, `key` and `profile`: for each column by name what `column_profile` says.

    The keys of objects have profiles, too, by path (`attrs.color`).
    """
    if not isinstance(units, TableUnits | LateTable):
        return {"units": len(units)}
    table = units.table
    described: dict[str, Value] = {}
    for name in table.column_names:
        column = table.column(name)
        described[name] = column_profile(column)
        inside = {path: leaf for path, leaf in leaves(column, name).items() if path not in table.column_names}
        described |= {path: column_profile(leaf) for path, leaf in inside.items()}
    said: dict[str, Value] = {"rows": table.num_rows, "columns": len(table.column_names), "key": list(units.key)}
    if isinstance(units, FolderTable):
        said["parts"] = units.read
    return said | {"profile": described}


def column_profile(column: Any) -> dict[str, Value]:
    """Return `type`, `count` (values that are there), `nulls`, and what the type allows.

    `distinct`, `min`, `max`; for numbers also `mean`, `p5`, `p50`, `p95` and `nan` (NaN are counted
    as values and left out of all the rest); for few values that repeat `top`, as [value, count] pairs.
    """
    name = type_name(column.type)
    column = flat(column)
    said: dict[str, Value] = {
        "type": name,
        "count": len(column) - column.null_count,
        "nulls": column.null_count,
    }
    kind = family(column.type)
    if kind in ("nested", "null") or said["count"] == 0:
        return said
    said["distinct"] = pc.count_distinct(column).as_py()
    if kind in ("number", "bool"):
        said |= _numbers(numbers(column))
    elif kind not in ("bytes", "span"):
        ends = pc.min_max(column)
        said["min"], said["max"] = (plain(as_array(ends[side]))[0] for side in ("min", "max"))
    if said["distinct"] <= min(_LOW, max(said["count"] // 2, 2)):
        said["top"] = top_values(column)
    return said


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


def top_values(array: Any, limit: int = _TOP) -> list[list[Value]]:
    """Return the most frequent values with their counts, ties by value."""
    counted = pc.value_counts(array.drop_null())
    pairs = zip(plain(counted.field("values")), counted.field("counts").to_pylist(), strict=True)
    return [list(pair) for pair in sorted(pairs, key=lambda pair: (-pair[1], str(pair[0])))[:limit]]


def _numbers(values: Floats) -> dict[str, Value]:
    finite = values[~np.isnan(values)]
    said: dict[str, Value] = {"nan": int(len(values) - len(finite))} if len(finite) < len(values) else {}
    if not len(finite):
        return said
    with np.errstate(invalid="ignore", over="ignore"):  # infinities have no mean
        mean = float(finite.mean())
        marks = np.quantile(finite, list(QUANTILES.values()))
    said |= {"min": _short(finite.min()), "max": _short(finite.max()), "mean": mean}
    return said | {name: _short(mark) for name, mark in zip(QUANTILES, marks, strict=True)}


def _short(value: Any) -> int | float:
    number = float(value)
    return int(number) if number.is_integer() and abs(number) < 2.0**53 else number
