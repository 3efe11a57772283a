"""What rows a model was trained on and rows it is judged on have in common, and what gives a label away.

Rows are compared by their digests (digest.py), so the types and files they come from do not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from mlver.frozen import frozen
from mlver.kinds.tables.arrays import bits
from mlver.kinds.tables.digest import column_digests, row_digests
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.mixing import U64, Mask
from mlver.kinds.tables.profile import flat
from mlver.kinds.tables.units import TableUnits
from mlver.kinds.tables.values import family

_FEW = 3  # rows that agree in fewer columns than this may do so by chance
_CLASSES = 20  # a label with more values is a number to foretell, not a class


@frozen
class Common:
    """Rows of the second table that the first one has too: their positions, and the columns they agree in."""

    rows: Mask
    columns: tuple[str, ...]


@frozen
class Later:
    """Rows of the first table that are not older than the oldest of the second; `first` is its moment."""

    rows: Mask
    first: str
    last: str


def same_keys(train: TableUnits, judged: TableUnits) -> Common | None:
    """Return the rows of `judged` whose key is one of `train`; None when they are not named by the same columns."""
    if not train.key or train.key != judged.key:
        return None
    return Common(_within(judged, train, train.key), train.key)


def same_rows(train: TableUnits, judged: TableUnits, label: str | None) -> Common | None:
    """Return the rows of `judged` that say the same as one of `train` in all common columns but key and label.

    None when fewer than three columns are left to compare: then equal rows prove nothing.
    """
    keys = {*train.key, *judged.key, label}
    theirs = set(judged.table.column_names)
    columns = tuple(name for name in train.table.column_names if name in theirs and name not in keys)
    if len(columns) < _FEW:
        return None
    return Common(_within(judged, train, columns), columns)


def label_copies(train: TableUnits, label: str) -> Iterator[str]:
    """Yield the columns that tell the label: each value of one stands for one value of the other.

    Of a label with more than 20 values only columns that equal it are found.
    """
    table = train.table
    answers = column_digests(table.column(label), "")
    known = _known(table.column(label))
    classes = len(np.unique(answers[0][known]))
    for name in table.column_names:
        if name == label or name in train.key:
            continue
        both = known & _known(table.column(name))
        mine, theirs = column_digests(table.column(name), "")[0][both], answers[0][both]
        if classes > _CLASSES:
            tells = bool(len(mine)) and bool((mine == theirs).all())
        else:
            tells = classes > 1 and _one_to_one(mine, theirs, classes)
        if tells:
            yield name


def later_rows(train: TableUnits, judged: TableUnits, column: str) -> Later | None:
    """Return the rows of `train` that are not older than the oldest row of `judged`.

    None when the column does not order the rows of both alike.
    """
    mine, theirs = (flat(units.table.column(column)) for units in (train, judged))
    if mine.type != theirs.type and {family(mine.type), family(theirs.type)} != {"number"}:
        return None
    try:
        first, last = pc.min(theirs), pc.max(mine)
        late = pc.fill_null(pc.greater_equal(mine, first), False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # no order, as of nested values
        return None
    if not first.is_valid or not last.is_valid:
        return None
    return Later(bits(late), str(first), str(last))


def moments(train: TableUnits, judged: TableUnits) -> list[str]:
    """Return the columns of dates and times that both tables have."""
    theirs = set(judged.table.column_names)
    return [
        field.name
        for field in train.table.schema
        if field.name in theirs and (pa.types.is_timestamp(field.type) or pa.types.is_date(field.type))
    ]


def _within(judged: TableUnits, train: TableUnits, columns: tuple[str, ...]) -> Mask:
    first, second = (row_digests(units.table, columns) for units in (judged, train))
    found: Mask = np.isin(first[0], second[0]) & np.isin(first[1], second[1])
    return found


def _known(column: Any) -> Mask:
    return bits(pc.is_valid(flat(column)))


def _one_to_one(mine: U64, theirs: U64, classes: int) -> bool:
    pairs = np.unique(np.stack([mine, theirs]), axis=1).shape[1]
    return bool(pairs == len(np.unique(mine)) == len(np.unique(theirs)) == classes)
