"""What became of an alert: acted on, acknowledged, false, ignored, resolved. History is only ever added to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mlver.errors import UnknownRevision, UsageError
from mlver.objects.state import Fact
from mlver.repo.alert_book import AlertBook
from mlver.repo.alert_facts import ACTED, OUTCOMES, AlertRecord, action_fact, alert_fact
from mlver.repo.alert_files import ActionDraft, AlertDraft, outcome_word
from mlver.repo.repository import Repository
from mlver.repo.transaction import record_facts, recorded
from mlver.verbs.alert_lists import AlertsResult, shown

_COMPARED = 10_000  # ids among which a misspelt one is looked for
_SHORTEST = 8  # characters of an id that is cut short: A0088 may not stand for A00881
_NAMED = 3  # alerts in a hint


def act_on_alert(
    repo: Repository,
    id: str,
    *,
    did: str | None = None,
    outcome: str = ACTED,
    ticket: str | None = None,
    commit: str | None = None,
    reason: str | None = None,
    at: datetime | None = None,
) -> AlertsResult:
    """Record what was done about an alert, and the commit it produced if there is one yet.

    Raises UnknownRevision, with the ids that come close, when there is no such alert.
    """
    return _settle(repo, [id], outcome, f"alerts act {id}", did, reason, ticket, commit, at)


def settle_alerts(
    repo: Repository,
    ids: Sequence[str],
    outcome: str,
    *,
    reason: str | None = None,
    ticket: str | None = None,
    at: datetime | None = None,
) -> AlertsResult:
    """Record one outcome of several alerts, as one operation: `acked`, `false-positive`, `ignored` or `resolved`.

    Raises UnknownRevision when there is none with one of these ids; then nothing is recorded.
    """
    if not ids:
        raise UsageError("no alert named", hint="mlver alerts ls --state open")
    return _settle(repo, ids, outcome, f"alerts {outcome} {' '.join(ids)}"[:200], None, reason, ticket, None, at)


def _settle(
    repo: Repository,
    ids: Sequence[str],
    outcome: str,
    command: str,
    did: str | None,
    reason: str | None,
    ticket: str | None,
    commit: str | None,
    at: datetime | None,
) -> AlertsResult:
    word = outcome_word(outcome)
    if word not in OUTCOMES:
        raise UsageError(f"not an outcome: {outcome!r}", hint=f"one of {', '.join(OUTCOMES)}")
    found = known_alerts(AlertBook(repo), ids)
    ids = [record.id for record in found]
    logged = AlertBook(repo, files=False).records(ids)
    made = repo.resolve(commit) if commit else None
    now = repo.now()
    facts: list[Fact] = []
    for record in found:
        if at is not None and at < record.at:
            raise UsageError(f"alert {record.id} had not fired yet at that time", hint="mlver alerts show " + record.id)
        if record.id not in logged:
            facts.append(_of_file(record, now, repo.actor))
        draft = ActionDraft(word, at or now, did=did, ticket=ticket, reason=reason)
        facts.append(action_fact(record.id, record.live, draft, known=now, by=repo.actor, commit=made))
    record_facts(repo, command, facts, reason=did or reason)
    with recorded():
        return AlertsResult(shown(repo, AlertBook(repo).records(ids).values()))


def _of_file(record: AlertRecord, now: datetime, by: str) -> Fact:
    """Return the fact of an alert that so far stands in a committed file alone: the log must make sense by itself."""
    stage, scope = record.about.get("stage", ""), record.about.get("scope", "")
    draft = AlertDraft(
        record.id, record.type, record.at, record.severity, record.summary, stage, scope, dict(record.details)
    )
    return alert_fact(draft, stage, scope, record.live, known=now, by=by)


def known_alerts(book: AlertBook, ids: Sequence[str]) -> list[AlertRecord]:
    """Return the alerts with these ids, in this order; UnknownRevision naming the first that does not exist.

    A long id, as Alertmanager's are, may be cut short anywhere behind its eighth character.
    """
    records = book.records(ids)
    whole = {id: _completed(id, book) for id in ids if id not in records}
    records |= book.records(whole.values()) if whole else {}
    return [records[id] for id in dict.fromkeys(whole.get(id, id) for id in ids)]


def _completed(short: str, book: AlertBook) -> str:
    start = short.removesuffix("…")  # as lists print it
    found = [id for id in book.chosen() if id.startswith(start)] if len(start) >= _SHORTEST else []
    if len(found) > 1:
        several = ", ".join(found[:_NAMED]) + " …" * (len(found) > _NAMED)
        raise UnknownRevision(f"{len(found)} alerts begin with {start[:80]!r}", hint=f"one of {several}")
    if not found:
        raise unknown_alert(short, book)
    return found[0]


def unknown_alert(id: str, book: AlertBook) -> UnknownRevision:
    """Return the error that there is no such alert, with the ids that come close."""
    from difflib import get_close_matches

    close = get_close_matches(id, book.chosen()[:_COMPARED], n=3)
    return UnknownRevision(
        f"no alert {id[:80]!r}", hint=f"did you mean {', '.join(close)}?" if close else "mlver alerts ls"
    )
