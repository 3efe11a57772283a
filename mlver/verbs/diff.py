"""`diff`: what changed between two snapshots, in each kind's own terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from glob import escape
from typing import TYPE_CHECKING

from mlver.errors import UnknownRevision
from mlver.kinds import registry
from mlver.kinds.base import NoRoom, Unreadable
from mlver.objects.commit import Environment
from mlver.objects.ids import CommitId, EnvironmentId
from mlver.repo.ledger import ledger_of
from mlver.repo.project import matches
from mlver.repo.redaction_facts import notices
from mlver.repo.repository import Repository
from mlver.repo.revisions import parse_target
from mlver.repo.snapshot import Snapshot
from mlver.repo.unit_reader import inside, locate, locate_or_fail
from mlver.verbs.common import FileChange, MetricDelta
from mlver.verbs.compare import compare_artifact, size_line
from mlver.verbs.diff_result import ArtifactDiff, DiffResult, FiredAlert, Side, UnitChange, UnitCounts
from mlver.verbs.file_changes import file_changes
from mlver.verbs.folders import artifact_changes, gathered

if TYPE_CHECKING:
    from mlver.kinds.folder import Ask

__all__ = ["ArtifactDiff", "DiffResult", "Side", "UnitChange", "UnitCounts", "diff", "diff_snapshots"]


def diff(
    repo: Repository,
    old: str | None = None,
    new: str | None = None,
    *,
    targets: Sequence[str] = (),
    key: Sequence[str] = (),
    limit: int = 1000,
    units: bool = True,
    jobs: int | None = None,
) -> DiffResult:
    """Compare two revisions; `new` None means the work tree, both None the work tree against HEAD.

    `old` may be a range `A..B`. `targets` limits to paths or `PATH#UNIT`; `key` names key columns for
    tables; `limit` cuts the unit list of each artifact; `units=False` compares files only. `jobs` workers hash what
    changed, and compare the parts of partitioned tables.
    """
    if old and new is None and ".." in old and not repo.is_revision(old):
        old, _, new = old.partition("..")
        old, new = old or "HEAD", new or "HEAD"
    old_name = old or "HEAD"
    old_commit = repo.resolve(old_name) if old or repo.view.head else None
    new_commit = repo.resolve(new) if new else None
    before = repo.snapshot(old_commit) if old_commit else repo.head_snapshot()
    from mlver.repo.jobs import working  # loaded by those who compare, not by all who show a difference

    with working(repo, jobs):
        after = repo.snapshot(new_commit) if new_commit else repo.work_snapshot()
        artifacts = diff_snapshots(repo, before, after, targets=targets, key=key, limit=limit, units=units)
    both = (old_commit, new_commit)
    return DiffResult(
        old=_side(repo, old_name, old_commit),
        new=_side(repo, new or "work tree", new_commit),
        artifacts=artifacts,
        metrics=() if targets else _metrics(repo, *both),
        environment=() if targets else _environment_changes(repo, *both),
        git=_git(repo, *both),
        alerts=() if targets else _alerts(repo, new_commit),
        redacted=notices(repo, [(a.path, id) for a in artifacts for id in (a.old_id, a.new_id) if id], whole=False),
    )


def diff_snapshots(
    repo: Repository,
    old: Snapshot,
    new: Snapshot,
    *,
    targets: Sequence[str] = (),
    key: Sequence[str] = (),
    limit: int = 1000,
    units: bool = True,
    room: int | None = None,
) -> tuple[ArtifactDiff, ...]:
    """Return the artifacts that differ between two snapshots, most telling kinds first.

    With `room`, what takes far more bytes of memory to compare is only said to differ, and what is on one side alone
    is not read.
    """
    wanted = _wanted(repo, targets, old, new)
    found: list[ArtifactDiff] = []
    named = [path for path, _ in wanted]
    changes = artifact_changes(old, new, named) if units else file_changes(old, new)
    if units:
        changes = [change for change in changes if not wanted or _units_wanted(wanted, change) is not None]
        changes, by_file = gathered(changes, named)
        found += [
            replace(entry, changes=entry.changes[:limit], truncated=len(entry.changes) > limit) for entry in by_file
        ]
    for change in changes:
        only = _units_wanted(wanted, change)
        if wanted and only is None:
            continue
        if not units or (room is not None and None in (change.old_id, change.new_id)):
            found.append(_bare(change))
            continue
        ask = _ask(repo, old, new, change)
        try:
            artifact = compare_artifact(
                old, new, change, key=tuple(key), limit=limit, only=only or (), ask=ask, room=room
            )
        except NoRoom:
            artifact = replace(_bare(change), summary=size_line(change))
        if only and not artifact.changes and not artifact.unreadable:
            continue  # the artifact changed, the unit asked for did not
        found.append(artifact)
    return tuple(sorted(found, key=lambda a: (registry.get_any(a.kind).order, a.change == "rewritten", a.path)))


def _ask(repo: Repository, old: Snapshot, new: Snapshot, change: FileChange) -> Ask | None:
    """Return who compares the parts of a folder for us, if it is one and there is anybody."""
    if repo.jobs is None or not (change.path.endswith("/") and change.old_id and change.new_id):
        return None
    from mlver.repo.part_jobs import asking

    return asking(repo, old, new, change.path, max(change.old_size or 0, change.new_size or 0))


def _wanted(repo: Repository, targets: Sequence[str], *sides: Snapshot) -> list[tuple[str, str | None]]:
    wanted: list[tuple[str, str | None]] = []
    for text in targets:
        if any(text in side for side in sides):  # exactly this one, whatever stars its name holds
            wanted.append((escape(text), None))
            continue
        target = parse_target(repo, text)
        path, unit = repo.tree_path(target.path or text), target.unit
        if not any(path == "" or matches(known, path) for side in sides for known in side.artifacts):
            raise UnknownRevision(f"no revision or artifact {text!r} on either side", hint="mlver diff A B -- PATH")
        if unit is not None:
            _known_unit(path, unit, sides)
        wanted.append((path, unit))
    return wanted


def _known_unit(path: str, unit: str, sides: Sequence[Snapshot]) -> None:
    """Raise UnknownRevision when neither side of an artifact has the unit, nor anything below that name."""
    units = []
    for side in sides:
        try:
            units += [side.units(path)] if side.holds(path) else []
        except Unreadable:
            return  # only bytes can be compared there
    if units and not any(locate(one, unit) or inside(one, unit) for one in units):
        locate_or_fail(units[-1], unit, path)


def _units_wanted(wanted: Iterable[tuple[str, str | None]], change: FileChange) -> tuple[str, ...] | None:
    hits = [unit for path, unit in wanted if path == "" or matches(change.path, path)]
    if not hits:
        return None
    return () if None in hits else tuple(unit for unit in hits if unit is not None)


def _bare(change: FileChange) -> ArtifactDiff:
    return ArtifactDiff(
        path=change.path,
        kind=change.kind,
        change=change.change,
        summary=f"renamed from {change.was}" if change.was else "",
        units=UnitCounts(),
        old_id=change.old_id,
        new_id=change.new_id,
        old_size=change.old_size,
        new_size=change.new_size,
        was=change.was,
    )


def _side(repo: Repository, name: str, id: CommitId | None) -> Side:
    if id is None:
        return Side(name, None)
    commit = repo.commit(id)
    return Side(name, id, commit.time, commit.author, commit.subject)


def _metrics(repo: Repository, old: CommitId | None, new: CommitId | None) -> tuple[MetricDelta, ...]:
    if old is None or new is None:
        return ()
    from mlver.verbs.metrics import diff_metrics

    return diff_metrics(repo, str(old), str(new)).metrics


def _alerts(repo: Repository, commit: CommitId | None) -> tuple[FiredAlert, ...]:
    # only what was ever live can have alerts, and most diffs are of commits that were not
    if commit is None or not any(entry.live.commit == commit for entry in ledger_of(repo)):
        return ()
    from mlver.repo.alert_book import AlertBook
    from mlver.verbs.alert_lists import shown

    return tuple(
        FiredAlert(alert.id, alert.type, alert.severity, alert.state, alert.at, alert.summary)
        for alert in shown(repo, AlertBook(repo).fired_on(commit))
    )


def _environment_changes(
    repo: Repository, old: CommitId | None, new: CommitId | None
) -> tuple[tuple[str, str | None, str | None], ...]:
    if old is None or new is None:
        return ()
    ids = [repo.commit(id).environment for id in (old, new)]
    if ids[0] == ids[1]:
        return ()
    before, after = (_versions(repo, id) for id in ids)
    names = sorted(before.keys() | after.keys())
    return tuple((n, before.get(n), after.get(n)) for n in names if before.get(n) != after.get(n))


def _versions(repo: Repository, id: EnvironmentId | None) -> Mapping[str, str]:
    if id is None:
        return {}
    environment = repo.store.get_object(Environment, id)
    return {"python": environment.python, "platform": environment.platform, **environment.packages}


def _git(repo: Repository, old: CommitId | None, new: CommitId | None) -> tuple[str | None, str | None] | None:
    states = [repo.commit(id).git if id else None for id in (old, new)]
    commits = tuple(state.commit if state else None for state in states)
    return (commits[0], commits[1]) if old and new and commits[0] != commits[1] else None
