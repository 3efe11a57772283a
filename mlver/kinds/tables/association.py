"""Does a yes/no column still go with the features the way it used to? Flipped labels show here first.

Each 0/1 column is correlated (Pearson) with each number column, once over the older version and once over
the rows that came or whose 0/1 value changed, as a whole and per value of columns with few values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlver.kinds.tables.arrays import bits, fixed, positions
from mlver.kinds.tables.mixing import Mask, Rows
from mlver.kinds.tables.pair import Pair
from mlver.kinds.tables.profile import Floats, flat
from mlver.kinds.tables.values import family

_STRONG = 0.5  # correlations below this say nothing when they change sign
_ROWS = 15
_SAMPLE = 100_000  # rows of the older version looked at, evenly spaced
_FEATURES, _LABELS, _VALUES = 256, 8, 20


@dataclass(frozen=True)
class Flip:
    """A correlation that changed sign in the rows that are new: `rows` of them, in slice `where`."""

    column: str
    where: str
    feature: str
    old: float
    new: float
    rows: int


def flips(pair: Pair, limit: int = 12) -> tuple[Flip, ...]:
    """Return the associations that flipped: per slice the strongest one, and that of the first feature."""
    labels = [name for name in pair.common if name not in pair.key and _is_binary(pair, name)][:_LABELS]
    rows = pair.wholes[0].num_rows
    if not labels or rows < _ROWS:
        return ()
    old = np.arange(0, rows, -(-rows // _SAMPLE))
    found: list[Flip] = []
    for label in labels:
        touched = pair.changed_new[pair.cells[label]] if label in pair.cells else np.empty(0, np.int64)
        new = np.concatenate([pair.alignment.added, touched])
        if len(new) >= _ROWS:
            found += _flips_of(pair, label, old, new)
    return tuple(found[:limit])


def _flips_of(pair: Pair, label: str, old: Rows, new: Rows) -> Iterator[Flip]:
    features = [name for name in pair.common if name != label and name not in pair.key and _is_number(pair, name)]
    features = features[:_FEATURES]
    if not features:
        return
    sides = [(_matrix(pair.wholes[0], [label, *features], old)), (_matrix(pair.new, [label, *features], new))]
    for where, masks in _slices(pair, old, new):
        count = int(masks[1].sum())
        if count < _ROWS or int(masks[0].sum()) < _ROWS:
            continue
        before, after = (correlations(side[0][mask], side[1:, mask]) for side, mask in zip(sides, masks, strict=True))
        flipped = (before * after < 0) & (np.minimum(np.abs(before), np.abs(after)) > _STRONG)
        # The strongest, and the first in the file: what people list first they know best.
        strongest = np.argmax(np.where(flipped, np.abs(before), 0.0))
        for i in dict.fromkeys((int(strongest), int(np.argmax(flipped)))) if flipped.any() else ():
            yield Flip(label, where, features[i], float(before[i]), float(after[i]), count)


def correlations(label: Floats, features: Floats) -> Floats:
    """Return Pearson's r of `label` with each row of `features`, over the places where both are; 0 if undefined."""
    there = np.isfinite(features) & np.isfinite(label)
    count = np.maximum(there.sum(axis=1), 1)
    x = np.where(there, features, 0.0)
    y = np.where(there, label, 0.0)
    x = np.where(there, x - (x.sum(axis=1) / count)[:, None], 0.0)
    y = np.where(there, y - (y.sum(axis=1) / count)[:, None], 0.0)
    spread = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    products = (x * y).sum(axis=1)
    enough = (spread > 0) & (there.sum(axis=1) >= _ROWS)
    result: Floats = np.divide(products, spread, out=np.zeros_like(products), where=enough)
    return result


def _slices(pair: Pair, old: Rows, new: Rows) -> Iterator[tuple[str, tuple[Mask, Mask]]]:
    yield "all rows", (np.ones(len(old), dtype=bool), np.ones(len(new), dtype=bool))
    for name in pair.common:
        if name in pair.key or any(family(t.schema.field(name).type) != "text" for t in (pair.old, pair.new)):
            continue
        there = flat(pair.new.column(name).take(positions(new)))
        values = pc.unique(there).drop_null()
        if len(values) > _VALUES:
            continue
        sides = flat(pair.wholes[0].column(name).take(positions(old))), there
        for value in sorted(values, key=str):
            first, second = (bits(pc.equal(side, value.cast(side.type))) for side in sides)
            yield f"{name}={value}", (first, second)


def _matrix(table: Any, names: list[str], rows: Rows) -> Floats:
    """Return the columns as rows of doubles, NaN where a value is missing."""
    return np.stack([_doubles(table.column(name).take(positions(rows))) for name in names])


def _doubles(column: Any) -> Floats:
    array = flat(column)
    if family(array.type) == "bool":
        array = array.cast(pa.uint8())
    values: Floats = fixed(array.cast(pa.float64(), safe=False), np.float64, np.nan)
    return values


def _is_number(pair: Pair, name: str) -> bool:
    kinds = [table.schema.field(name).type for table in (pair.old, pair.new)]
    return all(family(kind) == "number" and not pa.types.is_decimal(kind) for kind in kinds)


def _is_binary(pair: Pair, name: str) -> bool:
    """Whether the column holds 0 and 1 (or false and true) and nothing else, in both versions."""
    kinds = [table.schema.field(name).type for table in (pair.old, pair.new)]
    if all(family(kind) == "bool" for kind in kinds):
        return True
    if not all(family(kind) == "bool" or pa.types.is_integer(kind) for kind in kinds):
        return False
    near = [table.column(name) for table in (pair.old, pair.new)]  # to look at few rows first saves reading all
    return all(_spans(side, 0, 1) for side in near) and all(
        _spans(whole.column(name), 0, 1, exactly=True) for whole in pair.wholes
    )


def _spans(column: Any, low: int, high: int, *, exactly: bool = False) -> bool:
    """Whether all values lie between `low` and `high`, and, `exactly`, both are there."""
    if family(column.type) == "bool":
        return True
    ends = pc.min_max(column)
    least, most = ends["min"].as_py(), ends["max"].as_py()
    if least is None:
        return not exactly
    return (least, most) == (low, high) if exactly else bool(low <= least and most <= high)
