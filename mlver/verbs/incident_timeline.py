"""The story of an incident, event by event: what happened, and what became known when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from mlver.errors import UsageError
from mlver.objects.ids import CommitId
from mlver.objects.result import jsonable
from mlver.objects.state import Move
from mlver.repo.alert_facts import AlertRecord
from mlver.repo.incident_facts import CLOSE, DONE, NOTE, OPEN, Incident
from mlver.repo.metric_facts import MetricValue, recorded_metrics
from mlver.repo.moves import moves
from mlver.repo.note_facts import MARK
from mlver.repo.note_facts import NOTE as NOTE_FACT
from mlver.repo.repository import Repository
from mlver.repo.slo_policy import objectives
from mlver.repo.subjects import subject_commit
from mlver.verbs.incident_result import BadRelease, CommitStory, TimelineEvent

_VALUES = 4  # told of one batch of metrics
_ORDER = ("commit", "move", "alert", "incident", "action", "note", "metrics")  # of what happened in the same second
_MOVED = {"promote": "promoted", "rollback": "rolled back"}
_WORDS = {OPEN: "opened", CLOSE: "closed", NOTE: "", DONE: "follow-up done"}


def timeline(
    repo: Repository,
    incident: Incident,
    alerts: Sequence[AlertRecord],
    releases: Sequence[BadRelease],
    commits: Sequence[CommitStory],
) -> tuple[TimelineEvent, ...]:
    """Return alerts and actions, moves of the stages concerned, commits, notes and metric values, oldest first."""
    found = [
        *_of_people(incident),
        *_of_alerts(alerts),
        *_of_stages(repo, incident, releases),
        *_of_commits(commits),
        *_of_notes(repo, incident, releases),
        *_of_metrics(repo, releases),
    ]
    unique = dict.fromkeys(found)
    return tuple(sorted(unique, key=lambda one: (one.at, _ORDER.index(one.sort), one.text)))


def _of_people(incident: Incident) -> Iterator[TimelineEvent]:
    done = {one.done: one.text for one in incident.follow_ups if one.done}
    for event in incident.events:
        if event.event in _WORDS:
            text = done.get(event.at, "") if event.event == DONE else event.text
            word = _WORDS[event.event]
            yield TimelineEvent(event.at, "incident", event.by, f"{word}: {text}" if word else text)


def _of_alerts(alerts: Sequence[AlertRecord]) -> Iterator[TimelineEvent]:
    for alert in alerts:
        text = f"{alert.id} {alert.type} ({alert.severity})" + (f": {alert.summary}" if alert.summary else "")
        yield TimelineEvent(alert.at, "alert", "", text, alert.live, alert.id)
        for action in alert.actions:
            if not action.automatic:
                said = action.did or action.reason
                text = f"{alert.id} {action.outcome}" + (f": {said}" if said else "")
                yield TimelineEvent(action.at, "action", action.by, text, alert.live, alert.id)


def _of_stages(repo: Repository, incident: Incident, releases: Sequence[BadRelease]) -> Iterator[TimelineEvent]:
    first: dict[str, datetime] = {}
    for one in releases:
        first[one.stage] = min(one.since, first.get(one.stage, one.since))
    for move in moves(repo.operations()):
        if move.stage not in first or move.time < first[move.stage]:
            continue
        if incident.closed is not None and move.time > incident.closed:
            continue
        yield move_event(repo, move)


def move_event(repo: Repository, move: Move) -> TimelineEvent:
    """Return a move of a stage as a line of a story."""
    where = f"{move.stage}/{move.scope}" if move.scope else move.stage
    if move.live is None:
        return TimelineEvent(move.time, "move", move.actor, f"{where}: nothing is live any more")
    commit, word = move.live.commit, "undone" if move.undo else _MOVED.get(move.live.action, move.live.action)
    share = "" if move.live.percent == 100 else f" for {move.live.percent} %"
    reason = f": {move.live.reason}" if move.live.reason else ""
    text = f"{where} {word} to {commit.short} {repo.commit(commit).subject}{share}{reason}"
    return TimelineEvent(move.time, "move", move.actor, text, commit)


def _of_commits(stories: Sequence[CommitStory]) -> Iterator[TimelineEvent]:
    for story in stories:
        if story.commit is not None and story.time is not None:
            why = f" ({story.why})" if story.why != story.subject else ""
            yield TimelineEvent(
                story.time, "commit", story.author, f"commit {story.commit.short} {story.subject}{why}", story.commit
            )


def _of_notes(repo: Repository, incident: Incident, releases: Sequence[BadRelease]) -> Iterator[TimelineEvent]:
    bad, tickets = {one.commit for one in releases}, set(incident.tickets)
    for fact in repo.facts.of(NOTE_FACT, MARK):
        commit = subject_commit(fact.subject)
        if fact.body.get("ticket") in tickets or (commit in bad and "path" not in fact.subject):
            mark = f"marked {fact.body['mark']}" if fact.type == MARK else ""
            text = str(fact.body.get("text") or "")
            about = commit.short if commit else str(fact.subject.get("path", ""))
            said = ": ".join(part for part in (mark, text if text != mark else "") if part)
            yield TimelineEvent(fact.at, "note", fact.by, f"{about} {said}", commit)


def _of_metrics(repo: Repository, releases: Sequence[BadRelease]) -> Iterator[TimelineEvent]:
    promised = _promised(repo)
    first: dict[CommitId, datetime] = {}
    for one in releases:
        first[one.commit] = min(one.since, first.get(one.commit, one.since))
    for commit, since in first.items():
        batches: dict[tuple[datetime, str, str | None], list[MetricValue]] = {}
        for value in recorded_metrics(repo, commit):
            if value.known > since and not value.estimate:
                batches.setdefault((value.known, value.by, value.dataset), []).append(value)
        for (known, by, dataset), values in batches.items():
            values.sort(key=lambda value: (value.name not in promised, value.name if value.name in promised else ""))
            said = ", ".join(_value(value) for value in values[:_VALUES])
            more = f" and {len(values) - _VALUES} more" if len(values) > _VALUES else ""
            on = f" on {dataset}" if dataset else ""
            yield TimelineEvent(known, "metrics", by, f"known of {commit.short}: {said}{more}{on}", commit)


def _promised(repo: Repository) -> set[str]:
    """Return the metrics that objectives ask of: what is known of those is told first."""
    try:
        return {condition.name for one in objectives(repo.project()) for condition in one.require}
    except UsageError:  # the report says what is wrong with the objectives
        return set()


def _value(value: MetricValue) -> str:
    name = f"{value.name}{{{value.slice}}}" if value.slice else value.name
    shown = jsonable(value.value)
    text = "unknown" if shown is None else f"{shown:.4g}" if isinstance(shown, float) else str(shown)
    return f"{name} {text}" + (f" (n {value.n})" if value.n is not None else "")
