"""Three-way merge of unit maps. Written once, for all kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from mlver.frozen import frozen
from mlver.kinds.base import MISSING, Delta, Units, Unreadable, Value
from mlver.kinds.merge3 import Chunk, merge3

OURS, THEIRS = "ours", "theirs"


@frozen
class UnitConflict:
    """One unit that both sides changed, each in its own way. A value is MISSING where the unit is absent.

    `place` is the key under which an edit of our side reaches it: the unit itself, or a range of lines.
    """

    unit: str
    place: str
    base: Value
    ours: Value
    theirs: Value


@frozen
class UnitMerge:
    """What has to be done to our units: `changes` (key -> value, MISSING to remove), and what is in conflict."""

    changes: Mapping[str, Value] = field(default_factory=dict)
    conflicts: tuple[UnitConflict, ...] = ()


def merge_units(base: Units | None, ours: Units, theirs: Units) -> UnitMerge:
    """Return what brings the changes from `base` to `theirs` into `ours`. `base` None: the artifact is new on both.

    A unit that one side changed is theirs or ours to say; the same change on both sides is no conflict;
    a unit that one side changed and the other removed is one. Raises Unreadable, with the reason, when a
    merge unit by unit would be a guess.
    """
    if ours.positional or theirs.positional:
        return _merge_places(base, ours, theirs)
    start = base if base is not None else Units({})
    mine, other = _delta(base, ours), _delta(base, theirs)
    if reason := start.doubt(mine, other):
        raise Unreadable(reason)
    return _merge_keys(start, ours, theirs, mine, other)


def _delta(base: Units | None, side: Units) -> Delta:
    return base.delta(side) if base is not None else Delta(added=list(side.keys()))


def _merge_keys(base: Units, ours: Units, theirs: Units, mine: Delta, other: Delta) -> UnitMerge:
    bond = base.bond(ours, theirs)
    touched = {*mine.added, *mine.removed, *mine.changed}
    others = {*other.removed, *other.changed, *other.added}
    shared = {tie for key in touched if (tie := bond(key)) is not None}
    shared &= {tie for key in others if (tie := bond(key)) is not None}
    removed = set(other.removed)
    changes: dict[str, Value] = {}
    conflicts: list[UnitConflict] = []
    for key in (*other.removed, *other.changed, *other.added, *(k for k in touched - others if bond(k) in shared)):
        if key not in touched and bond(key) not in shared:
            changes[key] = theirs.get(key) if key not in removed else MISSING
        elif not ours.agrees(key, theirs):
            both = base.combine(key, ours, theirs)
            if both is MISSING:
                conflicts.append(UnitConflict(key, key, base.get(key), ours.get(key), theirs.get(key)))
            else:
                changes[key] = both
    return UnitMerge(changes, tuple(conflicts))


def _merge_places(base: Units | None, ours: Units, theirs: Units) -> UnitMerge:
    sides = [[units.get(key) for key in units.keys()] if units is not None else [] for units in (base, ours, theirs)]  # noqa: SIM118
    changes: dict[str, Value] = {}
    conflicts: list[UnitConflict] = []
    for chunk in merge3(*sides):
        if chunk.state == "theirs":
            changes[_place(chunk)] = sides[2][slice(*chunk.theirs)]
        elif chunk.state == "conflict":
            values = (sides[0][slice(*chunk.base)], sides[1][slice(*chunk.ours)], sides[2][slice(*chunk.theirs)])
            conflicts.append(UnitConflict(f"L{chunk.ours[0] + 1}", _place(chunk), *values))
    return UnitMerge(changes, tuple(conflicts))


def _place(chunk: Chunk) -> str:
    """Return the lines of our side that a chunk stands for, `L3-5`; `L3-2` is the gap before line 3."""
    return f"L{chunk.ours[0] + 1}-{chunk.ours[1]}"
