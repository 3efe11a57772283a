"""Alerts as lists: those that are asked for, and what was done about them over the years."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.result import Result
from mlver.repo.alert_book import AlertBook
from mlver.repo.alert_facts import ACTED, OPEN, OUTCOMES, Action, Alert, AlertRecord, to_alert
from mlver.repo.alert_files import outcome_word
from mlver.repo.mute_facts import mutes
from mlver.repo.produced import Produced
from mlver.repo.repository import Repository

_AT_ONCE = 500  # alerts read together


@frozen
class AlertsResult(Result):
    """Alerts, newest first; `added` counts those that were not known before (import).

    `unread` names files of alerts that are malformed, and why: what fired may stand there.
    """

    schema: ClassVar[str] = "mlver.alerts/v1"
    alerts: tuple[Alert, ...]
    added: int = 0
    known_before: int = 0
    unread: tuple[str, ...] = ()


@frozen
class PastAction:
    """Something that was done about an alert. `type_fired` and `type_acted` say how rare that is for its type."""

    alert: str
    type: str
    fired: datetime
    action: Action
    type_fired: int
    type_acted: int


@frozen
class AlertHistoryResult(Result):
    """What was done about alerts, newest first. `more` is true when the limit cut the list."""

    schema: ClassVar[str] = "mlver.alert-history/v1"
    actions: tuple[PastAction, ...]
    more: bool = False


def shown(repo: Repository, records: Iterable[AlertRecord]) -> tuple[Alert, ...]:
    """Return alerts newest first, with the commits their actions produced, and whether they were muted."""
    produced, muted = Produced(repo), mutes(repo)
    return tuple(
        to_alert(one, produced.finish, muted=any(m.covers(one.type, *_place(one), one.at) for m in muted))
        for one in sorted(records, key=_age, reverse=True)
    )


def _place(record: AlertRecord) -> tuple[str | None, str | None]:
    return record.about.get("stage"), record.about.get("scope")


def _age(record: AlertRecord) -> tuple[datetime, str]:
    return record.at, record.id


def list_alerts(
    repo: Repository,
    *,
    type: str | None = None,
    state: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    older_than: timedelta | None = None,
    ids: Sequence[str] = (),
    limit: int | None = None,
) -> AlertsResult:
    """List alerts, newest first. `type` matches by its start; `state` is `open` or an outcome.

    `older_than` keeps those that fired so long ago.
    """
    if limit is not None and limit < 0:
        raise UsageError(f"a limit cannot be negative: {limit}")
    if older_than is not None:
        then = repo.now() - older_than
        until = then if until is None else min(until, then)
    book = AlertBook(repo)
    word = outcome_word(state) if state and state != OPEN else state
    if ids:
        from mlver.verbs.alert_outcomes import known_alerts

        wanted = set(book.chosen(type, since, until))
        found = [r for r in known_alerts(book, ids) if r.id in wanted and word in (None, r.state)]
    else:
        found = list(islice(_in_state(book, book.chosen(type, since, until, open=word == OPEN), word), limit))
    if not found and word not in (None, OPEN, *OUTCOMES):
        raise UsageError(f"no alert is in the state {state!r}", hint=f"states are {', '.join((OPEN, *OUTCOMES))}")
    newest = sorted(found, key=_age, reverse=True)
    return AlertsResult(shown(repo, newest if limit is None else newest[:limit]), unread=book.unread())


def _in_state(book: AlertBook, ids: Sequence[str], state: str | None) -> Iterator[AlertRecord]:
    """Yield the alerts that are in a state (any, if None), reading no more of them than are asked for."""
    for start in range(0, len(ids), _AT_ONCE):
        records = book.records(ids[start : start + _AT_ONCE]).values()
        yield from (record for record in records if state in (None, record.state))


def alert_history(
    repo: Repository,
    *,
    type: str | None = None,
    acted: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    as_of: datetime | None = None,
) -> AlertHistoryResult:
    """Return what people did about alerts, newest first, over all time unless said otherwise.

    With `acted` only what was acted on: one such alert in five thousand stands there like any other.
    What nobody did (alerts ignored automatically) is no part of it.
    """
    book, produced = AlertBook(repo, as_of), Produced(repo)
    counts: dict[str, tuple[int, int]] = {}
    for row in book.briefs(type, placed=False):
        fired, done = counts.get(row.type, (0, 0))
        counts[row.type] = (fired + 1, done + (row.acted_at is not None))
    found = [
        PastAction(record.id, record.type, record.at, action, *counts[record.type])
        for record in book.records(book.chosen(type, acted=acted)).values()
        for action in record.actions
        if not action.automatic and (not acted or action.outcome == ACTED)
        if (since is None or action.at >= since) and (until is None or action.at <= until)
    ]
    found.sort(key=lambda one: (one.action.at, one.alert), reverse=True)
    kept = found if limit is None else found[:limit]
    records = book.records([one.alert for one in kept])
    finished = (replace(one, action=produced.finish(records[one.alert], one.action)) for one in kept)
    return AlertHistoryResult(tuple(finished), more=len(kept) < len(found))
