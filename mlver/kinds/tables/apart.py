"""The rows that two versions of a table do not share, found in one pass over both, piece by piece.

Rows of the same key and the same cells are dropped from both sides as soon as they meet, which leaves the difference
as it is; what is held in memory are the pieces at hand and what has met nobody yet. Keys in the same order on both
sides, whichever order that is, meet within a piece or two.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlver.kinds.base import Source, Spec
from mlver.kinds.tables.align import align
from mlver.kinds.tables.arrays import bits, empty, fixed, missing, positions
from mlver.kinds.tables.digest import row_digests
from mlver.kinds.tables.keying import may_name, repeats
from mlver.kinds.tables.lenient import cells_differ, readable_as
from mlver.kinds.tables.mixing import U64, Lanes, Mask, Rows
from mlver.kinds.tables.pieces import CannotCut, pieces
from mlver.kinds.tables.units import TableUnits
from mlver.kinds.tables.values import logical
from mlver.kinds.tables.whole import WholeTable

_ALONE: Final = 1 << 18  # rows that have met nobody, before the order is taken for another one
_RUNS: Final = 64  # in a piece: so many stretches are compared one by one, more are gathered first
_FEW: Final = 4  # the same where gathering is cheap
_LOOKED_AT: Final = 1 << 17  # rows after which a table that is new in most of them is read whole


class ReadWhole(Exception):
    """The two tables are better, or only, compared when both are read whole."""


@dataclass(frozen=True)
class Apart:
    """What is left of two tables without the rows they share: tables in file order, and the rows there were."""

    old: Any
    new: Any
    rows_old: int
    rows_new: int
    key: tuple[str, ...]


class ApartTable(TableUnits):
    """The rows of one version that the other has not alike; `whole` has all of them."""

    def __init__(self, table: Any, key: tuple[str, ...], whole: WholeTable) -> None:
        super().__init__(table, key)
        self._whole_table = whole

    @property
    def whole(self) -> WholeTable:
        """All rows, read column by column when asked for."""
        return self._whole_table


def units_apart(old: Source, new: Source, specs: tuple[Spec, Spec]) -> tuple[ApartTable, ApartTable]:
    """Return the units of two versions that are not the same in both; ReadWhole or Unreadable as `rows_apart`."""
    apart = rows_apart(old, new, specs)
    sides = ((old, apart.old, apart.rows_old), (new, apart.new, apart.rows_new))
    made = [ApartTable(table, apart.key, WholeTable(source, table.schema, rows)) for source, table, rows in sides]
    return made[0], made[1]


def rows_apart(old: Source, new: Source, specs: tuple[Spec, Spec]) -> Apart:
    """Return the rows of two Parquet or Arrow files that differ; ReadWhole or Unreadable when that cannot be said."""
    with ThreadPoolExecutor(2) as pool:
        sides = tuple(
            _Side(pieces(source, spec.options, lambda schema: (None, None)), pool)
            for source, spec in zip((old, new), specs, strict=True)
        )
        try:
            return _compared(sides[0], sides[1], specs)
        except CannotCut:
            raise ReadWhole from None
        finally:
            for side in sides:
                side.close()


def _compared(old: _Side, new: _Side, specs: tuple[Spec, Spec]) -> Apart:
    key = _key(old.schema, new.schema, specs)
    meet = _Meeting(old.schema, new.schema, key)
    while True:
        old.take_next(meet)
        new.take_next(meet)
        alignment = align(old.lanes, new.lanes)
        differs = meet.differs(old.pool, new.pool, alignment.old, alignment.new)
        # a row that met nobody can only wait for pieces of the other side
        old.settle(alignment.old[differs], alignment.removed, alignment.removed if new.ended else _NONE)
        new.settle(alignment.new[differs], alignment.added, alignment.added if old.ended else _NONE)
        if old.ended and new.ended:
            break
        if max(old.waiting, new.waiting) > _ALONE or (old.seen > _LOOKED_AT and 2 * old.told > old.seen):
            raise ReadWhole
    if old.key_repeats() or new.key_repeats():
        raise ReadWhole  # said better of the whole
    return Apart(old.result(), new.result(), old.seen, new.seen, key)


_NONE: Final[Rows] = np.empty(0, dtype=np.int64)
_FELL: Final = object()


def _names(keys: Any) -> Lanes:
    """Return 128 bits per row that are the same where keys are: whole numbers are their own name."""
    kind = keys.schema.field(0).type
    if keys.num_columns > 1 or not pa.types.is_integer(kind):
        return row_digests(keys)
    values = fixed(_whole(keys.column(0)), np.dtype(str(kind)))
    return np.stack([values.astype(np.uint64), np.zeros(len(values), dtype=np.uint64)])


def _risen(keys: Any, last: Any) -> Any:
    """Return the last key when they rise from `last` on, row by row; `_FELL` when not, or they have no order here."""
    column = keys.column(0)
    if keys.num_columns > 1 or not (pa.types.is_integer(column.type) or pa.types.is_temporal(column.type)):
        return _FELL
    array = _whole(column)
    if last is not None and not pc.less(last, array[0]).as_py():
        return _FELL
    return array[-1] if pc.all(pc.less(array[:-1], array[1:])).as_py() is not False else _FELL


class _Side:
    """One of the two tables: the piece at hand together with the rows still waiting, and what was told apart."""

    def __init__(self, source: Iterator[Any], pool: ThreadPoolExecutor) -> None:
        self._source, self._pool = source, pool
        self.schema = next(source).schema  # pieces() begins with an empty one, or the whole
        self._ahead: Future[Any] = pool.submit(next, source, None)
        self.pool: Any = empty(self.schema)
        self.lanes: Lanes = np.empty((2, 0), dtype=np.uint64)
        self._places: Rows = _NONE  # where the rows of `pool` stand in the file
        self._found: list[tuple[Rows, Any]] = []
        self._names: list[U64] = []
        self._last: Any = None  # key of the row before, as long as keys rise
        self.ended = False
        self.seen = self.told = self.waiting = 0

    def take_next(self, meet: _Meeting) -> None:
        """Add the next piece to the rows that wait; `ended` says that there is none after what was taken."""
        if self.ended:
            return
        piece = self._ahead.result()
        if piece is None:
            self.ended = True
            return
        self._ahead = self._pool.submit(next, self._source, None)
        if piece.num_rows == 0:
            return
        keys = meet.keys(piece)
        lanes = _names(keys)
        self._names.append(lanes[0])
        self._last = _risen(keys, self._last) if self._last is not _FELL else _FELL
        self.lanes = np.concatenate([self.lanes, lanes], axis=1)
        self._places = np.concatenate([self._places, np.arange(self.seen, self.seen + piece.num_rows)])
        self.pool = pa.concat_tables([self.pool, piece]).combine_chunks() if self.pool.num_rows else piece
        self.seen += piece.num_rows

    def settle(self, changed: Rows, alone: Rows, final: Rows) -> None:
        """Keep what is known to differ, let those that met nobody wait, and drop the rest."""
        rows = np.concatenate([changed, final])
        if len(rows):
            self._found.append((self._places[rows], self.pool.take(positions(rows)).combine_chunks()))
            self.told += len(rows)
        left = _NONE if len(final) else alone
        self.pool = self.pool.take(positions(left)).combine_chunks()
        self.lanes, self._places = self.lanes[:, left], self._places[left]
        self.waiting = len(left)

    def result(self) -> Any:
        """Return the rows told apart, in file order."""
        if not self._found:
            return empty(self.schema)
        order = np.argsort(np.concatenate([places for places, _ in self._found]), kind="stable")
        return pa.concat_tables([table for _, table in self._found]).take(positions(order)).combine_chunks()

    def key_repeats(self) -> bool:
        """Whether two rows seen may have one name: not those of one column that only rises."""
        return self._last is _FELL and repeats(np.concatenate(self._names))

    def close(self) -> None:
        self._ahead.cancel()
        if not self._ahead.cancelled():
            self._ahead.exception()  # what a piece nobody waits for complains of is nobody's concern
        self._source.close()  # type: ignore[attr-defined]


def _key(old: Any, new: Any, specs: tuple[Spec, Spec]) -> tuple[str, ...]:
    """Return the columns that may name the rows of both tables; ReadWhole when there are none of that kind."""
    if specs[0].key != specs[1].key or not new.names or not old.names:
        raise ReadWhole
    if not (key := specs[1].key):
        if old.names[0] != new.names[0] or not may_name(new.field(0).type):
            raise ReadWhole
        key = (new.names[0],)
    for name in key:
        if name not in old.names or name not in new.names:
            raise ReadWhole
        if logical(old.field(name).type) != logical(new.field(name).type):
            raise ReadWhole
    return key


class _Meeting:
    """How rows of two tables are named and compared: over the columns both have."""

    def __init__(self, old: Any, new: Any, key: tuple[str, ...]) -> None:
        self._key = list(key)
        self._alike: list[str] = []  # columns of one plain type
        self._others: dict[str, str | None] = {}  # columns compared by digest, and how their texts are read
        for name in old.names:
            if name in key or name not in new.names:
                continue
            kinds = old.field(name).type, new.field(name).type
            if kinds[0] == kinds[1] and not (pa.types.is_nested(kinds[0]) or pa.types.is_dictionary(kinds[0])):
                self._alike.append(name)
            else:
                self._others[name] = readable_as(*kinds)

    def keys(self, piece: Any) -> Any:
        """Return the key columns of a piece; ReadWhole when a value is missing."""
        keys = piece.select(self._key)
        if any(column.null_count for column in keys.columns):
            raise ReadWhole
        return keys

    def differs(self, old: Any, new: Any, mine: Rows, theirs: Rows) -> Mask:
        """Return which of the rows `mine` of old and `theirs` of new, that carry one name, hold other cells."""
        found = np.zeros(len(mine), dtype=bool)
        if not len(mine):
            return found
        runs = _runs(mine, theirs)
        for name in self._alike:
            found |= _unequal(old.column(name), new.column(name), mine, theirs, runs, name)
        for name, reading in self._others.items():
            before, after = old.column(name).take(positions(mine)), new.column(name).take(positions(theirs))
            found |= cells_differ(before, after, name, reading)
        return found


def _runs(mine: Rows, theirs: Rows) -> list[tuple[int, int]] | None:
    """Return the stretches in which the rows of both sides follow each other; None when there are too many."""
    broken = np.flatnonzero((np.diff(mine) != 1) | (np.diff(theirs) != 1)) + 1
    if len(broken) > _RUNS:
        return None
    ends = [0, *broken.tolist(), len(mine)]
    return list(pairwise(ends))


def _unequal(old: Any, new: Any, mine: Rows, theirs: Rows, runs: list[tuple[int, int]] | None, name: str) -> Mask:
    """Return where two columns of one type differ by value, as digests say: NaN is NaN, and nothing is nothing."""
    pairs: list[tuple[Any, Any]]
    if runs is None or (len(runs) > _FEW and pa.types.is_primitive(old.type)):
        pairs = [(old.take(positions(mine)), new.take(positions(theirs)))]
    else:
        cuts = [(int(mine[begin]), int(theirs[begin]), end - begin) for begin, end in runs]
        pairs = [(old.slice(first, count), new.slice(second, count)) for first, second, count in cuts]
    return np.concatenate([_apart(_whole(a), _whole(b), name) for a, b in pairs])


def _whole(column: Any) -> Any:
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.combine_chunks() if column.num_chunks else pa.nulls(0, column.type)


def _apart(a: Any, b: Any, name: str) -> Mask:
    try:
        equal = bits(pc.equal(a, b))
    except pa.ArrowNotImplementedError:
        return cells_differ(a, b, name, None)
    if a.null_count and b.null_count:
        equal |= missing(a) & missing(b)
    if pa.types.is_floating(a.type):
        equal |= _nan(a) & _nan(b)
    unsure = np.flatnonzero(~equal)
    differs = ~equal
    if len(unsure):
        differs[unsure] = cells_differ(a.take(positions(unsure)), b.take(positions(unsure)), name, None)
    return differs


def _nan(array: Any) -> Mask:
    return bits(pc.is_nan(array))
