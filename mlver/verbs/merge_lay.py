"""Laying a merge over the work tree: files first, then one operation: a crash leaves the old state or the new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlver.errors import Conflict
from mlver.frozen import frozen
from mlver.objects.commit import Commit
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.state import Clash, Fact, Merging, View
from mlver.repo.derivations import derivations_for, still_pending
from mlver.repo.facts import append_facts
from mlver.repo.merge_files import MergePlan
from mlver.repo.overlay import Step, Wish, carry_out, make_plan, refuse_overwriting
from mlver.repo.repository import Repository
from mlver.repo.signing import COMMITS, sign_commit, wants_signature
from mlver.repo.snapshot import Artifact, Snapshot
from mlver.repo.staleness import stale_in
from mlver.repo.transaction import transact
from mlver.repo.treebuild import put_tree
from mlver.verbs.common import Progress
from mlver.verbs.merge_result import StaleNow


@frozen
class Laid:
    """What was done: the files written, the commit made (None: the merge is open) and what is stale in it."""

    steps: tuple[Step, ...]
    commit: CommitId | None
    stale: tuple[StaleNow, ...] = ()


def work_steps(
    repo: Repository, old: Mapping[str, Artifact], new: Mapping[str, Artifact], also: Sequence[str] = ()
) -> tuple[Step, ...]:
    """Return the steps from the files of HEAD to the merged ones.

    Refused, naming them, when uncommitted work would be overwritten, or lies in a file with a conflict (`also`).
    """
    paths = {path for path in old.keys() | new.keys() if _other(old.get(path), new.get(path))}
    wishes = {path: Wish(old.get(path), new.get(path)) for path in sorted(paths.union(also))}
    plan = make_plan(wishes, repo.worktree)
    blocked = [step.path for step, _ in plan.blocked]
    refuse_overwriting(plan, force=False, blocked=blocked, hint="mlver commit keeps it, mlver restore -f drops it")
    return plan.steps


def _other(a: Artifact | None, b: Artifact | None) -> bool:
    return a is None or b is None or (a.id, a.type) != (b.id, b.type)


def lay(
    repo: Repository, view: View, merging: Merging, plan: MergePlan, *, commit: bool, progress: Progress | None = None
) -> Laid:
    """Write the merged files and record the merge: as a commit, or as one that is open.

    `merging` says what it is; its files and clashes are filled in here. Raises Refused before anything is
    written, Conflict when HEAD moved meanwhile.
    """
    before = repo.snapshot(merging.ours).artifacts
    steps = work_steps(repo, before, plan.artifacts, [conflict.path for conflict in plan.conflicts])
    with repo.store.session() as session:
        for data in plan.blobs.values():
            session.put_bytes(data)
        session.finish()
    made = _commit(repo, view, merging, plan) if commit else None
    signed = wants_signature(repo, None, COMMITS)
    seals = [sign_commit(repo, made, repo.commit(made))] if made is not None and signed else []
    carry_out(repo.store, repo.worktree, steps, progress=progress)
    if made is not None:
        _record(repo, view, merging, made, seals)
        derivations = repo.commit(made).derivations
        stale = stale_in(repo, repo.snapshot(made), derivations)
        return Laid(steps, made, tuple(StaleNow(path, because) for path, because in stale.items()))
    after = plan.artifacts
    files: dict[str, BlobId | None] = {
        path: after[path].id if path in after else None
        for path in sorted(before.keys() | after.keys())
        if _other(before.get(path), after.get(path))
    }
    opened = replace(merging, files=files, clashes=clashes_of(plan))

    def change(now: View) -> View:
        _refuse_moved(now, view, merging)
        return replace(now, merging=opened)

    transact(repo, f"{merging.action} {merging.name}", change)
    return Laid(steps, None)


def clashes_of(plan: MergePlan) -> tuple[Clash, ...]:
    """Return the conflicts of a plan as the state keeps them."""
    found: list[Clash] = []
    for conflict in plan.conflicts:
        found += [Clash(conflict.path, one.unit) for one in conflict.units] or [Clash(conflict.path)]
    return tuple(found)


def _commit(repo: Repository, view: View, merging: Merging, plan: MergePlan) -> CommitId:
    """Store the commit of a merge without conflicts. An artifact keeps the derivation that made these very bytes."""
    parent, theirs = repo.commit(merging.ours), repo.commit(merging.theirs)
    after = Snapshot(plan.artifacts, lambda artifact: repo.store.open_blob(artifact.id))
    with repo.store.session() as session:
        commit = Commit(
            tree=put_tree(session, plan.artifacts),
            parents=(merging.ours, *merging.parents),
            author=repo.actor,
            time=repo.now(),
            message=merging.message,
            trailers=merging.trailers,
            environment=parent.environment,
            derivations=derivations_for(repo, session, after, parent, view, after.project, also=theirs),
            facts=view.facts,
        )
        id = session.put_object(commit)
        session.finish()
    return id


def _record(repo: Repository, view: View, merging: Merging, id: CommitId, seals: list[Fact]) -> None:
    commit = repo.commit(id)

    def change(now: View) -> View:
        _refuse_moved(now, view, merging)
        now = replace(now, facts=append_facts(repo.store, now.facts, seals)) if seals else now
        return head_at(replace(now, pending=still_pending(now, commit.derivations)), id)

    transact(repo, f"{merging.action} {merging.name}", change, reason="; ".join(commit.trailers.get("why", ())) or None)


def head_at(view: View, id: CommitId) -> View:
    """Return the view with HEAD, and the branch it is on, at a commit."""
    if view.branch is None:
        return replace(view, detached=id)
    return replace(view, branches={**view.branches, view.branch: id})


def _refuse_moved(now: View, view: View, merging: Merging) -> None:
    if (now.branch, now.head, now.merging) != (view.branch, view.head, view.merging):
        raise Conflict("HEAD was moved meanwhile", hint=f"mlver {merging.action} {merging.name} again")
