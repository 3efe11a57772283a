"""Names of rows, made of their keys piece by piece: whether they rise, and whether two rows have one."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mlver.frozen import frozen
from mlver.kinds.tables.arrays import fixed
from mlver.kinds.tables.digest import row_digests
from mlver.kinds.tables.keying import repeats
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.meeting import one_piece
from mlver.kinds.tables.mixing import U64, Lanes

_FELL: Final = object()


class RowNames:
    """The names of all rows so far: eight bytes each, or some less as long as keys rise."""

    def __init__(self) -> None:
        self._names: list[U64 | _Steps] = []
        self._last: Any = None  # key of the row before, as long as keys rise

    @property
    def rise(self) -> bool:
        """Whether each key so far is above the one before."""
        return self._last is not _FELL

    def add(self, keys: Any) -> Lanes:
        """Take in the keys of some rows, of which there are any and none is null; return what `named` does."""
        lanes = named(keys)
        self._last = _risen(keys, self._last) if self.rise else _FELL
        self._names.append(_Steps.of(lanes[0]) if self.rise else lanes[0].copy())
        return lanes

    def repeat(self) -> bool:
        """Whether two rows may have one name: not those of one column that only rises."""
        if self.rise:
            return False
        return repeats(np.concatenate([one.names() if isinstance(one, _Steps) else one for one in self._names]))


def named(keys: Any) -> Lanes:
    """Return 128 bits per row that are the same where keys are: whole numbers are their own name."""
    kind = keys.schema.field(0).type
    if keys.num_columns > 1 or not pa.types.is_integer(kind):
        return row_digests(keys)
    lanes = np.zeros((2, keys.num_rows), dtype=np.uint64)
    lanes[0] = fixed(one_piece(keys.column(0)), np.dtype(str(kind)))
    return lanes


def _risen(keys: Any, last: Any) -> Any:
    """Return the last key when they rise from `last` on, row by row; `_FELL` when not, or they have no order here."""
    column = keys.column(0)
    if keys.num_columns > 1 or not (pa.types.is_integer(column.type) or pa.types.is_temporal(column.type)):
        return _FELL
    array = one_piece(column)
    if last is not None and not pc.less(last, array[0]).as_py():
        return _FELL
    return array[-1] if pc.all(pc.less(array[:-1], array[1:])).as_py() is not False else _FELL


@frozen
class _Steps:
    """Names that rise, in a byte or some each: nobody may ever ask for them."""

    first: np.uint64
    steps: npt.NDArray[Any]

    @classmethod
    def of(cls, names: U64) -> _Steps:
        """Keep names, which may rise round the end of 64 bits."""
        steps = np.diff(names)
        return cls(names[0], steps.astype(np.min_scalar_type(steps.max() if len(steps) else 0)))

    def names(self) -> U64:
        """Return the names again."""
        return np.cumsum(np.concatenate([[self.first], self.steps.astype(np.uint64)]), dtype=np.uint64)
