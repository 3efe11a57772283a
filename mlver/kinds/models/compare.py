"""What two versions of a model have to say of each other, beyond the units that changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mlver.kinds.base import Comparison, Delta, Detail, Units, Unreadable, Value, same
from mlver.kinds.models.arrays import ArrayData
from mlver.kinds.models.describe import facts, is_array, model_class, short_class, size_text
from mlver.kinds.models.loaded import Loaded
from mlver.kinds.models.moves import Move, measure, shape_text
from mlver.kinds.models.symbols import RUNS
from mlver.kinds.models.trees import is_tree

SAME: Final = "byte-different, same model"
_ROWS: Final = 12
_FEATURES: Final = 8
_LEAST: Final = 0.005  # a share of importance that moved less is no news


def compare_models(old: Units | None, new: Units | None, delta: Delta) -> Comparison:
    """Return the comparison; `old` or `new` is None where the model is absent."""
    if old is None or new is None:
        return _one_sided(old, new)
    safety = _safety(new)
    rated = _rated(old, new)
    if not delta and not rated:
        return Comparison(SAME, details=safety, same_meaning=True)
    moves, silent = _moves(old, new, delta)
    changed, added, removed = _rest(old, new, delta)
    total = sum(is_array(new.get(key)) for key in list(new.keys()))
    counts: dict[str, int | float] = {
        "parameters_changed": len(changed),
        "units_added": len(added),
        "units_removed": len(removed),
        "arrays": total,
        "arrays_moved": len(moves) + len(silent),
    }
    parts, more = _trees(old, new, delta)
    counts |= more
    parts += [_plural(len(changed), "parameter", "changed")] if changed else []
    parts += [_plural(len(keys), "part", word) for keys, word in ((added, "added"), (removed, "removed")) if keys]
    if moves or silent:
        farthest = [move.relative for move in moves if move.relative is not None]
        largest = f" (max {_percent(max(farthest))})" if farthest else ""
        parts.append(f"{len(moves) + len(silent)} of {total} array{'s' if total != 1 else ''} moved{largest}")
    spoilt = sum(move.spoilt > 0 for move in moves)
    if spoilt:
        parts.append(f"NaN or infinity appeared in {_plural(spoilt, 'array')}")
        counts["arrays_spoilt"] = spoilt
    if (missing := _loaded(new, "missing") or _loaded(old, "missing")) and isinstance(missing, str):
        parts.append(f"not shown: {missing}")
    details = (*safety, *_importance(old, new), *_table(moves, silent))
    return Comparison(f"{_headline(old, new)}: {', '.join([*rated, *parts])}", details, counts)


def _one_sided(old: Units | None, new: Units | None) -> Comparison:
    units = new if new is not None else old
    if units is None:
        return Comparison("no model")
    said = facts(units)
    line = f"{'new' if old is None else 'removed'}: {said.get('class') or 'model'}, {size_text(said)}".rstrip(", ")
    counts = {key: said[key] for key in ("arrays", "parameters", "trees", "elements") if type(said.get(key)) is int}
    return Comparison(line, _safety(units) if new is not None else (), counts)


def _rated(old: Units, new: Units) -> list[str]:
    """Return what is to be said of the verdict, which comes before all else; nothing when it is as it was."""
    before, after = _loaded(old, "verdict"), _loaded(new, "verdict")
    return [] if before is None or after is None or before == after else [f"loading it: {before} → {after}"]


def _headline(old: Units, new: Units) -> str:
    before, after = short_class(old) or "model", short_class(new) or "model"
    if before == after and model_class(old) != model_class(new):
        before, after = model_class(old) or before, model_class(new) or after
    return after if before == after else f"{before} → {after}"


def _rest(old: Units, new: Units, delta: Delta) -> tuple[list[str], list[str], list[str]]:
    """Return the units changed, added and removed that are told neither as arrays nor as trees."""
    known = {key for test in (is_array, is_tree) for key in delta.changed if test(old.get(key)) and test(new.get(key))}
    changed = [key for key in delta.changed if key not in known]
    added = [key for key in delta.added if not is_tree(new.get(key))]
    return changed, added, [key for key in delta.removed if not is_tree(old.get(key))]


def _trees(old: Units, new: Units, delta: Delta) -> tuple[list[str], dict[str, int]]:
    """Return what is to be said of the trees, and their numbers; nothing when none changed."""
    both = [key for key in delta.changed if is_tree(old.get(key)) and is_tree(new.get(key))]
    changed = sum(not same(old.get(key)["tree"], new.get(key)["tree"]) for key in both)
    before, after = (sum(is_tree(units.get(key)) for key in list(units.keys())) for units in (old, new))
    if not both and before == after:
        return [], {}
    counts = {"trees_before": before, "trees": after, "trees_changed": changed}
    if before != after:
        return [f"trees {before} → {after}{_kept(changed, min(before, after))}"], counts
    if not changed:
        return [f"settings of {_plural(len(both), 'tree')} changed"], counts
    return [f"{changed if changed < after else 'all'} of {after} trees changed"], counts


def _kept(changed: int, both: int) -> str:
    if not both:
        return ""
    if not changed:
        return f", the first {both} as before"
    return ", all changed" if changed == both else f", {changed} of the first {both} changed"


def _importance(old: Units, new: Units) -> tuple[Detail, ...]:
    """Return how the importance of features moved, most moved first; nothing where that is not known."""
    before, after = _shares(old), _shares(new)
    if before is None or after is None:
        return ()
    rows = [
        (name, round(before.get(name, 0.0), 4), round(after.get(name, 0.0), 4))
        for name in {**before, **after}
        if abs(after.get(name, 0.0) - before.get(name, 0.0)) >= _LEAST
    ]
    rows.sort(key=lambda row: (-abs(row[2] - row[1]), row[0]))
    told = tuple((name, a, b, f"{(b - a) * 100:+.1f} points") for name, a, b in rows[:_FEATURES])
    return (Detail("feature importance", ("feature", "before", "after", "change"), told),) if told else ()


def _shares(units: Units) -> Mapping[str, float] | None:
    importance = getattr(getattr(units, "loaded", None), "importance", None)
    try:
        shares: Mapping[str, float] | None = importance() if importance is not None else None
    except Unreadable:  # trees that are no trees; that they differ is known
        return None
    return shares or None


def _loaded(units: Units, name: str) -> object:
    return getattr(getattr(units, "loaded", None), name, None)


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
    spoilt = any(move.nans != (0, 0) or move.infs != (0, 0) for move in moves)
    rows: list[tuple[Value, ...]] = [_row(move) for move in moves]
    rows += [(path, "", None, None, None, None, "") for path in silent]
    shown: list[tuple[Value, ...]] = rows[:_ROWS]
    if len(rows) > _ROWS:
        shown.append((f"… {len(rows) - _ROWS} more", "", None, None, None, None, ""))
    columns: tuple[str, ...] = ("parameter", "shape", "L2 change", "relative", "max change", "unchanged", "not finite")
    if not spoilt:
        columns, shown = columns[:-1], [row[:-1] for row in shown]
    return (Detail("arrays", columns, tuple(shown)),)


def _row(move: Move) -> tuple[Value, ...]:
    odd = [_counted(*move.nans, "NaN"), _counted(*move.infs, "inf")]
    return move.path, move.shape, move.l2, move.relative, move.largest, move.unchanged, ", ".join(filter(None, odd))


def _counted(before: int, after: int, word: str) -> str:
    if before == after:
        return f"{after} {word}" if after else ""
    return f"{before} → {after} {word}"


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
