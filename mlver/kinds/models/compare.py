"""What two versions of a model have to say of each other, beyond the units that changed."""

from __future__ import annotations

from typing import Final

from mlver.kinds.base import Comparison, Delta, Detail, Units, Unreadable, Value
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.describe import facts, is_array, model_class, short_class
from mlver.kinds.models.load import Loaded
from mlver.kinds.models.moves import Move, measure, shape_text
from mlver.kinds.models.symbols import RUNS

SAME: Final = "byte-different, same model"
_ROWS: Final = 12


def compare_models(old: Units | None, new: Units | None, delta: Delta) -> Comparison:
    """Return the comparison; `old` or `new` is None where the model is absent."""
    if old is None or new is None:
        return _one_sided(old, new)
    safety = _safety(new)
    if not delta:
        return Comparison(SAME, details=safety, same_meaning=True)
    moves, silent = _moves(old, new, delta)
    changed = [key for key in delta.changed if not (is_array(old.get(key)) and is_array(new.get(key)))]
    total = sum(is_array(new.get(key)) for key in list(new.keys()))
    counts = {
        "parameters_changed": len(changed),
        "units_added": len(delta.added),
        "units_removed": len(delta.removed),
        "arrays": total,
        "arrays_moved": len(moves) + len(silent),
    }
    parts = [_plural(len(changed), "parameter", "changed")] if changed else []
    parts += [
        _plural(len(keys), "part", word) for keys, word in ((delta.added, "added"), (delta.removed, "removed")) if keys
    ]
    if moves or silent:
        farthest = [move.relative for move in moves if move.relative is not None]
        largest = f" (max {_percent(max(farthest))})" if farthest else ""
        parts.append(f"{len(moves) + len(silent)} of {total} array{'s' if total != 1 else ''} moved{largest}")
    details = (*safety, *_table(moves, silent))
    return Comparison(f"{_headline(old, new)}: {', '.join(parts)}", details, counts)


def _one_sided(old: Units | None, new: Units | None) -> Comparison:
    units = new if new is not None else old
    if units is None:
        return Comparison("no model")
    said = facts(units)
    name = said.get("class") or "model"
    size = f"{_plural(said['parameters'], 'parameter')}, {_plural(said['arrays'], 'array')}"
    line = f"{'new' if old is None else 'removed'}: {name}, {size}"
    return Comparison(
        line, _safety(units) if new is not None else (), {"arrays": said["arrays"], "parameters": said["parameters"]}
    )


def _headline(old: Units, new: Units) -> str:
    before, after = short_class(old) or "model", short_class(new) or "model"
    if before == after and model_class(old) != model_class(new):
        before, after = model_class(old) or before, model_class(new) or after
    return after if before == after else f"{before} → {after}"


def _moves(old: Units, new: Units, delta: Delta) -> tuple[list[Move], list[str]]:
    """Return the moves of all arrays that changed, most moved first, and the paths nothing can be said of."""
    moves, silent = [], []
    for key in delta.changed:
        if not (is_array(old.get(key)) and is_array(new.get(key))):
            continue
        before, after = _array(old, key), _array(new, key)
        try:
            if before is None or after is None:
                moves.append(_from_values(key, old.get(key), new.get(key)))
            else:
                moves.append(measure(key, before, after))
        except Unreadable:  # the bytes went away meanwhile, or hold no values; that they differ is known
            silent.append(key)
    return sorted(moves, key=lambda move: move.rank), silent


def _array(units: Units, key: str) -> ArrayData | None:
    loaded: Loaded | None = getattr(units, "loaded", None)
    return loaded.arrays.get(key) if loaded is not None else None


def _from_values(key: str, old: Value, new: Value) -> Move:
    before, after = shape_text(tuple(old["shape"])), shape_text(tuple(new["shape"]))
    return Move(key, after if before == after else f"{before} → {after}")


def _table(moves: list[Move], silent: list[str]) -> tuple[Detail, ...]:
    if not moves and not silent:
        return ()
    rows = [(move.path, move.shape, move.l2, move.relative, move.largest, move.unchanged) for move in moves]
    rows += [(path, "", None, None, None, None) for path in silent]
    shown: list[tuple[Value, ...]] = [*rows[:_ROWS]]
    if len(rows) > _ROWS:
        shown.append((f"… {len(rows) - _ROWS} more", "", None, None, None, None))
    columns = ("parameter", "shape", "L2 change", "relative", "max change", "unchanged")
    return (Detail("arrays", columns, tuple(shown)),)


def _safety(units: Units) -> tuple[Detail, ...]:
    loaded = getattr(units, "loaded", None)
    if loaded is None or loaded.verdict != RUNS:
        return ()
    names = loaded.running or ("a call of something another call returned",)
    return (Detail("runs code when loaded", ("name",), tuple((name,) for name in names[:_ROWS])),)


def _percent(share: float) -> str:
    number = share * 100
    return f"{number:.2g} %" if number < 10 else f"{number:.0f} %" if number < 1e6 else f"{number:.1e} %"


def _plural(count: int, noun: str, verb: str = "") -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}{' ' + verb if verb else ''}"
