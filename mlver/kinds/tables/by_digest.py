"""The rows that two versions of a table do not share, in whatever order they stand, in bounded memory.

Of each row the digests of its name and of its cells are written into a temporary file, in buckets by the first bits of
the name: rows that can meet lie in the same bucket of both sides, and one bucket after the other is compared (the
hash join of GRACE: Kitsuregawa, Tanaka, Moto-oka, 1983). The rows that differ are then read once more. Rows are named
by their key or, where none holds, by all of their cells: then copies are counted, and a row that is there a million
times is one record for each piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mlver.frozen import frozen
from mlver.kinds.base import Source, Spec, Unreadable
from mlver.kinds.tables.align import align
from mlver.kinds.tables.apart import ApartTable, ReadWhole
from mlver.kinds.tables.arrays import empty, positions
from mlver.kinds.tables.beside import beside
from mlver.kinds.tables.buckets import COUNT, NAME, PLACE, ROW, Buckets, Records, summed
from mlver.kinds.tables.keying import by_columns, duplicates, may_name, repeated, repeats
from mlver.kinds.tables.late import frugal
from mlver.kinds.tables.lenient import digests_as, shared
from mlver.kinds.tables.meeting import without_dictionaries
from mlver.kinds.tables.mixing import Lanes, Rows
from mlver.kinds.tables.pieces import pieces
from mlver.kinds.tables.weight import refuse_too_heavy
from mlver.kinds.tables.whole import WholeTable

_ROWS: Final = 1 << 16  # in a piece
_NONE: Final[Rows] = np.empty(0, dtype=np.int64)


@frozen
class _Plan:
    """How rows are compared: the columns that may name them, those both sides have, and how texts are read."""

    key: tuple[str, ...]
    common: tuple[str, ...]
    readings: dict[str, str]


@frozen
class _Found:
    """Rows of one side, in order, and of each how many copies are left out that stand before those found."""

    places: Rows
    before: Rows | None = None


def by_digest(old: Source, new: Source, specs: tuple[Spec, Spec]) -> tuple[ApartTable, ApartTable]:
    """Return the units of two versions that are not the same in both, of Parquet or Arrow files.

    What is held in memory besides are a bucket or a few, and the rows that differ. Unreadable as for `TableUnits`, and
    when these rows take more memory than there is; ReadWhole when it takes the whole tables to say what names a row.
    """
    with frugal():
        sides = _Side(old, specs[0]), _Side(new, specs[1])
        plan = _plan(sides[0].schema, sides[1].schema, specs)
        beside(lambda side, stop: side.read(plan, stop), sides)
        hold = [side.names_hold(plan) for side in sides] if plan.key else [False]  # of both: each says its own
        keyed = all(hold)
        found = (_keyed if keyed else _counted)(sides[0].buckets, sides[1].buckets)
        made = [side.units(plan, rows, keyed=keyed) for side, rows in zip(sides, found, strict=True)]
    return made[0], made[1]


def refuse_bad_key(source: Source, spec: Spec) -> None:
    """Raise Unreadable when the columns that were named as a key do not name the rows."""
    with frugal():
        side = _Side(source, spec)
        plan = _Plan(spec.key, tuple(side.schema.names), {})
        side.read(plan, Event())
        side.names_hold(plan)


def _plan(old: Any, new: Any, specs: tuple[Spec, Spec]) -> _Plan:
    if specs[0].key != specs[1].key or not old.names or not new.names:
        raise ReadWhole
    common, readings = shared(old, new)
    if specs[1].key:
        return _Plan(specs[1].key, common, readings)
    guesses = [schema.names[0] for schema in (new, old) if may_name(schema.field(0).type)]
    possible = [name for name in dict.fromkeys(guesses) if name in common]
    if len(possible) > 1:
        raise ReadWhole
    return _Plan(tuple(possible), common, readings)


class _Side:
    """One of the two tables."""

    def __init__(self, source: Source, spec: Spec) -> None:
        self._source, self._spec = source, spec
        self.schema = next(self._pieces()).schema
        self.buckets = Buckets()
        self._nulls: dict[str, int] = {}
        self._repeats = self._holds = False

    def _pieces(self) -> Iterator[Any]:
        return pieces(self._source, self._spec.options, lambda schema: (None, None), _ROWS, worded=True)

    def read(self, plan: _Plan, stop: Event) -> None:
        """Digest all rows, until told to `stop`; Unreadable when a key that was named is not there."""
        for name in plan.key:
            if name not in self.schema.names:
                raise Unreadable(f"no key column {name}")
        self._nulls = dict.fromkeys(plan.key, 0)
        for piece in self._pieces():
            if stop.is_set():
                return
            if not piece.num_rows:
                continue
            for name in plan.key:
                self._nulls[name] += piece.column(name).null_count
            rows = digests_as(piece, plan.common, plan.readings)
            names = digests_as(piece, plan.key, plan.readings) if plan.key and not self._repeats else rows
            if plan.key and not self._spec.key:  # nobody asks which, and all in one bucket would be many
                self._repeats = self._repeats or repeats(names[0])
            self.buckets.add(names, rows)

    def names_hold(self, plan: _Plan) -> bool:
        """Whether the key names each row; Unreadable when it does not although it was named."""
        stated = bool(self._spec.key)
        for name, count in self._nulls.items():
            if count and stated:
                raise Unreadable(f"key column {name} has no value in {count} row{'s' if count > 1 else ''}")
            if count:
                return False
        if self._repeats and not any(name in plan.readings for name in plan.key):
            return False
        twice = [found for records in self.buckets.each() if (found := _first_repeat(records)) is not None]
        if (twice or self._repeats) and any(name in plan.readings for name in plan.key):
            raise ReadWhole  # here texts were read as what the other side has
        if twice and stated:
            place, count, _ = min(twice)
            text = by_columns(self._taken(np.array([place])), plan.key).texts(np.zeros(1, dtype=np.int64))[0]
            raise repeated(plan.key, text, count, sum(more for _, _, more in twice) + len(twice) - 1)
        self._holds = not twice
        return self._holds

    def units(self, plan: _Plan, rows: _Found, *, keyed: bool) -> ApartTable:
        """Return these rows as units."""
        taken = self._taken(rows.places)
        own = plan.key if self._holds and (self._spec.key or may_name(self.schema.field(plan.key[0]).type)) else ()
        whole = WholeTable(self._source, self.schema, self.buckets.rows)
        return ApartTable(taken, own, whole, agreed=plan.key if keyed else (), before=rows.before)

    def _taken(self, rows: Rows) -> Any:
        found, begin, heavy = [empty(self.schema)], 0, 0
        for piece in self._pieces():
            first, last = np.searchsorted(rows, (begin, begin + piece.num_rows))
            if last > first:
                taken = without_dictionaries(piece.take(positions(rows[first:last] - begin))).cast(self.schema)
                heavy += taken.nbytes
                refuse_too_heavy(heavy)
                found.append(taken)
            begin += piece.num_rows
        return pa.concat_tables(found).combine_chunks()


def _first_repeat(records: Records) -> tuple[int, int, int] | None:
    """Return the place of the first row whose name comes again, how many have it, and how many other names repeat."""
    if duplicates(records[NAME]) is None:
        return None
    ordered = records[:, np.argsort(records[PLACE])]
    row, count, more = duplicates(ordered[NAME]) or (0, 0, 0)
    return int(ordered[PLACE, row]), count, more


def _keyed(old: Buckets, new: Buckets) -> tuple[_Found, _Found]:
    """Return the rows of both sides whose name the other has not, or has with other cells."""
    left, come = [_NONE], [_NONE]
    for mine, theirs in old.beside(new):
        alignment = align(mine[NAME], theirs[NAME])
        differs = (mine[ROW][:, alignment.old] != theirs[ROW][:, alignment.new]).any(axis=0)
        left += (_places(mine, rows) for rows in (alignment.removed, alignment.old[differs]))
        come += (_places(theirs, rows) for rows in (alignment.added, alignment.new[differs]))
    return _Found(np.sort(np.concatenate(left))), _Found(np.sort(np.concatenate(come)))


def _counted(old: Buckets, new: Buckets) -> tuple[_Found, _Found]:
    """Return the copies of rows that one side has more of: those behind as many as the other has."""
    names, both = [np.empty((2, 0), dtype=np.uint64)], [np.empty(0, dtype=np.uint64)]
    for mine, theirs in old.counted().beside(new.counted()):
        (a, counts), (b, others) = (summed(records[NAME], records[COUNT]) for records in (mine, theirs))
        alignment = align(a, b)
        pairs = counts[alignment.old], others[alignment.new]
        differs = pairs[0] != pairs[1]
        names += [a[:, alignment.removed], b[:, alignment.added], a[:, alignment.old[differs]]]
        alone = len(alignment.removed) + len(alignment.added)
        both += [np.zeros(alone, dtype=np.uint64), np.minimum(*pairs)[differs]]
    wanted, least = np.concatenate(names, axis=1), np.concatenate(both).astype(np.int64)
    order = np.lexsort((wanted[1], wanted[0]))
    return _surplus(old, wanted[:, order], least[order]), _surplus(new, wanted[:, order], least[order])


def _surplus(side: Buckets, names: Lanes, least: Rows) -> _Found:
    """Return the copies of rows by these digests, which are in order, behind the first `least` of each."""
    places, before = [_NONE], [_NONE]
    seen = np.zeros_like(least)
    for records in side.segments() if len(least) else ():
        which = np.minimum(np.searchsorted(names[0], records[ROW][0]), len(least) - 1)
        rows = np.flatnonzero((names[:, which] == records[ROW]).all(axis=0))
        rows = rows[np.argsort(which[rows], kind="stable")]  # copies stay in the order of the file
        which, begins, counts = which[rows], *np.unique(which[rows], return_index=True, return_counts=True)[1:]
        number = seen[which] + np.arange(len(rows)) - np.repeat(begins, counts)
        seen[which[begins]] += counts
        kept = number >= least[which]
        places.append(_places(records, rows[kept]))
        before.append(least[which[kept]])
    found = np.concatenate(places)
    order = np.argsort(found)
    return _Found(found[order], np.concatenate(before)[order])


def _places(records: Records, rows: Rows) -> Rows:
    places: Rows = records[PLACE, rows].astype(np.int64)
    return places
