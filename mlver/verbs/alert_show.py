"""`alerts show`: one alert and everything that ever happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.objects.state import Fact
from mlver.repo.alert_book import AlertBook
from mlver.repo.alert_facts import ACTION, ALERT, Action, Alert, AlertRecord, to_alert
from mlver.repo.mute_facts import Mute, mutes
from mlver.repo.produced import Produced
from mlver.repo.repository import Repository
from mlver.verbs.alert_outcomes import known_alerts

FIRED = "fired"


@frozen
class AlertEvent:
    """Something that happened to an alert. `what` is `fired` or an outcome.

    `by` is who did it, `recorded` when it became known here and `recorded_by` by whom; both None for what
    stands in a committed file, or came about by itself (`automatic`).
    """

    at: datetime
    what: str
    by: str
    did: str | None = None
    reason: str | None = None
    ticket: str | None = None
    commits: tuple[CommitId, ...] = ()
    automatic: bool = False
    recorded: datetime | None = None
    recorded_by: str | None = None


@frozen
class AlertStory:
    """One alert, its history oldest first, and the mute it fired under, if any."""

    alert: Alert
    events: tuple[AlertEvent, ...]
    details: dict[str, object]
    mute: Mute | None = None


@frozen
class AlertShowResult(Result):
    """Alerts with their histories, in the order they were asked for."""

    schema: ClassVar[str] = "mlver.alert-show/v1"
    alerts: tuple[AlertStory, ...]
    as_of: datetime | None = None


def show_alerts(repo: Repository, ids: Sequence[str], *, as_of: datetime | None = None) -> AlertShowResult:
    """Return alerts with all that happened to them, as known now or at the moment `as_of`.

    Nothing of it is ever taken back: who changes their mind adds an event. Raises UnknownRevision when
    there is no such alert.
    """
    book, produced, muted = AlertBook(repo, as_of), Produced(repo), mutes(repo, as_of)
    records = known_alerts(book, ids)
    logged: dict[str, list[Fact]] = {}
    for fact in book.logged([record.id for record in records]):
        logged.setdefault(fact.subject["alert"], []).append(fact)
    stories = []
    for record in records:
        place = record.about.get("stage"), record.about.get("scope")
        mute = next((m for m in muted if m.covers(record.type, *place, record.at)), None)
        alert = to_alert(record, produced.finish, muted=mute is not None)
        events = _events(record, alert, logged.get(record.id, ()))
        stories.append(AlertStory(alert, events, dict(record.details), mute))
    return AlertShowResult(tuple(stories), as_of)


def _events(record: AlertRecord, alert: Alert, facts: Sequence[Fact]) -> tuple[AlertEvent, ...]:
    fired = min((f for f in facts if f.type == ALERT), key=lambda fact: fact.known, default=None)
    first = AlertEvent(
        record.at, FIRED, "", recorded=fired.known if fired else None, recorded_by=fired.by if fired else None
    )
    return (first, *(_event(action, facts) for action in alert.actions))


def _event(action: Action, facts: Sequence[Fact]) -> AlertEvent:
    mine = [f for f in facts if f.type == ACTION and (f.at, f.body["outcome"]) == (action.at, action.outcome)]
    same = [f for f in mine if f.body.get("did") == action.did and (f.body.get("by", f.by) or "") == action.by]
    fact = min(same, key=lambda fact: fact.known, default=None)
    return AlertEvent(
        at=action.at,
        what=action.outcome,
        by=action.by,
        did=action.did,
        reason=action.reason,
        ticket=action.ticket,
        commits=action.commits,
        automatic=action.automatic,
        recorded=fact.known if fact else None,
        recorded_by=fact.by if fact else None,
    )
