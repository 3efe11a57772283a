"""Metrics: numbers by name and slice, from nested JSON, YAML or TOML, or from lists of measurements."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from math import isfinite, isnan
from typing import ClassVar

from mlver.kinds.base import Comparison, Delta, Detail, Kind, Source, Spec, Units, Unreadable, Value, short_json
from mlver.kinds.curves import HEAD, STEPS, compared, curves, step_of
from mlver.kinds.directions import Direction, direction
from mlver.kinds.documents import flatten, join_path, load
from mlver.kinds.edits import confirmed
from mlver.kinds.metric_edit import Read, edit_metrics
from mlver.kinds.recognise import score

__all__ = ["Direction", "MetricsKind", "MetricsUnits", "direction"]

_NAME = ("name", "metric", "key")
_SLICES = ("slice", "dataset", "subject")
_NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?inf(inity)?|nan", re.IGNORECASE)
_RANK = {"worse": 1, "better": 2, "changed": 3}


class MetricsUnits(Units):
    """Metric values by dotted path, with the directions declared for them."""

    def __init__(self, items: Mapping[str, Value], declared: Mapping[str, str]) -> None:
        super().__init__(items)
        self.declared = declared


class MetricsKind(Kind):
    """Measurements. A unit is one value, `recall` or `C.recall` for a slice, named as the file nests them."""

    name: ClassVar[str] = "metrics"
    order: ClassVar[int] = 10

    def recognises(self, path: str, head: bytes) -> int:
        """Sure of documents and small tables named for metrics or in a folder of them."""
        return score(self.name, path, head)

    def units(self, source: Source, spec: Spec) -> MetricsUnits:
        """Return every value. Option `direction` of the artifact: metric -> `higher` or `lower`."""
        declared = spec.options.get("direction", {})
        if not isinstance(declared, Mapping):
            raise Unreadable("the option direction is no table of metric -> higher or lower")
        return MetricsUnits(
            {key: _number(value) for key, value in _named(load(source)).items()},
            {str(key): str(value) for key, value in declared.items()},
        )

    def edit(self, source: Source, spec: Spec, changes: Mapping[str, Value], like: Units | None = None) -> bytes:
        """Return the file with some values changed; in a list of measurements none come or go."""
        from mlver.kinds.documents.rewrite import rewrite

        document = load(source)
        records = document.get("metrics") if isinstance(document, dict) else document
        data = rewrite(source, document, edit_metrics(document, changes, _naming(records)))
        return confirmed(self, source, spec, changes, data)

    def compare(self, old: Units | None, new: Units | None, delta: Delta) -> Comparison:
        """Say what got worse and better; the detail `metrics` lists every changed number, the worst first.

        Values by step are curves: the detail `curves` has the last and the best value of each, then and now.
        """
        if old is None or new is None:
            there = new if new is not None else old
            return Comparison(_plural(len(there) if there is not None else 0, "value"))
        if not delta:
            return Comparison("same values", same_meaning=True)
        declared = new.declared if isinstance(new, MetricsUnits) else {}
        moves = [(key, old.get(key), new.get(key)) for key in delta.changed]
        rows = sorted(
            ((key, a, b, _minus(b, a), _verdict(key, a, b, declared)) for key, a, b in moves if _both_numbers(a, b)),
            key=lambda row: (not isnan(row[3]), _RANK[row[4]], -_share(row[1], row[2])),
        )
        counts: dict[str, int | float] = {word: sum(row[4] == word for row in rows) for word in _RANK}
        others = {"new": len(delta.added), "gone": len(delta.removed), "other": len(moves) - len(rows)}
        bent = _curves(old, new, {*delta.added, *delta.removed, *delta.changed}, declared)
        alone = [row for row in rows if (point := step_of(row[0])) is None or point[1] not in bent]
        told = _counted(delta, alone, len(moves) - len(rows), bent)
        if alone and alone[0][4] == "worse":
            told.append(f"most: {alone[0][0]} {_short(alone[0][1])} -> {_short(alone[0][2])}")
        told += [f"{row[0]} ends at {_short(row[2])}, was {_short(row[1])} ({row[-1]})" for row in bent.values()][:3]
        details = [Detail("curves", HEAD, tuple(bent.values()))] if bent else []
        details += [Detail("metrics", ("metric", "old", "new", "delta", "verdict"), tuple(alone))] if alone else []
        return Comparison(", ".join(told), tuple(details), counts | others)

    def text(self, key: str, value: Value) -> str:
        """Return the number with six digits."""
        return _short(value)

    def summary(self, units: Units) -> Mapping[str, Value]:
        """Return how many values there are."""
        return {"values": len(units)}


def _curves(
    old: Units, new: Units, touched: Collection[str], declared: Mapping[str, str]
) -> dict[str, tuple[Value, ...]]:
    """Return a row for each curve that both versions have and that is another, the worse ones first."""
    names = {point[1] for key in touched if (point := step_of(key))}
    if not names:
        return {}
    before, after = curves(old, declared), curves(new, declared)
    rows = [compared(name, before[name], after[name], declared) for name in after if name in before and name in names]
    order = ("worse", "better", "changed", "same")
    return {row[0]: row for row in sorted(rows, key=lambda row: order.index(row[-1]))}


def _counted(delta: Delta, rows: Sequence[tuple[Value, ...]], other: int, curves: Collection[str]) -> list[str]:
    """Return `2 worse`, `1 new` and so on of what is no point of those curves."""

    def apart(keys: Iterable[str]) -> int:
        return sum((point := step_of(key)) is None or point[1] not in curves for key in keys)

    words = {word: sum(row[4] == word for row in rows) for word in _RANK}
    words |= {"new": apart(delta.added), "gone": apart(delta.removed), "other": other}
    return [f"{count} {word}" for word, count in words.items() if count]


def _named(document: Value) -> dict[str, Value]:
    """Return path -> value of the shapes people write: nested maps, `{"metrics": ...}`, lists of measurements."""
    if isinstance(document, list):
        return _measurements(document)
    if isinstance(document, dict) and isinstance(document.get("metrics"), (dict, list)):
        inner = _named(document["metrics"])
        outer = flatten({key: value for key, value in document.items() if key != "metrics"})
        return {**inner, **outer} if not inner.keys() & outer.keys() else flatten(document)
    return flatten(document)


def _measurements(records: list[Value]) -> dict[str, Value]:
    """Return the values of `{name, value, slice, dataset, n ...}` records as name.slice.dataset, of others by step."""
    found: dict[str, Value] = {}
    naming = _naming(records)
    for index, record in enumerate(records):
        if not isinstance(record, dict):
            return flatten(records)
        path, rest = naming(record, index)
        for key, value in rest.items():
            if key in found:
                raise Unreadable(f"duplicate metric {key} (record {index + 1})")
            found[key] = value
        if not path:
            raise Unreadable(f"record {index + 1} is empty")
    return found


def _naming(records: Value) -> Read:
    """Return what names the values of one record; by step, too, where a name comes again at another step."""
    rows = [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []
    names = Counter(join_path(_measured(record)) for record in rows if _name_field(record))
    again = any(count > 1 for count in names.values()) and all(_step_field(record) for record in rows)
    return partial(_measurement, by_step=again)


def _measurement(record: dict[str, Value], index: int, by_step: bool = False) -> tuple[list[str], dict[str, Value]]:
    name, step = _name_field(record), _step_field(record)
    at = f"{step}={record[step]}" if step else str(index)
    if name is None:
        path = [at]
        rest = {key: value for key, value in record.items() if key != step}
    else:
        path = [*([at] if by_step else []), *_measured(record)]
        known = (name, "value", *_SLICES, *([step] if by_step else []))
        rest = {key: value for key, value in record.items() if key not in known}
    prefix = join_path(path)
    found = {prefix: record["value"]} if name is not None else {}
    return path, found | {f"{prefix}.{key}": value for key, value in flatten(rest).items()}


def _name_field(record: dict[str, Value]) -> str | None:
    """Return the field that names the metric of a record that has one value; None for other records."""
    if "value" not in record:
        return None
    return next((field for field in _NAME if isinstance(record.get(field), str)), None)


def _step_field(record: dict[str, Value]) -> str | None:
    return next((field for field in STEPS if record.get(field) not in (None, "")), None)


def _measured(record: dict[str, Value]) -> list[str]:
    """Return what a record measures: the metric, then the slices it is of."""
    name = record[_name_field(record) or ""]
    return [name, *(_slice(record[field]) for field in _SLICES if record.get(field) not in (None, "", {}))]


def _slice(value: Value) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in sorted(value.items()))
    return str(value)


def _number(value: Value) -> Value:
    """Return text that is a number as one: CSV has nothing else, and YAML reads `1e-3` as text."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value.strip()):
        return value
    text = value.strip().replace("_", "")
    return int(text) if text.lstrip("+-").isdigit() and len(text) < 400 else float(text)


def _both_numbers(a: Value, b: Value) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in (a, b))


def _minus(b: float, a: float) -> float:
    """Return b - a without the noise of binary fractions, an integer for integers; NaN beyond a float."""
    try:
        return b - a if isinstance(a, int) and isinstance(b, int) else float(f"{b - a:.12g}")
    except OverflowError:
        return float("nan")


def _share(a: float, b: float) -> float:
    """Return the move relative to the larger of the two, 0 to 2."""
    try:
        most = max(abs(a), abs(b))
        return abs(b - a) / most if most and isfinite(most) else float(most != 0)
    except OverflowError:
        return 1.0


def _verdict(key: str, a: float, b: float, declared: Mapping[str, str]) -> str:
    way = direction(key, declared)
    if way is None or a != a or b != b:
        return "changed"
    return "better" if (b > a) == (way == "higher") else "worse"


def _short(value: Value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else short_json(value)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"
