"""Alerts: what fired, when, and what became of it. JSON lines, CSV, JSON lists, Alertmanager's webhook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import ClassVar

from blake3 import blake3

from mlver.errors import UsageError
from mlver.kinds.alert_edit import edit_alerts, joined
from mlver.kinds.base import Comparison, Delta, Detail, Kind, Source, Spec, Units, Unreadable, Value, same
from mlver.kinds.documents import load, load_records
from mlver.kinds.edits import confirmed
from mlver.kinds.recognise import score
from mlver.objects.time import format_time, parse_time

# Our names for the fields, and what else they are called; the first that is there counts
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "alert_id", "alertId", "uid"),
    "type": ("type", "alert_type", "alertname", "alert", "name", "rule"),
    "at": ("at", "time", "timestamp", "ts", "startsAt", "fired_at", "created_at"),
    "severity": ("severity", "level", "priority"),
    "outcome": ("outcome", "resolution"),
    "by": ("by", "who", "acted_by", "acknowledged_by"),
    "action": ("action", "did"),
    "ticket": ("ticket", "issue"),
}
# What is learned of an alert after it fired, and so is no part of a made id
_CHANGING = ("status", "state", "event", "endsAt", "ended_at", "resolved_at", "annotations", "note", "comment", "value")
_EMPTY = (None, "")
_EPOCHS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (0.0, 1.0))  # epoch times by their size: ns, us, ms, s


class AlertsUnits(Units):
    """Alerts by id."""

    def combine(self, key: str, ours: Units, theirs: Units) -> Value:
        """An alert that got new events on both sides has them all, as long as they do not contradict each other."""
        return joined(self.get(key), ours.get(key), theirs.get(key))


class AlertsKind(Kind):
    """A history of alerts. A unit is one alert by its id, or by its fingerprint and time."""

    name: ClassVar[str] = "alerts"
    order: ClassVar[int] = 60

    def recognises(self, path: str, head: bytes) -> int:
        """Sure of files named for alerts, or in a folder of them."""
        return score(self.name, path, head)

    def units(self, source: Source, spec: Spec) -> Units:
        """Return every alert, its fields under the names of `parse_alerts`."""
        return AlertsUnits({str(alert["id"]): alert for alert in _alerts(source)})

    def edit(self, source: Source, spec: Spec, changes: Mapping[str, Value], like: Units | None = None) -> bytes:
        """Return the file with alerts changed; new alerts and new events of known ones are appended."""
        from mlver.kinds.documents.rewrite import rewrite

        document = load(source) if source.size else []
        new = edit_alerts(document, changes, _normalised, _FIELDS)
        return confirmed(self, source, spec, changes, rewrite(source, document, new))

    def compare(self, old: Units | None, new: Units | None, delta: Delta) -> Comparison:
        """Count the new, gone and changed alerts; the detail counts each type."""
        if old is not None and new is not None and not delta:
            return Comparison("same alerts", same_meaning=True)
        added = _types(new, delta.added)
        removed = _types(old, delta.removed)
        changed = _types(new, delta.changed)
        all_of = added + removed + changed
        rows = tuple((name, added[name], removed[name], changed[name]) for name, _ in all_of.most_common())
        total = [counter.total() for counter in (added, removed, changed)]
        parts = [f"{sign}{count}" for sign, count in zip("+-~", total, strict=True) if count]
        named = ", ".join(f"{count} {name}" for name, count in all_of.most_common(3)) + ", ..." * (len(rows) > 3)
        summary = f"{' '.join(parts)} alert{'s' if sum(total) != 1 else ''} ({named})" if rows else "no alerts"
        detail = Detail("alerts by type", ("type", "added", "removed", "changed"), rows)
        counts = dict(zip(("alerts_added", "alerts_removed", "alerts_changed"), total, strict=True))
        return Comparison(summary, (detail,) if rows else (), counts)

    def text(self, key: str, value: Value) -> str:
        """Return time, type, severity and what became of it."""
        if not isinstance(value, dict):
            return super().text(key, value)
        did = [str(value[name]) for name in ("outcome", "by", "action", "ticket") if value.get(name)]
        fired = [str(value[name]) for name in ("at", "type", "severity") if value.get(name)]
        return " ".join(fired) + (f": {', '.join(did)}" if did else "")

    def summary(self, units: Units) -> Mapping[str, Value]:
        """Return how many alerts there are, how many were acted on, and of which types they are."""
        alerts = [units.get(key) for key in units.keys()]  # noqa: SIM118 - Units is no mapping
        types = Counter(_type(alert) for alert in alerts)
        return {
            "alerts": len(units),
            "acted": sum(bool(alert.get("action")) or alert.get("outcome") == "acted" for alert in alerts),
            "types": dict(types.most_common()),
        }


def parse_alerts(source: Source) -> list[dict[str, Value]]:
    """Return every alert of the file for the fact log, in the file's order.

    Each has `id`, `type` and `at` (RFC 3339, UTC when the file names no zone), and as far as the file
    has them `severity`, `outcome`, `by`, `action`, `ticket`; all other fields keep their names. Several
    records of one id are one alert: later fields win, `events` holds them all. Unreadable names the file
    and the line that has no type or no time.
    """
    try:
        alerts = _alerts(source, strict=True)
    except Unreadable as error:
        raise Unreadable(f"{source.path}: {error}") from None
    return alerts


def _alerts(source: Source, strict: bool = False) -> list[dict[str, Value]]:
    found: dict[str, dict[str, Value]] = {}
    events: dict[str, list[Value]] = {}
    for number, (line, record) in enumerate(_records(source), 1):
        where = f"line {line}" if line else f"alert {number}"
        if not isinstance(record, dict):
            raise Unreadable(f"{where}: not an alert but {type(record).__name__}")
        alert = _normalised(record)
        if strict:
            _require(alert, where)
        key = alert["id"]
        if key in found and not any(same(alert, event) for event in events[key]):
            found[key] = {**found[key], **alert}
            events[key].append(alert)
            found[key]["events"] = events[key]
        elif key not in found:
            found[key], events[key] = alert, [alert]
    return list(found.values())


def _records(source: Source) -> list[tuple[int | None, Value]]:
    if source.path.lower().endswith((".jsonl", ".ndjson", ".csv", ".tsv")):
        return [pair for line, value in load_records(source) for pair in _unwrapped(line, value)]
    document = load(source)
    if _is_webhook(document):
        document = document["alerts"]
    if isinstance(document, dict) and all(isinstance(item, dict) for item in document.values()):
        document = [{"id": key, **item} for key, item in document.items()]
    if document is None:
        return []
    if not isinstance(document, list):
        raise Unreadable("not a list of alerts")
    return [pair for item in document for pair in _unwrapped(None, item)]


def _is_webhook(value: Value) -> bool:
    """Whether this is a notification of Alertmanager: several alerts and what they have in common."""
    return isinstance(value, dict) and isinstance(value.get("alerts"), list)


def _unwrapped(line: int | None, value: Value) -> Iterator[tuple[int | None, Value]]:
    """Yield a record, or every alert of a notification, as a log of webhooks holds them one after the other."""
    if not _is_webhook(value):
        yield line, value
        return
    for alert in value["alerts"]:
        yield line, alert


def _normalised(record: dict[str, Value]) -> dict[str, Value]:
    """Return the record with our names for its fields; empty ones are dropped, the missing id is made."""
    labels = record.get("labels")
    alert: dict[str, Value] = {}
    used = set()
    for ours, names in _FIELDS.items():
        for name in names:
            if record.get(name) not in _EMPTY:
                alert[ours] = record[name]
                used.add(name)
                break
    if isinstance(labels, dict):
        for ours in ("type", "severity"):
            found = [labels[name] for name in _FIELDS[ours] if labels.get(name) not in _EMPTY]
            if found:
                alert.setdefault(ours, found[0])
        for place in ("stage", "scope"):
            if isinstance(labels.get(place), str) and labels[place] and place not in record:
                alert[place] = labels[place]
    free = {name: value for name, value in record.items() if name not in used and value not in _EMPTY}
    if "id" in alert:
        return {**free, **alert, "id": str(alert["id"])}
    return {**free, **alert, "id": _made_id(alert, free)}


def _made_id(alert: dict[str, Value], free: dict[str, Value]) -> str:
    """Return an id from what does not change in the life of an alert: its labels, or what it is about, and its time."""
    lasting = sorted((name, str(value)) for name, value in free.items() if name not in _CHANGING)
    what = f"{alert.get('type')}\0{lasting}"
    return f"{free.get('fingerprint') or blake3(what.encode()).hexdigest()[:16]}@{alert.get('at', '')}"


def _require(alert: dict[str, Value], where: str) -> None:
    """Make sure that the alert says what and when, and write its time one way."""
    if not isinstance(alert.get("type"), str):
        raise Unreadable(f"{where}: alert {alert['id']} has no type")
    at = alert.get("at")
    try:
        if isinstance(at, (int, float)) and not isinstance(at, bool):
            unit = next(unit for least, unit in _EPOCHS if abs(at) >= least)
            alert["at"] = format_time(datetime.fromtimestamp(at / unit, UTC))
        else:
            alert["at"] = format_time(parse_time(str(at)))
    except (UsageError, ValueError, OverflowError, OSError, StopIteration):
        problem = "has no time" if at is None else f"has no time mlver reads: {str(at)[:40]!r}"
        raise Unreadable(f"{where}: alert {alert['id']} {problem}") from None


def _types(units: Units | None, keys: Iterable[str]) -> Counter[str]:
    return Counter(_type(units.get(key)) for key in keys) if units is not None else Counter()


def _type(alert: Value) -> str:
    return str(alert.get("type", "(no type)")) if isinstance(alert, dict) else "(no type)"
