"""What the next shift should keep an eye on, the most pressing first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from mlver.repo.alert_facts import CRITICAL
from mlver.repo.conditions import BROKEN, UNKNOWN
from mlver.repo.incident_facts import OPEN, Incident
from mlver.repo.repository import Repository
from mlver.verbs.handover_result import SloChange, WaitingAlert
from mlver.verbs.mutes import MuteReport
from mlver.verbs.rule_concerns import RuleConcern
from mlver.verbs.status import LiveNow

_YOUNG = timedelta(days=1)
_SOON = timedelta(days=2)


def watch_list(
    repo: Repository,
    now: datetime,
    live: Sequence[LiveNow],
    waiting: Sequence[WaitingAlert],
    mutes: Sequence[MuteReport],
    incidents: Sequence[Incident],
    slos: Sequence[SloChange],
    concerns: Sequence[RuleConcern],
) -> tuple[str, ...]:
    """Return a line each for what needs eyes: open incidents, alarms, broken promises, fresh and partial releases."""
    found: list[str] = [f"{one.id} is open: {one.reason}" for one in incidents if one.state == OPEN]
    found += [f"{one.id} ({one.severity}) waits: {one.type}" for one in waiting if one.severity in CRITICAL]
    found += [f"objective {one.name} is broken: {one.why}" for one in slos if one.now == BROKEN]
    found += _young(repo, now, live)
    old = [one for one in waiting if one.old]
    if old:
        found.append(f"{len(old)} alerts have waited for a week or longer, since {old[0].at:%Y-%m-%d}: {old[0].id} ...")
    found += [f"{one.path}#{one.id} is {one.state}: {one.why}" for one in concerns]
    found += [f"the mute of {one.type} ends {one.end:%Y-%m-%d %H:%M}Z" for one in mutes if one.end - now <= _SOON]
    found += [f"objective {one.name} is unknown: {one.why}" for one in slos if one.now == UNKNOWN]
    return tuple(found)


def _young(repo: Repository, now: datetime, live: Sequence[LiveNow]) -> Iterator[str]:
    for one in live:
        where = f"{one.stage}/{one.scope}" if one.scope else one.stage
        serves = repo.view.stages.get(one.stage, {}).get(one.scope)
        percent = serves.percent if serves and serves.commit == one.commit else 100
        if percent < 100:
            yield f"{where} serves {one.commit.short} to {percent} % only"
        elif now - one.since < _YOUNG:
            yield f"{where} serves {one.commit.short} {one.subject} since {one.since:%Y-%m-%d %H:%M}Z: less than a day"
