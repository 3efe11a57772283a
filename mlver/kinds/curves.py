"""Curves: values of a metric by step, as training writes them; what is said of two versions of one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite

from mlver.frozen import frozen
from mlver.kinds.base import Units, Value
from mlver.kinds.directions import direction
from mlver.kinds.documents import join_path, split_path

STEPS = ("step", "epoch", "iteration", "round", "global_step", "_step")
_STEP = re.compile(rf"({'|'.join(STEPS)})=(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)", re.IGNORECASE)
HEAD = ("metric", "last", "now", "best", "best now", "at", "since best", "verdict")


@frozen
class Curve:
    """One metric over the steps of a run; `best` is (step, value) by the metric's direction, None without one."""

    points: tuple[tuple[float, float], ...]
    best: tuple[float, float] | None

    @property
    def last(self) -> float:
        """The value of the last step."""
        return self.points[-1][1]


def step_of(key: str) -> tuple[float, str] | None:
    """Return (step, metric) of a unit key such as `epoch=3.loss`; None when it is no point of a curve."""
    found = _STEP.match(key)
    if found is None or key[found.end() : found.end() + 1] != ".":
        return None
    try:
        return float(found[2]), join_path(split_path(key[found.end() + 1 :]))
    except (ValueError, OverflowError):
        return None


def curves(units: Units, declared: Mapping[str, str]) -> dict[str, Curve]:
    """Return the curves of a file by metric: those of two steps or more, numbers alone, in the order of steps."""
    found: dict[str, dict[float, float]] = {}
    for key in units.keys():  # noqa: SIM118 - Units is no mapping
        point, value = step_of(key), units.get(key)
        if point is not None and _is_number(value):
            found.setdefault(point[1], {})[point[0]] = value
    return {
        name: Curve(tuple(sorted(points.items())), _best(name, points, declared))
        for name, points in found.items()
        if len(points) > 1
    }


def compared(
    name: str, old: Curve, new: Curve, declared: Mapping[str, str]
) -> tuple[str, Value, Value, Value, Value, Value, Value, str]:
    """Return one row of HEAD: last and best then and now, at which step, how far it fell since, and the verdict.

    The verdict is about the last value, which is what a run ends with; `at` and `since best` (how much worse the
    last value is than the best one) tell of a run that went on for too long.
    """
    way = direction(name, declared)
    if new.last == old.last:
        word = "same"
    elif way is None:
        word = "changed"
    else:
        word = "better" if (new.last > old.last) == (way == "higher") else "worse"
    was, now = old.best, new.best
    fell = None if now is None else float(f"{abs(new.last - now[1]):.12g}")
    at = None if now is None else int(now[0]) if now[0].is_integer() else now[0]
    return name, old.last, new.last, was and was[1], now and now[1], at, fell, word


def _best(name: str, points: Mapping[float, float], declared: Mapping[str, str]) -> tuple[float, float] | None:
    way = direction(name, declared)
    if way is None:
        return None
    pick = max if way == "higher" else min
    value = pick(points.values())
    return min((step, value) for step, found in points.items() if found == value)


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e308 and isfinite(value)
