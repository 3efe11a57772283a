"""Which item of a changed list is which item of the old one."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mlver.kinds.alignment import align
from mlver.kinds.base import Value
from mlver.objects.result import jsonable

_NAMES = ("id", "rule_id", "name", "rule", "alert", "record", "key", "check", "title", "expectation_type", "type")


def pair_items(old: Sequence[Value], new: Sequence[Value]) -> list[int | None]:
    """Return for each item of `new` the place in `old` of the item it was, None for one that is new. Places rise.

    Equal items are paired first, then, between two of those, items of one name, then items at like places when
    the stretches are equally long.
    """
    found: list[int | None] = [None] * len(new)
    anchors = align([_said(item) for item in old], [_said(item) for item in new])
    edges = [*sorted(anchors.items()), (len(new), len(old))]
    start = low = 0
    for stop, high in edges:
        for at, place in _stretch(old[low:high], new[start:stop]):
            found[start + at] = low + place
        if stop < len(new):
            found[stop] = high
        start, low = stop + 1, high + 1
    return found


def _stretch(old: Sequence[Value], new: Sequence[Value]) -> list[tuple[int, int]]:
    if not old or not new:
        return []
    names = [_name(item) for item in old], [_name(item) for item in new]
    if all(name is not None for name in (*names[0], *names[1])):
        return sorted(align(*names).items())
    return [(at, at) for at in range(len(old))] if len(old) == len(new) else []


def _name(item: Value) -> str | None:
    if not isinstance(item, dict):
        return None
    return next((f"{name}={item[name]}" for name in _NAMES if isinstance(item.get(name), (str, int))), None)


def _said(item: Value) -> str:
    return json.dumps(jsonable(item), sort_keys=True)
