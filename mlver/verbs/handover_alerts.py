"""Alerts and mutes as a handover tells of them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from mlver.repo.alert_book import AlertBook
from mlver.repo.alert_facts import CRITICAL
from mlver.repo.repository import Repository
from mlver.verbs.alert_waiting import waiting_alerts
from mlver.verbs.handover_result import Fired, WaitingAlert
from mlver.verbs.mutes import MuteReport, list_mutes


def still_waiting(repo: Repository, now: datetime) -> tuple[WaitingAlert, ...]:
    """Return the alerts nobody did anything about: those that wake people first, then the oldest."""
    waiting = waiting_alerts(repo, as_of=now)
    old = {one.id for one in waiting.old}
    records = AlertBook(repo, now).records(waiting.open).values() if waiting.open else ()
    found = [WaitingAlert(r.id, r.type, r.severity, r.at, (now - r.at).days, r.id in old) for r in records]
    return tuple(sorted(found, key=lambda one: (one.severity not in CRITICAL, one.at, one.id)))


def fired_alerts(repo: Repository, since: datetime, until: datetime) -> tuple[Fired, ...]:
    """Return what fired since a moment, by type, the types that were acted on first."""
    fired: Counter[str] = Counter()
    acted: Counter[str] = Counter()
    for row in AlertBook(repo, until).briefs(None, since, until, placed=False):
        fired[row.type] += 1
        acted[row.type] += row.acted_at is not None
    found = [Fired(type, count, acted[type]) for type, count in fired.items()]
    return tuple(sorted(found, key=lambda one: (-one.acted, -one.fired, one.type)))


def active_mutes(repo: Repository, now: datetime) -> tuple[MuteReport, ...]:
    """Return the mutes that hold, those that end first first."""
    found = [mute for mute in list_mutes(repo).mutes if mute.since <= now < mute.end]
    return tuple(sorted(found, key=lambda mute: (mute.end, mute.type)))
