"""Does a yes/no column still go with the features the way it used to? Flipped labels show here first.

Each 0/1 column is correlated (Pearson) with each number column, once over the older version and once over
the rows that came or whose 0/1 value changed, as a whole and per value of columns with few values.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from mlver.frozen import frozen
from mlver.kinds.tables.arrays import bits, fixed, positions
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.mixing import Mask, Rows
from mlver.kinds.tables.pair import Pair
from mlver.kinds.tables.profile import Floats, flat
from mlver.kinds.tables.values import family

_STRONG = 0.5  # correlations below this say nothing when they change sign
_ROWS = 15
_SAMPLE = 100_000  # rows of the older version looked at, evenly spaced
_FEATURES, _LABELS, _VALUES = 256, 8, 20


@frozen
class Flip:
    """A correlation that changed sign in the rows that are new: `rows` of them, in slice `where`."""

    column: str
    where: str
    feature: str
    old: float
    new: float
    rows: int


def flips(pair: Pair, limit: int = 12) -> tuple[Flip, ...]:
    """Return the associations that flipped: per slice the strongest one, and that of the first feature.

    The new rows are looked at first: they are few, and what is weak there has not flipped, whatever it was before.
    """
    labels = [name for name in pair.common if name not in pair.key and _may_be_binary(pair, name)]
    if len(labels) > _LABELS:
        labels = list(islice((name for name in labels if _is_binary(pair, name)), _LABELS))
    if not labels or pair.wholes[0].num_rows < _ROWS:
        return ()
    older = _Older(pair.wholes[0])
    found: list[Flip] = []
    for label in labels:
        touched = pair.changed_new[pair.cells[label]] if label in pair.cells else np.empty(0, np.int64)
        new = np.concatenate([pair.alignment.added, touched])
        if len(new) >= _ROWS:
            found += _flips_of(pair, label, older, new)
    return tuple(found[:limit])


class _Older:
    """Rows of the older version, evenly spaced, column by column when asked for."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._rows = positions(np.arange(0, table.num_rows, -(-table.num_rows // _SAMPLE)))
        self._doubles: dict[str, Floats] = {}
        self._flat: dict[str, Any] = {}

    def doubles(self, name: str) -> Floats:
        """Return a column of numbers or yes and no."""
        if name not in self._doubles:
            self._doubles[name] = _doubles(self._table.column(name).take(self._rows))
        return self._doubles[name]

    def where(self, name: str, value: Any) -> Mask:
        """Return which rows hold a text, all without one."""
        if value is None:
            return np.ones(len(self._rows), dtype=bool)
        if name not in self._flat:
            self._flat[name] = flat(self._table.column(name).take(self._rows))
        return bits(pc.equal(self._flat[name], value.cast(self._flat[name].type)))


def _flips_of(pair: Pair, label: str, older: _Older, new: Rows) -> Iterator[Flip]:
    features = [name for name in pair.common if name != label and name not in pair.key and _is_number(pair, name)]
    features = features[:_FEATURES]
    if not features:
        return
    side = _matrix(pair.new, [label, *features], new)
    for name, value, mask in _slices(pair, new):
        count = int(mask.sum())
        after = correlations(side[0][mask], side[1:, mask]) if count >= _ROWS else np.empty(0)
        strong = np.flatnonzero(np.abs(after) > _STRONG)
        if not len(strong):
            continue
        if not _is_binary(pair, label):
            return
        there = older.where(name, value)
        if int(there.sum()) < _ROWS:
            continue
        rows = np.stack([older.doubles(features[i])[there] for i in strong])
        before = correlations(older.doubles(label)[there], rows)
        flipped = (before * after[strong] < 0) & (np.abs(before) > _STRONG)
        # The strongest, and the first in the file: what people list first they know best.
        strongest = np.argmax(np.where(flipped, np.abs(before), 0.0))
        where = "all rows" if value is None else f"{name}={value}"
        for i in dict.fromkeys((int(strongest), int(np.argmax(flipped)))) if flipped.any() else ():
            yield Flip(label, where, features[strong[i]], float(before[i]), float(after[strong[i]]), count)


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


def _slices(pair: Pair, new: Rows) -> Iterator[tuple[str, Any, Mask]]:
    """Yield all new rows, then those of each text in columns of few: column, text (None: all), which rows."""
    yield "", None, np.ones(len(new), dtype=bool)
    for name in pair.common:
        if name in pair.key or any(family(t.schema.field(name).type) != "text" for t in (pair.old, pair.new)):
            continue
        there = flat(pair.new.column(name).take(positions(new)))
        values = pc.unique(there).drop_null()
        if len(values) > _VALUES:
            continue
        for value in sorted(values, key=str):
            yield name, value, bits(pc.equal(there, value))


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


def _may_be_binary(pair: Pair, name: str) -> bool:
    """Whether the column holds 0 and 1 (or false and true) and nothing else in the rows at hand of both versions."""
    kinds = [table.schema.field(name).type for table in (pair.old, pair.new)]
    if all(family(kind) == "bool" for kind in kinds):
        return True
    if not all(family(kind) == "bool" or pa.types.is_integer(kind) for kind in kinds):
        return False
    return all(_spans(table.column(name), 0, 1) for table in (pair.old, pair.new))


def _is_binary(pair: Pair, name: str) -> bool:
    """Whether a column that may be binary is, in all rows, and has both values in either version."""
    return all(
        family(whole.schema.field(name).type) == "bool" or _spans(whole.column(name), 0, 1, exactly=True)
        for whole in pair.wholes
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
