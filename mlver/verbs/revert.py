"""`revert`: a new commit that takes back what one commit changed, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlver.errors import NegativeAnswer, Refused, UnknownRevision, UsageError
from mlver.kinds.base import Unreadable
from mlver.objects.ids import CommitId
from mlver.objects.state import Merging
from mlver.repo.history import ancestors
from mlver.repo.merge_files import plan_merge
from mlver.repo.open_merge import refuse_while_merging
from mlver.repo.project import matches
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Snapshot
from mlver.repo.unit_reader import inside, locate, locate_or_fail
from mlver.verbs.common import Progress
from mlver.verbs.merge import lay_out
from mlver.verbs.merge_result import MergeResult
from mlver.verbs.message import describe

_SUBJECT = 72

Wanted = dict[str, tuple[str, ...]]


def revert(
    repo: Repository,
    rev: str,
    *,
    targets: Sequence[str] = (),
    message: str | None = None,
    trailers: Mapping[str, Sequence[str]] | None = None,
    no_commit: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> MergeResult:
    """Undo in a new commit the units that `rev` changed against its (first) parent, or only `targets` among them.

    `targets` are paths, folders, globs or `PATH#UNIT`. Units that `rev` did not touch stay as they are, also in
    the same file; a unit that was changed again since is a conflict, as in a merge. NegativeAnswer when nothing
    is left to take back.
    """
    view = repo.refresh()
    refuse_while_merging(view, "a revert")
    id, head = repo.resolve(rev), view.head
    if head is None or id not in set(ancestors(repo, [head])):
        raise Refused(f"{rev} is no part of what HEAD holds", hint="mlver log lists what is")
    parents = repo.commit(id).parents
    if not parents:
        raise Refused(f"{rev} is the first commit: nothing was before it", hint="mlver restore -r REV PATH")
    wanted = _wanted(repo, id, parents[0], targets) if targets else None
    text = (message or "").strip() or _message(repo, id, parents[0], head, wanted)
    kept = {name: tuple(values) for name, values in (trailers or {}).items() if values}
    merging = Merging("revert", rev, id, head, parents[0], text, (), {"reverts": (id.hex(),), **kept})
    result = MergeResult("revert", "reverted", rev, view.branch, head, id, id, dry_run=dry_run)
    return lay_out(repo, view, merging, result, no_commit=no_commit, dry_run=dry_run, progress=progress, wanted=wanted)


def _wanted(repo: Repository, id: CommitId, parent: CommitId, targets: Sequence[str]) -> Wanted:
    """Return path -> units (() is all of it) of what `id` changed and somebody asked for."""
    after, before = repo.snapshot(id), repo.snapshot(parent)
    changed = [
        path
        for path in sorted(after.artifacts.keys() | before.artifacts.keys())
        if after.artifacts.get(path) != before.artifacts.get(path)
    ]
    found: dict[str, tuple[str, ...]] = {}
    for target in targets:
        path, unit = _split(repo, changed, target)
        hits = [one for one in changed if path == "" or one == path or matches(one, path)]
        if not hits:
            raise UnknownRevision(f"{id.short} changed nothing at {path}", hint=f"mlver diff {id.short}~1 {id.short}")
        for hit in hits:
            if unit is None:
                found[hit] = ()
            elif found.get(hit, (unit,)):
                found[hit] = (*found.get(hit, ()), _unit(hit, unit, [s for s in (after, before) if hit in s]))
    return found


def _split(repo: Repository, changed: Sequence[str], target: str) -> tuple[str, str | None]:
    if target in changed:
        return target, None
    path, mark, unit = target.partition("#")
    if mark and not unit:
        raise UsageError(f"no unit after # in {target}", hint="PATH#UNIT")
    return repo.tree_path(path), unit if mark else None


def _unit(path: str, unit: str, sides: Sequence[Snapshot]) -> str:
    """Return the unit, or the name above units, as its file spells it; UsageError for a part of a unit."""
    try:
        units = [side.units(path) for side in sides]
    except Unreadable as reason:
        raise UsageError(f"{path} has no units: {reason}", hint=f"name {path} alone") from None
    for one in units:
        if found := locate(one, unit):
            if found[1]:
                raise UsageError(
                    f"{unit} is a part of {found[0]}", hint=f"a revert takes whole units: {path}#{found[0]}"
                )
            return found[0]
    if not any(inside(one, unit) for one in units):
        locate_or_fail(units[0], unit, path)
    return unit


def _message(repo: Repository, id: CommitId, parent: CommitId, head: CommitId, wanted: Wanted | None) -> str:
    """Return a message written from what the revert changes; NegativeAnswer when that is nothing."""
    plan = plan_merge(repo, id, head, parent, wanted.get) if wanted is not None else plan_merge(repo, id, head, parent)
    before = repo.snapshot(head)

    def opener(artifact):  # type: ignore[no-untyped-def]
        if artifact.id in plan.blobs:
            import io

            return io.BytesIO(plan.blobs[artifact.id])
        return repo.store.open_blob(artifact.id)

    after = Snapshot(plan.artifacts, opener)
    if not plan.conflicts and plan.artifacts == dict(before.artifacts):
        raise NegativeAnswer(f"nothing is left of {id.short} to revert", hint=f"mlver diff {id.short}~1 {id.short}")
    lead = f"revert {id.short}: "
    return lead + describe(repo, before, after, room=_SUBJECT - len(lead))
