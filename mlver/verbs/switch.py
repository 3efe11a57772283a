"""`switch`: which branch the work tree follows."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from mlver.errors import Conflict, Refused, UnknownRevision
from mlver.frozen import frozen
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.objects.state import View
from mlver.objects.tree import Entry
from mlver.repo.open_merge import refuse_while_merging
from mlver.repo.overlay import Step, Wish, carry_out, left_out_of, make_plan, refuse_overwriting
from mlver.repo.refs import BRANCH, check_free
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Artifact, changed_paths
from mlver.repo.transaction import transact
from mlver.verbs.common import FileChange, Progress
from mlver.verbs.restore import file_steps


@frozen
class SwitchResult(Result):
    """Where HEAD is now and which files of the work tree were written or removed."""

    schema: ClassVar[str] = "mlver.switch/v1"
    branch: str | None
    commit: CommitId | None
    created: bool
    changes: tuple[FileChange, ...]
    left_out: tuple[str, ...] = ()


def switch(
    repo: Repository, name: str, *, create: bool = False, detach: bool = False, progress: Progress | None = None
) -> SwitchResult:
    """Move HEAD to a branch (`create` makes it here) or, with `detach`, to any revision; files follow.

    Only files that differ between the two commits are written; uncommitted changes elsewhere are
    carried over. Raises Refused, naming them, when uncommitted changes would be overwritten.
    """
    view = repo.refresh()
    refuse_while_merging(view, "switch")
    if create:
        return _create(repo, view, name)
    if not detach and name == view.branch:
        return SwitchResult(name, view.head, False, ())
    target = repo.resolve(name) if detach else _branch(repo, view, name)
    steps = _plan(repo, view.head, target)
    # Files first, HEAD last. A crash in between leaves HEAD on the old branch and some files of the
    # new one: the same command, given again, finds them right and goes on. The other way round,
    # files of the old branch would lie under the new HEAD and pass for work done on it, and the
    # next commit would quietly take the new branch back.
    left_out = left_out_of(carry_out(repo.store, repo.worktree, steps, progress=progress))

    def change(now: View) -> View:
        if (now.head, now.merging) != (view.head, view.merging) or (not detach and now.branches.get(name) != target):
            raise Conflict(f"HEAD or {name} was moved meanwhile", hint=f"mlver switch {name} again")
        return replace(now, branch=None, detached=target) if detach else replace(now, branch=name, detached=None)

    transact(repo, f"switch {'--detach ' if detach else ''}{name}", change)
    made = tuple(step for step in steps if step.path not in left_out)
    return SwitchResult(None if detach else name, target, False, file_steps(made), left_out)


def _create(repo: Repository, view: View, name: str) -> SwitchResult:
    head = view.head

    def change(now: View) -> View:
        check_free(now, BRANCH, name)
        if name in now.branches or (name == now.branch and now.head is not None):
            raise Refused(f"branch {name} exists already", hint=f"mlver switch {name}")
        if (now.head, now.merging) != (head, None):
            raise Conflict("HEAD was moved meanwhile", hint=f"mlver switch -c {name} again")
        # before the first commit there is nothing to branch off: the unborn branch takes the name
        branches = now.branches if head is None else {**now.branches, name: head}
        return replace(now, branch=name, detached=None, branches=branches)

    transact(repo, f"switch --create {name}", change)
    return SwitchResult(name, head, True, ())


def _branch(repo: Repository, view: View, name: str) -> CommitId:
    if name in view.branches:
        return view.branches[name]
    if repo.is_revision(name):
        raise UnknownRevision(f"{name} is not a branch", hint=f"mlver switch --detach {name}")
    raise UnknownRevision(f"no branch {name!r}", hint=f"mlver switch -c {name} makes it")


def _plan(repo: Repository, old: CommitId | None, new: CommitId) -> tuple[Step, ...]:
    """Return the steps from one commit's files to another's; Refused when work of one's own is in the way."""
    trees = (repo.commit(old).tree if old else None), repo.commit(new).tree
    wishes = {
        path: Wish(_artifact(path, before), _artifact(path, after))
        for path, before, after in sorted(changed_paths(repo.store, *trees), key=lambda change: change[0])
    }
    plan = make_plan(wishes, repo.worktree)
    known = repo.redactions()  # such bytes are to go, and are nobody's work
    blocked = [step.path for step, id in plan.blocked if id not in known]
    refuse_overwriting(plan, force=False, blocked=blocked, hint="mlver commit keeps it, mlver restore -f drops it")
    return (*plan.steps, *(step for step, _ in plan.blocked))


def _artifact(path: str, entry: Entry | None) -> Artifact | None:
    return Artifact(path, entry.type, entry.kind, BlobId(entry.id), entry.size) if entry else None
