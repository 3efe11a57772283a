"""Two large tables compared in little memory, whatever their format and order: what does not fit goes to a disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Event
from typing import Final
from weakref import WeakKeyDictionary

from mlver.kinds.base import Source, Spec, Units, Value
from mlver.kinds.tables import weight
from mlver.kinds.tables.apart import Apart, ApartTable, ReadWhole, rows_apart, units_apart
from mlver.kinds.tables.beside import beside
from mlver.kinds.tables.by_digest import by_digest, refuse_bad_key
from mlver.kinds.tables.late_table import CountedRows
from mlver.kinds.tables.looked_up import LookedUp
from mlver.kinds.tables.pieces import can_stream
from mlver.kinds.tables.spool import spooled
from mlver.kinds.tables.text_blocks import CannotCut

_SPOOLED: Final[WeakKeyDictionary[Source, tuple[Mapping[str, Value], Source]]] = WeakKeyDictionary()
"""What was written of a source, and how it was read, for as long as somebody holds the source: blame asks often."""


def apart_on_disk(old: Source, new: Source, specs: tuple[Spec, Spec]) -> tuple[ApartTable, ApartTable]:
    """Return the units of two versions that are not the same in both.

    Unreadable as for `TableUnits`; ReadWhole when it takes the whole tables; LocalIO when a temporary file cannot grow.
    """
    sides = beside(lambda side, stop: _in_pieces(*side, stop), ((old, specs[0]), (new, specs[1])))
    if sides != [old, new]:
        try:
            return units_apart(sides[0], sides[1], specs)
        except ReadWhole:
            pass
    return by_digest(sides[0], sides[1], specs)


def rows_on_disk(old: Source, new: Source, specs: tuple[Spec, Spec]) -> Apart:
    """Return the rows that differ of two tables with a key that come in pieces; raises as `apart_on_disk` does."""
    try:
        return rows_apart(old, new, specs)
    except ReadWhole:
        if not weight.are_heavy((old, new), weight.ROOM) or not specs[1].key:
            raise
    a, b = by_digest(old, new, specs)
    return Apart(a.table, b.table, a.whole.num_rows, b.whole.num_rows, specs[1].key)


def in_pieces(source: Source, spec: Spec) -> Source:
    """Return a source that comes in pieces, if it is large; raises as `apart_on_disk`."""
    return _in_pieces(source, spec) if weight.are_heavy((source, source), weight.ROOM) else source


def late_on_disk(source: Source, spec: Spec, whole: Callable[[], Units]) -> Units:
    """Return the units of a large table, of which rows and columns are read when they are asked for.

    Raises as `apart_on_disk` does.
    """
    source = _in_pieces(source, spec)
    try:
        return LookedUp(source, spec, whole, heavy=True)
    except ReadWhole:
        if not spec.key:
            return CountedRows(source, spec, whole)
        refuse_bad_key(source, spec)
        raise


def _in_pieces(source: Source, spec: Spec, stop: Event | None = None) -> Source:
    """Return a source that comes in pieces."""
    with source.open() as stream:
        if can_stream(stream.read(16)):
            return source
    try:
        options, made = _SPOOLED.get(source, (None, source))
        if options != spec.options:
            options, made = dict(spec.options), spooled(source, spec.options, stop)
            if stop is None or not stop.is_set():
                _SPOOLED[source] = options, made
        return made
    except CannotCut:
        raise ReadWhole from None
