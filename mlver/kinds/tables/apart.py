"""The rows that two versions of a table do not share, found in one pass over both, piece by piece.

Rows of the same key and the same cells are dropped from both sides as soon as they meet, which leaves the difference
as it is; what is held in memory are the pieces at hand and what has met nobody yet. Keys in the same order on both
sides, whichever order that is, meet within a piece or two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mlver.frozen import frozen
from mlver.kinds.base import NoRoom, Source, Spec
from mlver.kinds.tables.align import align
from mlver.kinds.tables.arrays import empty, positions
from mlver.kinds.tables.keying import RowKeying, may_name
from mlver.kinds.tables.late import frugal, load_compute
from mlver.kinds.tables.meeting import Meeting, Pool, without_dictionaries
from mlver.kinds.tables.mixing import Lanes, Rows
from mlver.kinds.tables.pieces import pieces
from mlver.kinds.tables.row_names import RowNames
from mlver.kinds.tables.same_groups import same_groups
from mlver.kinds.tables.text_blocks import CannotCut
from mlver.kinds.tables.units import TableUnits
from mlver.kinds.tables.values import logical
from mlver.kinds.tables.weight import COPIES
from mlver.kinds.tables.whole import WholeTable

_ALONE: Final = 1 << 17  # rows that have met nobody, before the order is taken for another one
_WAITING: Final = 128 << 20  # bytes of them, likewise
_ROWS: Final = 1 << 17  # in a piece
_LOOKED_AT: Final = 1 << 17  # rows after which a table that is new in most of them is read whole
_HELD: Final = 4  # times rows that wait are in memory while they are looked for
_NAME: Final = 24  # bytes a name takes that is remembered, and its copies while repeats are looked for


class ReadWhole(Exception):
    """The two tables are better, or only, compared when both are read whole."""


@frozen
class Apart:
    """What is left of two tables without the rows they share: tables in file order, and the rows there were."""

    old: Any
    new: Any
    rows_old: int
    rows_new: int
    key: tuple[str, ...]


class ApartTable(TableUnits):
    """The rows of one version that the other has not alike; `whole` has all of them."""

    def __init__(
        self,
        table: Any,
        key: tuple[str, ...],
        whole: WholeTable,
        agreed: tuple[str, ...] | None = None,
        before: Rows | None = None,
    ) -> None:
        """`agreed` names rows on both sides: (), whole rows do; None: to be found, which takes a key on both.

        Of whole rows `before` says how many copies of each are left out that stand before those here.
        """
        super().__init__(table, key, guess=False)
        self._whole_table, self._by, self._before = whole, agreed, before

    @property
    def whole(self) -> WholeTable:
        """All rows, read column by column when asked for."""
        return self._whole_table

    def _by_rows(self, rows: Lanes) -> RowKeying:
        return RowKeying(rows, self._before)

    def _candidates(self, other: TableUnits) -> Iterable[tuple[str, ...]]:
        return super()._candidates(other) if self._by is None else (self._by,)


def units_apart(
    old: Source, new: Source, specs: tuple[Spec, Spec], room: int | None = None
) -> tuple[ApartTable, ApartTable]:
    """Return the units of two versions that are not the same in both; raises what `rows_apart` does."""
    apart = rows_apart(old, new, specs, room)
    sides = ((old, apart.old, apart.rows_old), (new, apart.new, apart.rows_new))
    made = [ApartTable(table, apart.key, WholeTable(source, table.schema, rows, room)) for source, table, rows in sides]
    return made[0], made[1]


def rows_apart(old: Source, new: Source, specs: tuple[Spec, Spec], room: int | None = None) -> Apart:
    """Return the rows of two Parquet or Arrow files that differ; ReadWhole or Unreadable when that cannot be said.

    NoRoom when what has to be remembered takes more than `room` bytes, of which pieces are no part.
    """
    with frugal(), ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        both = ((old, specs[0], first), (new, specs[1], second))
        sides = tuple(_Side(source, spec, worker) for source, spec, worker in both)
        try:
            load_compute()  # while the footers are read
            key = _key(sides[0].schema, sides[1].schema, specs)
            same = same_groups(old, new)  # of footers that were accepted by now
            for side, groups in zip(sides, same, strict=True):
                side.begin(key, groups)
            return _compared(sides[0], sides[1], key, room)
        except CannotCut:
            raise ReadWhole from None
        finally:
            for side in sides:
                side.close()


def _compared(old: _Side, new: _Side, key: tuple[str, ...], room: int | None) -> Apart:
    meeting = Meeting(old.schema, new.schema, key)
    while True:
        for side, other in ((old, new), (new, old)):
            if side.waiting < _ROWS or side.waiting <= other.waiting or other.ended:  # else the other is behind
                side.take_next()
        alignment = align(old.lanes, new.lanes)
        differs = meeting.differs(old.pool, new.pool, alignment.old, alignment.new)
        rise = old.rises and new.rises
        old.settle(alignment.old[differs], *_waiting(alignment.removed, alignment.old, new.ended, rise))
        new.settle(alignment.new[differs], *_waiting(alignment.added, alignment.new, old.ended, rise))
        if room is not None and old.remembered + new.remembered > room:
            raise NoRoom
        if old.ended and new.ended:
            break
        in_order = max(old.waiting, new.waiting) <= _ALONE and old.held + new.held <= _WAITING
        if not in_order or (old.seen > _LOOKED_AT and 2 * old.told > old.seen):
            raise ReadWhole
    if old.key_repeats() or new.key_repeats():
        raise ReadWhole  # said better of the whole
    return Apart(old.result(), new.result(), old.seen, new.seen, key)


def _waiting(alone: Rows, matched: Rows, ended: bool, rise: bool) -> tuple[Rows, Rows]:
    """Return the rows that wait for pieces of the other side, and those that need not wait any longer.

    Where keys rise, the other side is past what stands before a row that met its twin. Should they fall later on, two
    rows of one key were taken for apart: they meet when what is left of both tables is compared.
    """
    if ended:
        return _NONE, alone
    past = np.searchsorted(alone, matched.max()) if rise and len(matched) else 0
    return alone[past:], alone[:past]


_NONE: Final[Rows] = np.empty(0, dtype=np.int64)


class _Side:
    """One of the two tables: the piece at hand together with the rows still waiting, and what was told apart."""

    def __init__(self, source: Source, spec: Spec, worker: ThreadPoolExecutor) -> None:
        """`worker` is one thread, for this side alone: memory is used again best where it was got."""
        self._source = pieces(
            source, spec.options, lambda schema: (None, None), _ROWS, worded=True, fewer=self._keys_of
        )
        self._worker = worker
        self._gone: list[Pool] = []  # what nobody needs any more, for the worker to let go of
        self._ahead: Future[Any] = worker.submit(self._read)
        self._key: list[str] = []
        self._same: frozenset[int] = frozenset()
        self.pool = Pool()
        self.lanes: Lanes = np.empty((2, 0), dtype=np.uint64)
        self._places: Rows = _NONE  # where the rows of `pool` stand in the file
        self._found: list[tuple[Rows, list[Any]]] = []
        self._names = RowNames()
        self.ended = False
        self.seen = self.told = self.waiting = 0
        self._heavy = 0  # bytes of the rows told apart

    @cached_property
    def schema(self) -> Any:
        """The schema of the file: pieces() begins with an empty table, or the whole."""
        return self._ahead.result().schema

    def begin(self, key: Sequence[str], same: frozenset[int]) -> None:
        """Read on, row groups that are the `same` on the other side by their keys alone."""
        self._key, self._same = list(key), same
        self._ahead = self._worker.submit(self._read)

    def _keys_of(self, group: int) -> list[str] | None:
        return self._key if group in self._same else None

    def _read(self) -> Any:
        self._gone.clear()
        return next(self._source, None)

    def take_next(self) -> None:
        """Add the next piece to the rows that wait; `ended` says that there is none after what was taken."""
        while not self.ended:
            piece = self._ahead.result()
            if piece is None:
                self.ended = True
                return
            self._ahead = self._worker.submit(self._read)
            if piece.num_rows and self._add(piece):
                return

    def _add(self, piece: Any) -> bool:
        """Take a piece in; whether its rows are to be compared, because more than their keys was read."""
        keys = without_dictionaries(piece.select(self._key))
        if any(column.null_count for column in keys.columns):
            raise ReadWhole
        lanes = self._names.add(keys)
        begin = self.seen
        self.seen += piece.num_rows
        if piece.num_columns < len(self.schema.names):
            return False
        self.lanes = np.concatenate([self.lanes, lanes], axis=1) if self.waiting else lanes
        self._places = np.concatenate([self._places, np.arange(begin, self.seen)])
        self.pool = self.pool.with_table(piece)
        return True

    @property
    def rises(self) -> bool:
        """Whether each key so far is above the one before."""
        return self._names.rise

    def settle(self, changed: Rows, left: Rows, final: Rows) -> None:
        """Keep what is known to differ, `changed` and `final`, let those wait that are `left`, and drop the rest."""
        rows = np.sort(np.concatenate([changed, final]))
        if len(rows):
            taken = self.pool.take(rows)
            self._found.append((self._places[rows], taken))
            self._heavy += sum(table.nbytes for table in taken)
            self.told += len(rows)
        self._gone.append(self.pool)
        self.pool = Pool(self.pool.take(left))
        self.lanes, self._places = self.lanes[:, left], self._places[left]
        self.waiting = len(left)

    @property
    def remembered(self) -> int:
        """Bytes that rows told apart take while they are compared, and those that wait; those of their names."""
        return COPIES * self._heavy + self.held + (0 if self.rises else _NAME * self.seen)

    @property
    def held(self) -> int:
        """Bytes that the rows which wait take while they are looked for."""
        return _HELD * sum(table.nbytes for table in self.pool.tables) if self.waiting else 0

    def result(self) -> Any:
        """Return the rows told apart, in file order."""
        if not self._found:
            return empty(self.schema)
        order = np.argsort(np.concatenate([places for places, _ in self._found]), kind="stable")
        tables = [self._as_said(table) for _, several in self._found for table in several]
        return pa.concat_tables(tables).take(positions(order)).combine_chunks()

    def _as_said(self, table: Any) -> Any:
        """Return a table under the schema: texts come as a dictionary only where it says so."""
        columns = [column.cast(field.type) for column, field in zip(table.columns, self.schema, strict=True)]
        return pa.table(columns, schema=self.schema)

    def key_repeats(self) -> bool:
        """Whether two rows seen may have one name."""
        return self._names.repeat()

    def close(self) -> None:
        """Stop reading. What a piece nobody waits for complains of is nobody's concern."""
        self._ahead.cancel()
        if not self._ahead.cancelled():
            self._ahead.exception()
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
