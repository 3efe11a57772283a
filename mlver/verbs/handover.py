"""`handover`: what changed on this shift and what the next one has to watch, written from what is recorded."""

from __future__ import annotations

from datetime import datetime, timedelta

from mlver.errors import UsageError
from mlver.objects.ids import CommitId
from mlver.repo.handover_facts import Handover, handover_fact, last_handover
from mlver.repo.history import all_heads, ancestors
from mlver.repo.incident_facts import OPEN, Incident, incidents
from mlver.repo.ledger import ledger_of
from mlver.repo.repository import Repository
from mlver.repo.transaction import record_facts
from mlver.verbs.common import CommitInfo, commit_info, refs_by_commit
from mlver.verbs.handover_alerts import active_mutes, fired_alerts, still_waiting
from mlver.verbs.handover_changes import learned_values, moved, rule_changes, slo_changes
from mlver.verbs.handover_result import HandoverResult, OpenFollowUp
from mlver.verbs.handover_watch import watch_list
from mlver.verbs.rule_concerns import rule_concerns
from mlver.verbs.status import LiveNow, Stale

DEFAULT = timedelta(days=7)
_LEARNED = 10


def handover(
    repo: Repository,
    *,
    since: datetime | None = None,
    to: str | None = None,
    text: str | None = None,
    record: bool = False,
) -> HandoverResult:
    """Return what changed since `since` (None: since the last handover, else for a week) and what to watch.

    `record` writes the handover down, with `to` and `text`. Raises UsageError for a window that has not begun.
    """
    now = repo.now()
    last = last_handover(repo, now)
    start = since or (last.at if last else now - DEFAULT)
    if start > now:
        raise UsageError("a handover cannot begin in the future", hint="--since 7d")
    result = _collect(repo, start, now, last, to, text, recorded=record)
    if record:
        fact = handover_fact(start, to, text, at=now, by=repo.actor)
        record_facts(repo, "handover", [fact], reason=text)
    return result


def _collect(
    repo: Repository, start: datetime, now: datetime, last: Handover | None, to: str | None, text: str | None,
    *, recorded: bool,
) -> HandoverResult:  # fmt: skip
    snapshot, known = repo.head_snapshot(), incidents(repo, now)
    told = tuple(one for one in known.values() if _concerns(one, start))
    slos, problems = slo_changes(repo, start, now)
    learned = learned_values(repo, start, now)
    live = _live(repo, now)
    waiting, mutes = still_waiting(repo, now), active_mutes(repo, now)
    concerns = rule_concerns(repo, snapshot)
    return HandoverResult(
        since=start,
        until=now,
        by=repo.actor,
        to=to,
        text=text,
        last=last,
        live=live,
        moves=moved(repo, start, now),
        commits=_commits(repo, start, now),
        waiting=waiting,
        fired=fired_alerts(repo, start, now),
        mutes=mutes,
        incidents=told,
        follow_ups=tuple(OpenFollowUp(o.id, f) for o in known.values() for f in o.open_follow_ups),
        slos=slos,
        learned=tuple(learned[:_LEARNED]),
        more_learned=max(0, len(learned) - _LEARNED),
        rules=rule_changes(repo, start, now),
        concerns=concerns,
        stale=_stale(repo),
        watch=watch_list(repo, now, live, waiting, mutes, told, slos, concerns),
        problems=problems,
        recorded=recorded,
    )


def _concerns(incident: Incident, start: datetime) -> bool:
    return incident.state == OPEN or any(event.known > start for event in incident.events)


def _live(repo: Repository, now: datetime) -> tuple[LiveNow, ...]:
    """Return what served at that moment, by stage and scope."""
    entries = [e for e in ledger_of(repo) if e.since <= now and (e.until is None or now < e.until)]
    entries.sort(key=lambda entry: (entry.stage, entry.scope))
    return tuple(
        LiveNow(
            e.stage, e.scope, e.live.commit, repo.commit(e.live.commit).subject, e.since, e.live.actor, e.live.reason
        )
        for e in entries
    )


def _commits(repo: Repository, start: datetime, now: datetime) -> tuple[CommitInfo, ...]:
    refs = refs_by_commit(repo)
    found: dict[CommitId, datetime] = {}
    for id in ancestors(repo, all_heads(repo)):
        if start < (made := repo.commit(id).time) <= now:
            found[id] = made
    return tuple(commit_info(id, repo.commit(id), refs) for id in sorted(found, key=lambda id: (found[id], id)))


def _stale(repo: Repository) -> tuple[Stale, ...]:
    head = repo.view.head
    if head is None:
        return ()
    from mlver.repo.staleness import stale_in

    snapshot = repo.snapshot(head)
    found = stale_in(repo, snapshot, repo.commit(head).derivations)
    return tuple(Stale(path, snapshot[path].kind, why) for path, why in found.items())
