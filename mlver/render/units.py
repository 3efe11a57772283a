"""Units that differ, line by line: sign, unit, what it says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from mlver.frozen import frozen
from mlver.kinds.base import same
from mlver.render.lines import Columns, Part, line
from mlver.render.values import brief, briefs

if TYPE_CHECKING:
    from mlver.render.layout import Line, Piece
    from mlver.verbs.diff import UnitChange

SIGNS = {"added": ("+", "added"), "removed": ("-", "removed"), "changed": ("~", "changed")}
_ORDER = ("changed", "removed", "added")
_BY_FIELD = {"data", "alerts", "config"}
_WRAPPED = {"rules", "config", "alerts"}
_ALONE = {"data", "code", "metrics", "alerts"}
_FEW = 5  # units with the same new value that are told one by one
_DIGEST = re.compile(r"[0-9a-f]{16}(#\d+)?")


@frozen
class Alike:
    """Many units that all became the same: told in one line."""

    changes: tuple[UnitChange, ...]
    change: str = "changed"

    @property
    def unit(self) -> str:
        """How many they are, and below which name or from which to which."""
        names = [change.unit for change in self.changes]
        prefix = common_prefix(names)
        return f"{prefix}* ({len(names)})" if prefix else f"{len(names)}: {names[0]} … {names[-1]}"

    @property
    def said(self) -> tuple[str, str]:
        """The old value, if all had the same one, and the new."""
        olds = list(dict.fromkeys(_sides(change)[0] for change in self.changes))
        return olds[0] if len(olds) == 1 else f"{olds[0]}, {olds[1]}, …", _sides(self.changes[0])[1]


def gathered(changes: Sequence[UnitChange], kind: str) -> list[UnitChange | Alike]:
    """Return the changes with those put together that gave many units the same new value, where the first stood.

    Rows stand for themselves: each is somebody's. So do lines.
    """
    if kind in _ALONE:
        return list(changes)
    alike: dict[str, list[UnitChange]] = {}
    for change in changes:
        if change.change == "changed":
            alike.setdefault(_sides(change)[1], []).append(change)
    told: list[UnitChange | Alike] = []
    for change in changes:
        group = alike[_sides(change)[1]] if change.change == "changed" else []
        if len(group) <= _FEW:
            told.append(change)
        elif group[0] is change:
            told.append(Alike(tuple(group)))
    return told


def units_in(changes: Sequence[UnitChange | Alike]) -> int:
    """Return how many units the changes stand for."""
    return sum(len(change.changes) if isinstance(change, Alike) else 1 for change in changes)


def _sides(change: UnitChange) -> tuple[str, str]:
    if _is_scalar(change.old) and _is_scalar(change.new):
        return briefs(change.old, change.new)
    return change.text_old or brief(change.old), change.text_new or brief(change.new)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))


def pick(changes: Sequence[UnitChange | Alike], most: int, samples: int | None = None) -> list[UnitChange | Alike]:
    """Return at most `most` changes: some of each sort, changed units first, each sort in its own order.

    `samples` limits how many added and how many removed units are among them.
    """
    sorts = [[change for change in changes if change.change == sort] for sort in _ORDER]
    sorts[1:] = [sort[:samples] for sort in sorts[1:]]
    taken = [0, 0, 0]
    left = min(most, sum(map(len, sorts)))
    while left:
        for index, sort in enumerate(sorts):
            if left and taken[index] < len(sort):
                taken[index] += 1
                left -= 1
    return [change for sort, count in zip(sorts, taken, strict=True) for change in sort[:count]]


def unit_table(changes: Sequence[UnitChange | Alike], kind: str, *, nameless: bool = False) -> Piece:
    """One row per unit; rules, settings and alerts are told in full, the rest is cut at the edge.

    When the units are `nameless`, what they say stands alone.
    """
    if nameless:
        return Columns([[line(SIGNS[c.change], " ", named(c, nameless), said(c, kind))] for c in changes])
    rows: list[list[Part | None]] = []
    for change in changes:
        sign, label = SIGNS[change.change]
        rows.append([line((sign, label), " ", (change.unit, label)), said(change, kind)])
    return Columns(rows, wrap=(1,) if kind in _WRAPPED else ())


def named(change: UnitChange | Alike, nameless: bool) -> str:
    """Return the name of a unit with two spaces behind it; nothing for a row whose name is a digest."""
    return "" if nameless and _DIGEST.fullmatch(change.unit) else f"{change.unit}  "


def common_prefix(names: Sequence[str]) -> str:
    """Return the dotted path all names share, with its last dot; empty for a single name."""
    if len(names) < 2:
        return ""
    folders = [name.split(".")[:-1] for name in names]
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False))
    return "".join(f"{parts[0]}." for parts in shared)


def said(change: UnitChange | Alike, kind: str) -> Line:
    """What happened to one unit: `label 1 → 0`, `"median" → -1`, or what an added or removed one says."""
    if isinstance(change, Alike):
        return line(*arrow(*change.said), wrap=kind in _WRAPPED)
    text_old, text_new = change.text_old or brief(change.old), change.text_new or brief(change.new)
    wrap = kind in _WRAPPED
    if change.change == "added":
        return line(text_new, wrap=wrap)
    if change.change == "removed":
        return line(text_old, wrap=wrap)
    if kind == "data" and isinstance(change.old, Mapping) and isinstance(change.new, Mapping):
        # what a new or lost column does to every row is said of the column
        both = change.old.keys() & change.new.keys()
        old, new = ({name: side[name] for name in side if name in both} for side in (change.old, change.new))
        return line(*_fields(old, new))
    if kind in _BY_FIELD or (_is_number(change.old) and _is_number(change.new)):
        return line(*value_change(change.old, change.new), wrap=wrap)
    return line(*arrow(text_old, text_new), wrap=wrap)


def value_change(old: Any, new: Any) -> list[Part]:
    """Return how a value changed: field by field for two maps, else `old → new`."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return _fields(old, new)
    return arrow(*briefs(old, new))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def arrow(old: str, new: str) -> list[Part]:
    """Return `old → new`, coloured."""
    return [(old, "removed"), (" → ", "quiet"), (new, "added")]


def _fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Part]:
    parts: list[Part] = []
    for name in {**old, **new}:
        if name in old and name in new and same(old[name], new[name]):
            continue
        parts += ["   "] if parts else []
        parts.append((f"{name} ", "quiet"))
        if name not in old:
            parts.append((f"+{brief(new[name])}", "added"))
        elif name not in new:
            parts.append((f"-{brief(old[name])}", "removed"))
        elif name == "digest":
            parts += arrow(str(old[name])[:12], str(new[name])[:12])
        else:
            parts += arrow(*briefs(old[name], new[name]))
    return parts
