"""Which releases an incident is about, and when they served: from its alerts, its rollbacks, its links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from mlver.repo.alert_facts import AlertRecord
from mlver.repo.incident_facts import COMMIT, Incident
from mlver.repo.ledger import LedgerEntry, entry_at, ledger_of
from mlver.repo.repository import Repository
from mlver.repo.tenures import ROLLBACK
from mlver.verbs.incident_result import BadRelease


def bad_releases(repo: Repository, incident: Incident, alerts: Sequence[AlertRecord]) -> tuple[BadRelease, ...]:
    """Return the intervals in which releases served that the incident is about, oldest first."""
    ledger = ledger_of(repo)
    found: dict[int, str] = {}
    for alert in alerts:
        if alert.live is None:
            continue
        stage = alert.about.get("stage")
        entries = [entry for entry in ledger if entry.stage == stage]
        entry = entry_at(entries, alert.about.get("scope", ""), alert.at)
        if entry is not None and entry.live.commit == alert.live:
            found.setdefault(ledger.index(entry), f"alert {alert.id} fired on it")
    names = {*incident.tickets, *(alert.id for alert in alerts)}
    for number, entry in enumerate(ledger):
        after = _after(ledger, entry)
        if after is None or after.live.action != ROLLBACK or after.live.commit == entry.live.commit:
            continue
        if (name := _named(names, after.live.reason)) is not None:
            found.setdefault(number, f"rolled back from, naming {name}")
    linked = {event.commit for event in incident.linked(COMMIT)}
    for number, entry in enumerate(ledger):
        if entry.live.commit in linked:
            found.setdefault(number, "linked to the incident")
    return tuple(_release(repo, ledger, ledger[number], why) for number, why in sorted(found.items()))


def served_seconds(repo: Repository, releases: Iterable[BadRelease]) -> float:
    """Return for how long at least one of them served."""
    now, total = repo.now(), 0.0
    end: datetime | None = None
    for since, until in sorted((one.since, one.until or now) for one in releases):
        start = since if end is None else max(since, end)
        total += max(0.0, (until - start).total_seconds())
        end = until if end is None else max(end, until)
    return total


def _release(repo: Repository, ledger: list[LedgerEntry], entry: LedgerEntry, why: str) -> BadRelease:
    commit, after = repo.commit(entry.live.commit), _after(ledger, entry)
    return BadRelease(
        stage=entry.stage,
        scope=entry.scope,
        commit=entry.live.commit,
        subject=commit.subject,
        author=commit.author,
        since=entry.since,
        until=entry.until,
        seconds=((entry.until or repo.now()) - entry.since).total_seconds(),
        actor=entry.live.actor,
        reason=entry.live.reason,
        found=why,
        next=after.live.commit if after else None,
        ended=after.live.action if after else None,
        ended_by=after.live.actor if after else None,
        ended_reason=after.live.reason if after else None,
    )


def _after(ledger: Sequence[LedgerEntry], entry: LedgerEntry) -> LedgerEntry | None:
    """Return what took over from an entry, None while it serves or when nothing did."""
    if entry.until is None:
        return None
    slot = (entry.stage, entry.scope, entry.until)
    return next((one for one in ledger if (one.stage, one.scope, one.since) == slot and one is not entry), None)


def _named(names: Iterable[str], text: str) -> str | None:
    words = set(re.split(r"[\s,;:()\[\]'\"]+", text or ""))
    return next((name for name in sorted(names) if name in words), None)
