"""`merge`: bring another branch in, unit by unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlver.errors import Conflict, Refused, UsageError
from mlver.objects.ids import CommitId
from mlver.objects.state import Merging, View
from mlver.repo.merge_base import merge_bases
from mlver.repo.merge_files import plan_merge
from mlver.repo.open_merge import refuse_while_merging
from mlver.repo.overlay import carry_out
from mlver.repo.repository import Repository
from mlver.repo.transaction import transact
from mlver.verbs.common import Progress
from mlver.verbs.merge_conflicts import tell_conflicts
from mlver.verbs.merge_lay import clashes_of, head_at, lay, work_steps
from mlver.verbs.merge_open import abort_merge, continue_merge, open_merge, resolve
from mlver.verbs.merge_result import MergedUnits, MergeResult
from mlver.verbs.restore import file_steps

_DONE = {"merge": "merged", "revert": "reverted"}

__all__ = ["MergeResult", "abort_merge", "continue_merge", "merge", "open_merge", "resolve"]


def merge(
    repo: Repository,
    rev: str,
    *,
    message: str | None = None,
    trailers: Mapping[str, Sequence[str]] | None = None,
    ours: Sequence[str] = (),
    theirs: Sequence[str] = (),
    no_commit: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> MergeResult:
    """Merge `rev` into HEAD: rows by key, settings by path, rules by id, metrics, alerts, lines of code.

    Without conflicts the result is a commit with two parents, or HEAD moves forward when it has nothing of its own.
    With conflicts, or `no_commit`, the merge stays open until `continue_merge` or `abort_merge`; `ours` and
    `theirs` (`PATH#UNIT`) decide conflicts beforehand. Work that is not committed is never overwritten: Refused.
    """
    view = repo.refresh()
    refuse_while_merging(view, "another merge")
    target = repo.resolve(rev)
    head = view.head
    if head is None:
        raise UsageError("nothing is committed here yet to merge into", hint=f"mlver switch --detach {rev}")
    bases = merge_bases(repo, head, target)
    result = MergeResult("merge", "up-to-date", rev, view.branch, head, target, bases=len(bases), dry_run=dry_run)
    if not bases:
        raise Refused(f"{rev} and HEAD have no history in common", hint=f"mlver restore -r {rev} PATH takes files")
    result = replace(result, base=bases[0])
    if bases[0] == target:
        return replace(result, commit=head)
    if bases[0] == head:
        return _forward(repo, view, result, target, progress)
    text = (message or "").strip() or f"merge {rev}" + (f" into {view.branch}" if view.branch else "")
    kept = {name: tuple(values) for name, values in (trailers or {}).items() if values}
    merging = Merging("merge", rev, bases[0], head, target, text, (target,), kept)
    done = lay_out(repo, view, merging, result, no_commit=no_commit, dry_run=dry_run, progress=progress)
    if not (ours or theirs) or dry_run or done.outcome != "conflicts":
        return done
    left = resolve(repo, ours=ours, theirs=theirs)
    return left if left.unresolved or no_commit else continue_merge(repo)


def lay_out(
    repo: Repository,
    view: View,
    merging: Merging,
    result: MergeResult,
    *,
    no_commit: bool,
    dry_run: bool,
    progress: Progress | None,
    wanted: Mapping[str, tuple[str, ...]] | None = None,
) -> MergeResult:
    """Plan the merge, carry it out unless `dry_run`, and return what came of it; `wanted` limits it to units."""
    if wanted is None:
        plan = plan_merge(repo, merging.base, merging.ours, merging.theirs)
    else:
        plan = plan_merge(repo, merging.base, merging.ours, merging.theirs, wanted.get)
    kinds = plan.artifacts
    merged = tuple(MergedUnits(path, kinds[path].kind, count) for path, count in plan.units.items())
    conflicts = tell_conflicts(repo, replace(merging, clashes=clashes_of(plan)), plan.conflicts)
    outcome = "conflicts" if conflicts else "open" if no_commit else _DONE[merging.action]
    result = replace(result, outcome=outcome, message=merging.message, merged=merged, conflicts=conflicts)
    if dry_run:
        before = repo.snapshot(merging.ours).artifacts
        steps = work_steps(repo, before, plan.artifacts, [conflict.path for conflict in plan.conflicts])
        return replace(result, changes=file_steps(steps))
    laid = lay(repo, view, merging, plan, commit=not conflicts and not no_commit, progress=progress)
    return replace(result, changes=file_steps(laid.steps), commit=laid.commit, stale=laid.stale)


def _forward(
    repo: Repository, view: View, result: MergeResult, target: CommitId, progress: Progress | None
) -> MergeResult:
    """Move HEAD to a commit that has it behind it; files first, as in a switch."""
    assert view.head is not None
    steps = work_steps(repo, repo.snapshot(view.head).artifacts, repo.snapshot(target).artifacts)
    result = replace(result, outcome="fast-forward", commit=target, changes=file_steps(steps))
    if result.dry_run:
        return result
    carry_out(repo.store, repo.worktree, steps, progress=progress)

    def change(now: View) -> View:
        if (now.branch, now.head, now.merging) != (view.branch, view.head, view.merging):
            raise Conflict("HEAD was moved meanwhile", hint=f"mlver merge {result.name} again")
        return head_at(now, target)

    transact(repo, f"merge {result.name} (fast-forward)", change)
    return result
