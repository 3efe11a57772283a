"""Changing a history of alerts: new ones and new events are appended, everything else keeps its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mlver.kinds.base import MISSING, CannotEdit, Value, same

Normalise = Callable[[dict[str, Value]], dict[str, Value]]


def edit_alerts(
    document: Value, changes: Mapping[str, Value], normalised: Normalise, fields: Mapping[str, Sequence[str]]
) -> Value:
    """Return the document with alerts changed by id.

    `normalised` gives a record our names for its fields, `fields` says what else each of them is called: records
    that are written get the names that the file uses.
    """
    records = _records(document)
    if not all(isinstance(record, dict) for record in records):
        raise CannotEdit("not a list of alerts")
    places: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        places.setdefault(normalised(record)["id"], []).append(place)
    names = _names(records, fields)
    written: dict[int, Value] = {}
    appended: list[Value] = []
    for key, value in changes.items():
        have = places.get(key, [])
        wanted = [] if value is MISSING else value.get("events") or [value]
        for number, place in enumerate(have):
            if number >= len(wanted):
                written[place] = MISSING
            elif not same(normalised(records[place]), wanted[number]):
                written[place] = _written(wanted[number], names, normalised)
        appended += [_written(event, names, normalised) for event in wanted[len(have) :]]
    kept = [written.get(place, record) for place, record in enumerate(records)]
    return _laid(document, [record for record in (*kept, *appended) if record is not MISSING])


def _records(document: Value) -> list[Value]:
    if isinstance(document, dict) and isinstance(document.get("alerts"), list):
        return list(document["alerts"])
    if isinstance(document, dict) and all(isinstance(item, dict) for item in document.values()):
        return [{"id": key, **item} for key, item in document.items()]
    return list(document) if isinstance(document, list) else []


def _laid(document: Value, records: list[Value]) -> Value:
    if not isinstance(document, dict):
        return records
    if isinstance(document.get("alerts"), list):
        return {**document, "alerts": records}
    return {record["id"]: {name: item for name, item in record.items() if name != "id"} for record in records}


def _names(records: Sequence[dict[str, Value]], fields: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return our name of a field -> the one the file uses."""
    used = {name for record in records for name in record}
    return {ours: next((name for name in others if name in used), ours) for ours, others in fields.items()}


def _written(alert: dict[str, Value], names: Mapping[str, str], normalised: Normalise) -> dict[str, Value]:
    """Return an alert as a record of the file, without what its labels or its made id say anyway."""
    plain = {name: value for name, value in alert.items() if name != "events"}
    for name in ("type", "severity", "id"):
        less = {other: value for other, value in plain.items() if other != name}
        if (name != "id" or names["id"] == "id") and same(normalised(dict(less)), normalised(dict(plain))):
            plain = less
    return {names.get(name, name): value for name, value in plain.items()}


def joined(base: Value, ours: Value, theirs: Value) -> Value:
    """Return the alert with the events of both sides after those of `base`; MISSING when they contradict each other."""
    if not all(isinstance(alert, dict) for alert in (base, ours, theirs)):
        return MISSING
    start, mine, others = (alert.get("events") or [alert] for alert in (base, ours, theirs))
    if not all(len(side) > len(start) and same(side[: len(start)], start) for side in (mine, others)):
        return MISSING
    news = [event for event in others[len(start) :] if not any(same(event, known) for known in mine)]
    for event in news:
        for other in mine[len(start) :]:
            if any(name in other and name != "at" and not same(other[name], event[name]) for name in event):
                return MISSING
    events = [*mine, *news]
    found: dict[str, Value] = {}
    for event in events:
        found |= event
    return {**found, "events": events}
