"""`pull`: fetch, then bring the branch one is on up to what it is there."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from mlver.errors import Conflict, UsageError
from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.objects.state import View
from mlver.repo.open_merge import refuse_while_merging
from mlver.repo.overlay import carry_out
from mlver.repo.repository import Repository
from mlver.repo.transaction import transact
from mlver.verbs.common import FileChange, Progress
from mlver.verbs.fetch import FetchResult, fetch
from mlver.verbs.merge import MergeResult, merge
from mlver.verbs.merge_lay import work_steps
from mlver.verbs.restore import file_steps

BEGUN, UP_TO_DATE, NO_BRANCH = "begun", "up-to-date", "no-branch"


@frozen
class PullResult(Result):
    """What was fetched, and what became of the branch one is on.

    `outcome` is that of the merge (`up-to-date`, `fast-forward`, `merged`, `conflicts`), `begun` when nothing was
    committed here before, `no-branch` when there is none of that name there.
    """

    schema: ClassVar[str] = "mlver.pull/v1"
    fetched: FetchResult
    branch: str
    outcome: str
    old: CommitId | None
    new: CommitId | None
    changes: tuple[FileChange, ...] = ()
    merge: MergeResult | None = None


def pull(
    repo: Repository,
    remote: str | None = None,
    *,
    stages: tuple[str, ...] = (),
    reason: str | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> PullResult:
    """Fetch, then merge `origin/BRANCH` into the branch one is on, unit by unit.

    `stages` and `reason` are those of `fetch`. Raises as `fetch` and `merge`; what was fetched stays then.
    """
    view = repo.refresh()
    refuse_while_merging(view, "pull")
    if repo.bare:
        raise UsageError(f"{repo.root} has no work tree to pull into", hint="mlver fetch")
    if view.branch is None:
        raise UsageError("HEAD is on no branch to pull into", hint="mlver switch BRANCH, or mlver fetch")
    fetched = fetch(repo, remote, stages=stages, reason=reason, dry_run=dry_run, progress=progress)
    target = fetched.branches.get(view.branch)
    result = PullResult(fetched, view.branch, NO_BRANCH, view.head, view.head)
    if target is None:
        return result
    if dry_run or target == view.head:
        outcome = UP_TO_DATE if target == view.head else "dry-run"
        return replace(result, outcome=outcome, new=target)
    if view.head is None:
        return _begin(repo, replace(result, new=target), target, progress)
    merged = merge(repo, f"{fetched.remote}/{view.branch}", progress=progress)
    return replace(result, outcome=merged.outcome, new=merged.commit, changes=merged.changes, merge=merged)


def _begin(repo: Repository, result: PullResult, target: CommitId, progress: Progress | None) -> PullResult:
    """The first commit of a branch that has none yet; files first, as in a switch."""
    steps = work_steps(repo, {}, repo.snapshot(target).artifacts)
    carry_out(repo.store, repo.worktree, steps, progress=progress)

    def change(now: View) -> View:
        if (now.branch, now.head, now.merging) != (result.branch, None, None):
            raise Conflict("HEAD was moved meanwhile", hint="mlver pull again")
        return replace(now, branches={**now.branches, result.branch: target})

    transact(repo, f"pull {result.fetched.remote}", change)
    return replace(result, outcome=BEGUN, changes=file_steps(steps))
