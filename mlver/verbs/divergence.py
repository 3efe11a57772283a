"""`branch --compare`: how far apart two branches are."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from mlver.frozen import frozen
from mlver.kinds import registry
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.history import walk
from mlver.repo.merge_base import merge_bases
from mlver.repo.merge_files import plan_merge
from mlver.repo.repository import Repository
from mlver.verbs.common import CommitInfo, commit_info, refs_by_commit
from mlver.verbs.diff import diff_snapshots
from mlver.verbs.diff_result import ArtifactDiff


@frozen
class SideDistance:
    """One of two branches: the commits only it has, newest first."""

    name: str
    commit: CommitId
    commits: tuple[CommitInfo, ...]


@frozen
class KindDistance:
    """What changed in one kind on each side since they parted: files, and units added, removed or changed in them.

    A file that cannot be read unit by unit counts as one unit. `both` counts the conflicts a merge would have.
    """

    kind: str
    a_files: int
    a_units: int
    b_files: int
    b_units: int
    both: int


@frozen
class DivergenceResult(Result):
    """How far `a` and `b` have gone from `base`, their newest common commit (None: they have none)."""

    schema: ClassVar[str] = "mlver.divergence/v1"
    a: SideDistance
    b: SideDistance
    base: CommitId | None
    since: datetime | None
    kinds: tuple[KindDistance, ...]


def compare_branches(repo: Repository, a: str, b: str = "HEAD") -> DivergenceResult:
    """Compare two branches, or any revisions, with the commit where they parted."""
    repo.refresh()
    ids = repo.resolve(a), repo.resolve(b)
    bases = merge_bases(repo, *ids)
    base = bases[0] if bases else None
    refs = refs_by_commit(repo)

    def side(name: str, id: CommitId, other: CommitId) -> SideDistance:
        own = walk(repo, [id], hide=[other])
        return SideDistance(name, id, tuple(commit_info(one, commit, refs) for one, commit in own))

    return DivergenceResult(
        side(a, ids[0], ids[1]),
        side(b, ids[1], ids[0]),
        base,
        repo.commit(base).time if base is not None else None,
        _kinds(repo, base, *ids) if base is not None else (),
    )


def _kinds(repo: Repository, base: CommitId, a: CommitId, b: CommitId) -> tuple[KindDistance, ...]:
    start = repo.snapshot(base)
    mine = diff_snapshots(repo, start, repo.snapshot(a), limit=0)
    theirs = diff_snapshots(repo, start, repo.snapshot(b), limit=0)
    conflicts: dict[str, int] = {}
    for conflict in plan_merge(repo, base, a, b).conflicts:
        conflicts[conflict.kind] = conflicts.get(conflict.kind, 0) + max(len(conflict.units), 1)
    names = {artifact.kind for artifact in (*mine, *theirs)} | conflicts.keys()
    return tuple(
        KindDistance(name, *_counts(mine, name), *_counts(theirs, name), conflicts.get(name, 0))
        for name in sorted(names, key=lambda name: (registry.get_any(name).order, name))
    )


def _counts(changed: tuple[ArtifactDiff, ...], kind: str) -> tuple[int, int]:
    found = [artifact for artifact in changed if artifact.kind == kind]
    units = sum(one.units.added + one.units.removed + one.units.changed or 1 for one in found)
    return len(found), units
