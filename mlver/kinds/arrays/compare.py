"""How far arrays moved between two versions of a file."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from mlver.kinds.arrays.describe import shape_text
from mlver.kinds.arrays.read import ArrayUnits
from mlver.kinds.base import Comparison, Delta, Detail, Units, Value

# elements and rows that changed, the norm of the change, that over the norm before, the largest change
_COLUMNS: Final = ("array", "shape", "changed", "rows", "L2", "relative", "largest")
_NAMED: Final = 3


def compare_arrays(old: Units | None, new: Units | None, delta: Delta) -> Comparison:
    """Return which arrays came, went and changed, and for those on both sides how far they moved."""
    before = old.arrays if isinstance(old, ArrayUnits) else {}
    after = new.arrays if isinstance(new, ArrayUnits) else {}
    counts: dict[str, int | float] = {
        "arrays_added": len(delta.added),
        "arrays_removed": len(delta.removed),
        "arrays_changed": len(delta.changed),
    }
    if not delta and old is not None and new is not None:
        return Comparison("same arrays, written differently", counts=counts, same_meaning=True)
    rows = [_row(name, before[name], after[name]) for name in delta.changed if name in before and name in after]
    rows.sort(key=lambda row: (row[5] is not None, -(row[5] or 0.0)))
    parts = [f"{sign}{_listed(names)}" for sign, names in (("+", delta.added), ("-", delta.removed)) if names]
    parts += [f"{row[0]}: {_words(row)}" for row in rows[:_NAMED]]
    if len(delta.changed) > min(len(rows), _NAMED):
        parts.append(f"{len(delta.changed) - min(len(rows), _NAMED)} more changed")
    return Comparison("; ".join(parts), (Detail("arrays", _COLUMNS, tuple(rows)),) if rows else (), counts)


def _listed(names: Any) -> str:
    first = ", ".join(list(names[:_NAMED]))
    noun = "array" if len(names) == 1 else "arrays"
    return f"{len(names)} {noun} ({first}{', …' if len(names) > _NAMED else ''})"


def _words(row: tuple[Value, ...]) -> str:
    if "→" in str(row[1]) and row[2] is None:
        return f"shape {row[1]}"
    said = f"{_many(row[2], 'element')} changed" + (f" in {_many(row[3], 'row')}" if row[3] is not None else "")
    return f"shape {row[1]}, {said}" if "→" in str(row[1]) else said


def _many(count: Value, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _row(name: str, old: np.ndarray[Any, Any], new: np.ndarray[Any, Any]) -> tuple[Value, ...]:
    """Compare element by element; of arrays that differ in length only, the rows both have."""
    shape = shape_text(new.shape)
    if old.shape != new.shape:
        shape = f"{shape_text(old.shape)} → {shape}"
        if not (old.ndim == new.ndim > 0 and old.shape[1:] == new.shape[1:]):
            return (name, shape, None, None, None, None, None)
        common = min(len(old), len(new))
        old, new = old[:common], new[:common]
    try:
        differs = _differs(old, new)
    except (TypeError, ValueError):  # values of types that do not compare
        return (name, shape, None, None, None, None, None)
    rows = int(differs.any(axis=1).sum()) if differs.ndim == 2 else None
    return (name, shape, int(np.count_nonzero(differs)), rows, *_norms(old, new))


def _differs(old: np.ndarray[Any, Any], new: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    differs: np.ndarray[Any, Any] = np.asarray(old != new)
    if all(side.dtype.kind in "fc" for side in (old, new)):
        differs &= ~(np.isnan(old) & np.isnan(new))
    elif all(side.dtype.kind in "mM" for side in (old, new)):
        differs &= ~(np.isnat(old) & np.isnat(new))
    return differs


def _norms(old: np.ndarray[Any, Any], new: np.ndarray[Any, Any]) -> tuple[float | None, float | None, float | None]:
    """Return L2 norm of the change, the same over the old norm, largest change; None where there are no numbers.

    Places that are not finite on one side are left out.
    """
    if any(side.dtype.kind not in "biuf" for side in (old, new)):
        return None, None, None
    with np.errstate(all="ignore"):
        before, step = old.astype(np.float64), new.astype(np.float64)
        step -= before
        step = np.abs(step[np.isfinite(step)])
        base = float(np.sqrt(np.sum(np.square(before[np.isfinite(before)]))))
        moved = float(np.sqrt(np.sum(np.square(step))))
    relative = moved / base if base and math.isfinite(base) else None
    return moved, relative, float(step.max(initial=0.0))
