"""`incident report`: what happened, for how long, why, whom it hit and what is left to do; from what is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from mlver.errors import UsageError
from mlver.objects.ids import CommitId
from mlver.repo.alert_book import AlertBook
from mlver.repo.alert_facts import AlertRecord
from mlver.repo.history import all_heads, ancestors, walk
from mlver.repo.incident_facts import CAUSE, Incident
from mlver.repo.repository import Repository
from mlver.repo.slo_policy import objectives
from mlver.repo.slo_state import slo_tenures
from mlver.repo.tenures import Health, last_good
from mlver.verbs.commit_story import commit_story, last_changed, lost_story
from mlver.verbs.incident import find_incident
from mlver.verbs.incident_releases import bad_releases, served_seconds
from mlver.verbs.incident_result import BadRelease, CommitStory, IncidentReportResult, SloThenNow, TimelineEvent
from mlver.verbs.incident_timeline import timeline


def report_incident(repo: Repository, id: str) -> IncidentReportResult:
    """Return all that is known of an incident. Raises UnknownRevision when there is none of that id.

    Worked out: alerts whose actions name it, the releases they fired on and how long these served, what came with
    them, commits that name it, values that became known, objectives then and now. Added: what people linked.
    """
    incident = find_incident(repo, id)
    alerts = _alerts(repo, incident)
    releases = bad_releases(repo, incident, alerts)
    goods = {release.commit: _good(repo, release) for release in releases}
    causes = tuple(_causes(repo, incident, releases, [good for good in goods.values() if good]))
    told = {story.commit for story in causes}
    came_with = tuple(_came_with(repo, goods, told))
    named = _named(repo, incident, alerts, {*told, *(story.commit for story in came_with)})
    slos, problems = _slos(repo, releases)
    return IncidentReportResult(
        incident=incident,
        releases=releases,
        served_seconds=served_seconds(repo, releases),
        timeline=_story(repo, incident, alerts, releases, (*causes, *named)),
        causes=causes,
        came_with=came_with,
        named=named,
        slos=slos,
        problems=problems,
    )


def _story(
    repo: Repository,
    incident: Incident,
    alerts: Sequence[AlertRecord],
    releases: Sequence[BadRelease],
    stories: Sequence[CommitStory],
) -> tuple[TimelineEvent, ...]:
    commits = [story for story in stories if story.commit is not None]
    return timeline(repo, incident, alerts, releases, commits)


def _alerts(repo: Repository, incident: Incident) -> tuple[AlertRecord, ...]:
    """Return the linked alerts, and those whose actions name the incident or one of its tickets, oldest first."""
    book, names = AlertBook(repo), set(incident.tickets)
    wanted = dict.fromkeys(incident.alerts)
    for record in book.records(book.chosen(since=None, acted=True)).values():
        if any(action.ticket in names for action in record.actions):
            wanted[record.id] = None
    found = book.records(wanted).values()
    return tuple(sorted(found, key=lambda record: (record.at, record.id)))


def _good(repo: Repository, release: BadRelease) -> CommitId | None:
    """Return what a bad release is held against: what replaced it if it was before it, else the last good one."""
    if release.next is not None and release.next in set(ancestors(repo, [release.commit])):
        return release.next
    from mlver.repo.ledger import ledger_of

    before = [e for e in ledger_of(repo, release.stage) if e.scope == release.scope and e.since < release.since]
    if before:
        return before[-1].live.commit
    return last_good(repo, release.stage, release.scope, Health(repo, release.stage)).commit


def _causes(
    repo: Repository, incident: Incident, releases: Sequence[BadRelease], goods: Sequence[CommitId]
) -> Iterator[CommitStory]:
    seen = set()
    for event in incident.linked(CAUSE):
        slot = (event.commit, event.path, event.unit)
        if slot in seen:
            continue
        seen.add(slot)
        commit, said, by = event.commit, event.text, event.by
        if commit is None and event.path is not None:
            commit = last_changed(repo, event.path, event.unit, [one.commit for one in releases], goods)
        if commit is None:
            yield lost_story(f"{event.path}#{event.unit}" if event.unit else str(event.path), said, by)
        else:
            yield commit_story(repo, commit, path=event.path, unit=event.unit, said=said, by=by)


def _came_with(
    repo: Repository, goods: dict[CommitId, CommitId | None], told: set[CommitId | None]
) -> Iterator[CommitStory]:
    """Yield the commits between a good release and the bad one that no cause names, oldest first."""
    found: dict[CommitId, datetime] = {}
    for bad, good in goods.items():
        if good is not None:
            found |= {id: commit.time for id, commit in walk(repo, [bad], [good])}
    for id in sorted(found, key=lambda id: (found[id], id)):
        if id not in told:
            yield commit_story(repo, id)


def _named(
    repo: Repository, incident: Incident, alerts: Sequence[AlertRecord], told: set[CommitId | None]
) -> tuple[CommitStory, ...]:
    names = {("ticket", ticket) for ticket in incident.tickets} | {("alert", alert.id) for alert in alerts}
    found = []
    for id in ancestors(repo, all_heads(repo)):
        trailers = repo.commit(id).trailers
        if id not in told and any(name in trailers.get(key, ()) for key, name in names):
            found.append(id)
    found.sort(key=lambda id: (repo.commit(id).time, id))
    return tuple(commit_story(repo, id) for id in found)


def _slos(repo: Repository, releases: Sequence[BadRelease]) -> tuple[tuple[SloThenNow, ...], tuple[str, ...]]:
    wanted = {(one.stage, one.scope, one.commit, one.since) for one in releases}
    found: list[SloThenNow] = []
    try:
        for objective in objectives(repo.project()):
            found += [
                SloThenNow(t.slo, t.stage, t.scope, t.commit, t.at_the_time, t.state, t.learned, t.why)
                for t in slo_tenures(repo, objective)
                if (t.stage, t.scope, t.commit, t.since) in wanted
            ]
    except UsageError as error:  # a malformed objective must not keep anybody from the rest of the report
        return (), (error.message,)
    return tuple(found), ()
