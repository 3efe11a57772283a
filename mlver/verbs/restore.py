"""`restore`: write old files into the work tree, or a whole snapshot elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from mlver.errors import UnknownRevision, UsageError
from mlver.frozen import frozen
from mlver.index.stats import StatCache
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.overlay import Plan, Step, Wish, carry_out, is_gone, make_plan, refuse_overwriting
from mlver.repo.pairs import is_committed, partners
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Snapshot
from mlver.repo.wishes import Choice, is_there, wishes_for
from mlver.repo.worktree import WorkTree
from mlver.storage import durable
from mlver.verbs.common import FileChange, Progress


@frozen
class RestoreResult(Result):
    """The files written or removed. `mixed` names artifacts that now belong to another commit than their partners.

    These are the artifacts of the work tree that `commit` holds together with what was restored (rules,
    config, models, and what they were made from), that were not restored and are not as they are there.
    `left_out` was redacted.
    """

    schema: ClassVar[str] = "mlver.restore/v1"
    commit: CommitId
    target: str
    changes: tuple[FileChange, ...]
    bytes_written: int
    mixed: tuple[str, ...] = ()
    dry_run: bool = False
    left_out: tuple[str, ...] = ()


def restore(
    repo: Repository,
    paths: Sequence[str] = (),
    *,
    rev: str = "HEAD",
    to: Path | None = None,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> RestoreResult:
    """Write the artifacts of `rev` (all, or `paths`) into the work tree, or into the folder `to`.

    Neither HEAD nor any ref moves. Raises Refused, naming them, when files with uncommitted
    changes would be overwritten and `force` is false.
    """
    repo.refresh()
    commit = repo.resolve(rev)
    snapshot = repo.snapshot(commit)
    choice = _chosen(repo, snapshot, paths)
    if to is None or to == repo.root:
        wishes = wishes_for(repo, snapshot, choice)
        tree = repo.worktree
        plan = make_plan(wishes.paths, tree, wishes.seen)
        known = repo.redactions()  # such bytes are to go, and are nobody's work
        unsaved = [s.path for s, id in plan.blocked if id not in known and not is_committed(repo, s.path, id)]
        mixed = () if choice.whole else partners(repo, snapshot, choice, wishes.folders)
    else:
        tree = WorkTree(to, StatCache(None))
        plan = _plan_elsewhere(repo, snapshot, choice, tree)
        unsaved = [step.path for step, _ in plan.blocked]
        mixed = ()
    refuse_overwriting(plan, force=force, blocked=unsaved, hint="mlver commit keeps it, -f overwrites it")
    steps = sorted([*plan.steps, *(step for step, _ in plan.blocked)], key=lambda step: step.path)
    written = sum(step.new.size for step in steps if step.new and not is_gone(repo.store, step.new))
    left_out = _left_out(repo, snapshot, choice) if repo.redactions() else ()
    if not dry_run:
        if tree.root != repo.root:
            durable.make_dirs(tree.root, sync=False)
        carry_out(repo.store, tree, steps, progress=progress)
    made = [step for step in steps if step.path not in left_out]
    return RestoreResult(commit, str(tree.root), file_steps(made), written, mixed, dry_run, left_out)


def _chosen(repo: Repository, snapshot: Snapshot, paths: Sequence[str]) -> Choice:
    for path in paths:
        if (known := repo.tree_path(path)) and not is_there(snapshot, known) and not repo.expand([path], snapshot):
            if repo.is_revision(path):
                raise UnknownRevision(f"{path} is a revision, not an artifact", hint=f"mlver restore --rev {path}")
            snapshot[known]  # raises, and names what comes close
    return Choice.of(repo, paths, snapshot)


def _left_out(repo: Repository, snapshot: Snapshot, choice: Choice) -> tuple[str, ...]:
    """Return the chosen paths of which the bytes were redacted; Redacted when they all are, and were asked for."""
    chosen = choice.of_all(snapshot.artifacts)
    left_out = tuple(path for path in chosen if is_gone(repo.store, snapshot[path]))
    if choice.paths and chosen and len(left_out) == len(chosen):
        repo.store.chunks(snapshot[chosen[0]].id)  # raises, and says who redacted it, and why
    return left_out


def _plan_elsewhere(repo: Repository, snapshot: Snapshot, choice: Choice, tree: WorkTree) -> Plan:
    to = tree.root
    if to == repo.dot or repo.dot in to.parents:
        raise UsageError(f"{durable.show(to)} belongs to mlver itself", hint="choose a folder outside of .mlver")
    if to.exists() and not to.is_dir():
        raise UsageError(f"{durable.show(to)} is not a folder")
    return make_plan({path: Wish(None, snapshot[path]) for path in choice.of_all(snapshot.artifacts)}, tree)


def file_steps(steps: Sequence[Step]) -> tuple[FileChange, ...]:
    """Return what the steps did to the files of a folder."""
    return tuple(
        FileChange(
            path=step.path,
            kind=step.kind,
            change="removed" if step.new is None else "added" if step.old_id is None else "modified",
            old_id=step.old_id,
            new_id=step.new.id if step.new else None,
            old_size=step.old_size,
            new_size=step.new.size if step.new else None,
        )
        for step in steps
    )
