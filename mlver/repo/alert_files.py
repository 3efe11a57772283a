"""Alerts in files, as pagers export them: read into what the fact log records of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.kinds.alerts import parse_alerts
from mlver.kinds.base import Source, Value
from mlver.objects.result import jsonable
from mlver.objects.time import parse_time

DEFAULT_SEVERITY = "warn"
_ACTION_TIMES = ("acted_at", "acknowledged_at", "resolved_at", "closed_at", "ended_at", "endsAt")
_SUMMARIES = ("summary", "message", "description", "title")
_STATES = ("status", "state", "event")
_WORDS = {
    "acknowledged": "acked", "ack": "acked", "act": "acted", "done": "acted", "fixed": "acted",
    "false": "false-positive", "fp": "false-positive", "noise": "false-positive", "ignore": "ignored",
    "closed": "resolved", "ok": "resolved", "normal": "resolved",
}  # fmt: skip
_SETTLED = frozenset(["acted", "acked", "false-positive", "ignored", "resolved"])
_NOT_YET = frozenset(["firing", "fired", "open", "triggered", "active", "alerting", "pending", "new", "none"])
_TAKEN = {"id", "type", "at", "severity", "outcome", "by", "action", "ticket", "stage", "scope", "events"}


@frozen
class ActionDraft:
    """What a file says was done about an alert; `by` is None when it does not say who."""

    outcome: str
    at: datetime
    by: str | None = None
    did: str | None = None
    ticket: str | None = None
    reason: str | None = None


@frozen
class AlertDraft:
    """One alert of a file. `stage` and `scope` are None when the file does not name them."""

    id: str
    type: str
    at: datetime
    severity: str
    summary: str | None
    stage: str | None
    scope: str | None
    details: Mapping[str, Value] = field(default_factory=dict)
    actions: tuple[ActionDraft, ...] = ()


def read_alerts(source: Source) -> list[AlertDraft]:
    """Return the alerts of a file in its order; Unreadable, naming file and line, when it is malformed."""
    return [_draft(alert) for alert in parse_alerts(source)]


def outcome_word(text: str) -> str:
    """Return an outcome in our words (`false_positive` and `FP` are `false-positive`); others stay as they are."""
    word = "-".join(text.strip().lower().replace("_", " ").split())
    return _WORDS.get(word, word)


def _draft(alert: Mapping[str, Value]) -> AlertDraft:
    events: list[Mapping[str, Value]] = list(alert.get("events", ())) or [alert]
    moments = [moment for event in events if (moment := _moment(event.get("at")))]
    at = min(moments, default=parse_time(str(alert["at"])))
    annotations = alert.get("annotations")
    named = {**(annotations if isinstance(annotations, dict) else {}), **alert}
    summary = next((str(named[name]) for name in _SUMMARIES if named.get(name)), None)
    left = {name: jsonable(value) for name, value in alert.items() if name not in _TAKEN and value != summary}
    return AlertDraft(
        id=str(alert["id"]),
        type=str(alert["type"]),
        at=at,
        severity=str(alert.get("severity", DEFAULT_SEVERITY)).lower(),
        summary=summary,
        stage=_text(alert, "stage"),
        scope=_text(alert, "scope"),
        details=left,
        actions=tuple(dict.fromkeys(_actions(events, at))),
    )


def _actions(events: list[Mapping[str, Value]], fired: datetime) -> Iterator[ActionDraft]:
    for event in events:
        outcome = _outcome(event)
        if outcome is None:
            continue
        moments = [_moment(event.get(name)) for name in (*_ACTION_TIMES, "at")]
        at = next((moment for moment in moments if moment and moment >= fired), fired)
        yield ActionDraft(outcome, at, _text(event, "by"), _text(event, "action"), _text(event, "ticket"))


def _outcome(event: Mapping[str, Value]) -> str | None:
    if isinstance(event.get("outcome"), str):
        word = outcome_word(event["outcome"])
        if word and word not in _NOT_YET:
            return word
    else:
        stated = next((event[name] for name in _STATES if isinstance(event.get(name), str)), "")
        if (word := outcome_word(stated)) in _SETTLED:  # a state nobody knows settles nothing
            return word
    return "acted" if event.get("action") else None


def _moment(value: Value) -> datetime | None:
    try:
        return parse_time(value) if isinstance(value, str) else None
    except UsageError:
        return None


def _text(alert: Mapping[str, Value], name: str) -> str | None:
    value = alert.get(name)
    return str(value) if value not in (None, "") else None
