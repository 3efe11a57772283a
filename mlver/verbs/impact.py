"""`impact`: what was made from a version of the data, a rule, a key: models, promotions, live stages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from shlex import quote
from typing import ClassVar

from mlver.errors import UnknownRevision
from mlver.frozen import frozen
from mlver.kinds.base import MISSING, same
from mlver.objects.commit import Used
from mlver.objects.ids import BlobId, CommitId, ObjectId
from mlver.objects.result import Result
from mlver.objects.tree import Entry
from mlver.repo.alert_book import AlertBook
from mlver.repo.consequences import Consequences, Outcome
from mlver.repo.ledger import LedgerEntry, ledger_of
from mlver.repo.past import Past
from mlver.repo.repository import Repository
from mlver.repo.revisions import Target, parse_target
from mlver.repo.snapshot import changed_paths
from mlver.repo.unit_reader import UnitReader, locate, locate_or_fail
from mlver.verbs.show import Served


@frozen
class Affected:
    """An artifact made, directly or through `steps` steps, from the target; first seen in `commit`.

    `source` says how we know (`run`, `api`, `declared`, `assumed`). Of a commit, what it brought itself is
    listed with `steps` 0 and the source `commit`.
    """

    path: str
    kind: str
    id: BlobId
    commit: CommitId
    time: datetime
    steps: int
    source: str


@frozen
class ServedCommit(Served):
    """A stage interval that served an affected commit; `paths` are what was affected of the release."""

    commit: CommitId | None = None
    paths: tuple[str, ...] = ()


@frozen
class ImpactResult(Result):
    """Everything downstream of the target. `commits` hold these bytes (or, for a unit, this value)."""

    schema: ClassVar[str] = "mlver.impact/v1"
    target: str
    commits: tuple[CommitId, ...]
    affected: tuple[Affected, ...]
    served: tuple[ServedCommit, ...]
    alerts: tuple[str, ...] = ()


def impact(repo: Repository, target: str) -> ImpactResult:
    """Return what `PATH[@REV][#UNIT]`, `REV` or `STAGE[@{TIME}]` went into, up to what served it and when.

    A path means the bytes it has at the revision (HEAD), a unit the value it has there, wherever they were;
    a commit means what it changed.
    """
    past = Past(repo)
    named = parse_target(repo, target)
    origin = repo.resolve(named.rev or "HEAD")
    if named.path is None:
        starts, commits = _brought(repo, origin), [origin]
    else:
        starts, commits = _versions(past, named, origin)
    outcomes = Consequences(past).of(starts)
    affected = [_affected(repo, outcome) for outcome in outcomes]
    if named.path is None:
        when = repo.commit(origin).time
        affected = [Affected(one.path, one.kind, one.id, origin, when, 0, "commit") for one in starts] + affected
    touched = [*starts, *(outcome.artifact for outcome in outcomes)]
    served = served_with(past, touched, origin if named.path is None else None)
    return ImpactResult(target, tuple(commits), tuple(affected), tuple(served), alerts_during(repo, served))


def made_from(past: Past, starts: Sequence[Used]) -> list[Affected]:
    """Return what was made, directly or not, from `starts`."""
    return [_affected(past.repo, outcome) for outcome in Consequences(past).of(starts)]


def alerts_during(repo: Repository, served: Sequence[ServedCommit]) -> tuple[str, ...]:
    """Return the alerts that fired while one of the intervals lasted, against its commit, oldest first."""
    book, live = AlertBook(repo), {one.commit for one in served}
    fired = {id for one in served for id in book.chosen(since=one.since, until=one.until)}
    records = [record for record in book.records(fired).values() if record.live in live]
    return tuple(record.id for record in sorted(records, key=lambda record: (record.at, record.id)))


def _brought(repo: Repository, commit: CommitId) -> list[Used]:
    """Return the artifacts whose bytes a commit brought, compared with its first parent."""
    parents = repo.commit(commit).parents
    old = repo.commit(parents[0]).tree if parents else None
    changes = changed_paths(repo.store, old, repo.commit(commit).tree)
    found = [Used(path, BlobId(new.id), new.kind) for path, before, new in changes if _new_bytes(before, new) and new]
    return sorted(found, key=lambda one: one.path)


def _new_bytes(before: Entry | None, after: Entry | None) -> bool:
    return after is not None and (before is None or before.id != after.id)


def _versions(past: Past, named: Target, at: CommitId) -> tuple[list[Used], list[CommitId]]:
    """Return the versions of an artifact that the target means, and the commits that hold one, newest first."""
    assert named.path is not None
    path, artifact = named.path, past.repo.snapshot(at)[named.path]
    wanted = {artifact.id} if named.unit is None else _same_unit(past, path, named.unit, at)
    holding = [id for id in past.commits() if (entry := past.entry(id, path)) is not None and entry.id in wanted]
    return [Used(path, blob, artifact.kind) for blob in sorted(wanted)], holding[::-1]


def _same_unit(past: Past, path: str, unit: str, at: CommitId) -> set[BlobId]:
    """Return the versions of an artifact in which a unit has the value it has at `at`."""
    snapshot = past.repo.snapshot(at)
    reader = UnitReader(past.repo, path, snapshot[path].kind, snapshot.spec(path))
    units = reader.units(at)
    if units is None:
        raise UnknownRevision(
            f"{path} cannot be read as {reader.kind.name}, so it has no unit {unit}",
            hint=f"mlver show {quote(path)}",
        )
    if locate(units, unit) is None:
        _refuse_removed(past, reader, unit)
    key, fields = locate_or_fail(units, unit, path)
    value = reader.value(at, key, fields)
    verdicts: dict[ObjectId, bool] = {}
    for commit in past.commits():
        blob = reader.blob(commit)
        if blob is not None and blob not in verdicts:
            there = reader.value(commit, key, fields)
            verdicts[blob] = there is not MISSING and same(value, there)
    return {BlobId(blob) for blob, holds in verdicts.items() if holds}


def _refuse_removed(past: Past, reader: UnitReader, unit: str) -> None:
    """Raise UnknownRevision, naming the last commit that has the unit, if one has."""
    for commit in reversed(past.commits()):
        units = reader.units(commit)
        if units is not None and locate(units, unit) is not None:
            there, named = quote(f"{reader.path}@{commit.short}#{unit}"), quote(f"{reader.path}#{unit}")
            raise UnknownRevision(
                f"no unit {unit!r} in {reader.path} any more",
                hint=f"mlver impact {there} asks about it as it was, mlver blame {named} says who removed it",
            )


def _affected(repo: Repository, outcome: Outcome) -> Affected:
    one, commit = outcome.artifact, outcome.commit
    return Affected(one.path, one.kind, one.id, commit, repo.commit(commit).time, outcome.steps, outcome.source)


def served_with(past: Past, touched: Sequence[Used], own: CommitId | None = None) -> list[ServedCommit]:
    """Return the intervals in which a stage served something that was touched, oldest first."""
    found = []
    for entry in ledger_of(past.repo):
        commit = entry.live.commit
        serves = past.repo.snapshot(commit).project.serves
        paths = {
            one.path
            for one in touched
            if past.holds(commit, one.path, one.id) and serves(entry.stage, one.path, one.kind)
        }
        if paths or commit == own:
            found.append(_interval(entry, tuple(sorted(paths))))
    return found


def _interval(entry: LedgerEntry, paths: tuple[str, ...]) -> ServedCommit:
    live = entry.live
    return ServedCommit(
        stage=entry.stage,
        scope=entry.scope,
        since=entry.since,
        until=entry.until,
        actor=live.actor,
        reason=live.reason,
        action=live.action,
        evidence=live.evidence,
        commit=live.commit,
        paths=paths,
    )
