"""What moved, was learned and was changed since a moment."""

from __future__ import annotations

from datetime import datetime

from mlver.errors import UsageError
from mlver.kinds.base import Unreadable
from mlver.objects.ids import CommitId
from mlver.repo.history import walk
from mlver.repo.ledger import ledger_of
from mlver.repo.metric_facts import MetricValue, metric_values
from mlver.repo.metric_policy import metric_policy
from mlver.repo.moves import moves
from mlver.repo.repository import Repository
from mlver.repo.rulebook import RULES_KIND
from mlver.repo.slo_policy import objectives
from mlver.repo.snapshot import Snapshot
from mlver.verbs.commit_story import changed_lines
from mlver.verbs.compare import compare_artifact
from mlver.verbs.file_changes import file_changes
from mlver.verbs.handover_result import Learned, RuleChange, SloChange
from mlver.verbs.incident_result import TimelineEvent
from mlver.verbs.incident_timeline import move_event
from mlver.verbs.slo import check_slos


def moved(repo: Repository, since: datetime, until: datetime) -> tuple[TimelineEvent, ...]:
    """Return promotions and rollbacks since a moment, oldest first."""
    found = [move_event(repo, move) for move in moves(repo.operations()) if since < move.time <= until]
    return tuple(sorted(found, key=lambda event: (event.at, event.text)))


def slo_changes(repo: Repository, since: datetime, until: datetime) -> tuple[tuple[SloChange, ...], tuple[str, ...]]:
    """Return each objective then and now; and, when the objectives cannot be read, why."""
    try:
        before = {slo.name: slo for slo in check_slos(repo, as_of=since).slos}
        now = check_slos(repo, as_of=until).slos
    except UsageError as error:
        return (), (error.message,)
    found = []
    for slo in now:
        old = before[slo.name].state if before[slo.name].live else None
        why = next((tenure.why for tenure in slo.live if tenure.state == slo.state and tenure.why), "")
        found.append(SloChange(slo.name, old, slo.state, why if slo.live else "nothing is live"))
    return tuple(found), ()


def learned_values(repo: Repository, since: datetime, until: datetime) -> list[Learned]:
    """Return values that became known since a moment, of what was ever live, those that count first.

    What the product or an objective is judged by comes first, then the newest.
    """
    try:
        counts = {name for name, one in metric_policy(repo.project()).metrics.items() if one.product}
        counts |= {condition.name for one in objectives(repo.project()) for condition in one.require}
    except UsageError:  # the objectives' own line says what is wrong
        counts = set()
    found: list[Learned] = []
    for commit in dict.fromkeys(entry.live.commit for entry in ledger_of(repo)):
        fresh = [value for value in metric_values(repo, commit, until) if value.known > since]
        if fresh:
            before = {_key(value): value.value for value in metric_values(repo, commit, since)}
            subject = repo.commit(commit).subject
            found += [
                Learned(commit, subject, v.name, v.slice, v.dataset, v.value, before.get(_key(v)), v.n, v.known)
                for v in fresh
            ]
    found.sort(key=lambda one: (one.name, one.slice, one.dataset or ""))
    return sorted(found, key=lambda one: (one.name not in counts, bool(one.slice), -one.known.timestamp()))


def _key(value: MetricValue) -> tuple[str, str, str | None, str | None]:
    return (value.name, value.slice, value.dataset, value.window)


def rule_changes(repo: Repository, since: datetime, until: datetime) -> tuple[RuleChange, ...]:
    """Return the rules that differ between HEAD's line then and HEAD, with the commit that changed them last."""
    newest = repo.view.head
    head = _on_line(repo, newest, until) if newest else None
    if head is None:
        return ()
    then = _on_line(repo, head, since)
    new = repo.snapshot(head)
    old = repo.snapshot(then) if then else Snapshot({}, lambda a: repo.store.open_blob(a.id))
    if then is None:
        return ()  # everything is new
    found = []
    for change in file_changes(old, new):
        if change.kind != RULES_KIND:
            continue
        try:
            artifact = compare_artifact(old, new, change)
        except Unreadable:
            continue
        for unit in artifact.changes:
            made = next(
                (id for id, _ in walk(repo, [head], [then]) if changed_lines(repo, id, change.path, unit.unit)), None
            )
            commit = repo.commit(made) if made else None
            text = unit.text_old if unit.change == "removed" else unit.text_new
            found.append(
                RuleChange(
                    change.path,
                    unit.unit,
                    unit.change,
                    text or "",
                    made,
                    commit.author if commit else None,
                    commit.why if commit else None,
                )
            )
    return tuple(found)


def _on_line(repo: Repository, head: CommitId, at: datetime) -> CommitId | None:
    """Return what HEAD's line of first parents ended in at a moment, None before it began."""
    commit: CommitId | None = head
    while commit is not None and repo.commit(commit).time > at:
        commit = next(iter(repo.commit(commit).parents), None)
    return commit
