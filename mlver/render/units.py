"""Units that differ, line by line: sign, unit, what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from mlver.kinds.base import same
from mlver.render.lines import Part, line
from mlver.render.values import brief

if TYPE_CHECKING:
    from mlver.verbs.diff import UnitChange

SIGNS = {"added": ("+", "added"), "removed": ("-", "removed"), "changed": ("~", "changed")}
_ORDER = ("changed", "removed", "added")
_BY_FIELD = {"data", "rules", "alerts", "config"}
_WRAPPED = {"rules", "config", "alerts"}
_UNIT_WIDTH = 30


def pick(changes: Sequence[UnitChange], most: int) -> list[UnitChange]:
    """Return at most `most` changes: some of each sort, changed units first, each sort in its own order."""
    sorts = [[change for change in changes if change.change == sort] for sort in _ORDER]
    taken = [0, 0, 0]
    left = min(most, len(changes))
    while left:
        for index, sort in enumerate(sorts):
            if left and taken[index] < len(sort):
                taken[index] += 1
                left -= 1
    return [change for sort, count in zip(sorts, taken, strict=True) for change in sort[:count]]


def unit_table(changes: Sequence[UnitChange], kind: str) -> RenderableType:
    """One row per unit; rules, settings and alerts are told in full, the rest is cut at the edge."""
    table = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True, min_width=1)
    widest = max((len(change.unit) for change in changes), default=0)
    table.add_column(no_wrap=True, overflow="ellipsis", min_width=min(widest, _UNIT_WIDTH), max_width=_UNIT_WIDTH)
    table.add_column(no_wrap=kind not in _WRAPPED, overflow="fold" if kind in _WRAPPED else "ellipsis")
    for change in changes:
        sign, label = SIGNS[change.change]
        text = said(change, kind)
        text.no_wrap = kind not in _WRAPPED
        table.add_row(line((sign, label)), line((change.unit, label)), text)
    return table


def said(change: UnitChange, kind: str) -> Text:
    """What happened to one unit: `label 1 → 0`, `"median" → -1`, or what an added or removed one says."""
    text_old, text_new = change.text_old or brief(change.old), change.text_new or brief(change.new)
    wrap = kind in _WRAPPED
    if change.change == "added":
        return line(text_new, wrap=wrap)
    if change.change == "removed":
        return line(text_old, wrap=wrap)
    if kind in _BY_FIELD:
        return line(*value_change(change.old, change.new), wrap=wrap)
    return line(*arrow(text_old, text_new), wrap=wrap)


def value_change(old: Any, new: Any) -> list[Part]:
    """Return how a value changed: field by field for two maps, else `old → new`."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return _fields(old, new)
    return arrow(brief(old), brief(new))


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
        else:
            parts += arrow(brief(old[name]), brief(new[name]))
    return parts
