"""A merge that is open: what is left to resolve, taking sides, going on, giving up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mlver.errors import Conflict, NegativeAnswer, UsageError
from mlver.objects.ids import CommitId
from mlver.objects.state import Clash, Merging, View
from mlver.repo.merge_files import FileConflict, plan_merge
from mlver.repo.open_merge import left_to_resolve
from mlver.repo.overlay import Wish, carry_out, make_plan
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Artifact
from mlver.repo.transaction import transact
from mlver.repo.unit_reader import spellings
from mlver.verbs.commit import commit
from mlver.verbs.common import Progress
from mlver.verbs.merge_conflicts import tell_conflicts
from mlver.verbs.merge_result import MergeConflict, MergeResult
from mlver.verbs.merge_take import Choice, take_sides
from mlver.verbs.restore import file_steps

_BACK = "merged, and as ours has it again"


def open_merge(repo: Repository) -> MergeResult:
    """Return the merge or revert that is open, its conflicts with what is resolved; NegativeAnswer when none is."""
    view, merging = _opened(repo)
    left = left_to_resolve(repo, merging, repo.work_snapshot())
    conflicts = _conflicts(repo, merging, left)
    outcome = "conflicts" if left else "open"
    return MergeResult(
        merging.action, outcome, merging.name, view.branch, merging.ours, _subject(merging), merging.base,
        message=merging.message, conflicts=conflicts,
    )  # fmt: skip


def _opened(repo: Repository) -> tuple[View, Merging]:
    view = repo.refresh()
    if view.merging is None:
        raise NegativeAnswer("no merge is open", hint="mlver merge BRANCH")
    return view, view.merging


def _subject(merging: Merging) -> CommitId:
    """What was merged or is being reverted."""
    return merging.theirs if merging.action == "merge" else merging.base


def _conflicts(repo: Repository, merging: Merging, left: Sequence[Clash]) -> tuple[MergeConflict, ...]:
    """Return every conflict the merge began with, and merged files that were put back."""
    wanted = {clash.path for clash in merging.clashes}
    plan = plan_merge(repo, merging.base, merging.ours, merging.theirs, lambda path: () if path in wanted else None)
    units = {(clash.path, clash.unit) for clash in merging.clashes}
    open_ = {(clash.path, clash.unit) for clash in left}
    told = tell_conflicts(repo, merging, [*plan.conflicts, *_back(repo, merging, left, wanted)])
    return tuple(
        replace(conflict, resolved=(conflict.path, conflict.unit) not in open_)
        for conflict in told
        if (conflict.path, conflict.unit) in units | open_
    )


def _back(repo: Repository, merging: Merging, left: Iterable[Clash], known: set[str]) -> list[FileConflict]:
    sides = [repo.snapshot(id).artifacts for id in (merging.base, merging.ours, merging.theirs)]
    found = []
    for path in (clash.path for clash in left if clash.path not in known):
        base, ours, theirs = (side.get(path) for side in sides)
        one = ours or theirs or base
        found.append(FileConflict(path, one.kind if one else "file", base, ours, theirs, reason=_BACK))
    return found


def resolve(repo: Repository, *, ours: Sequence[str] = (), theirs: Sequence[str] = ()) -> MergeResult:
    """Take one side of conflicts of the open merge: `PATH#UNIT`, `PATH` for all of a file, `.` for all there are.

    The files of the work tree follow. UsageError for a target that names no conflict, or a file that cannot be
    written so.
    """
    _, merging = _opened(repo)
    work = repo.work_snapshot()
    known = [*merging.clashes, *(c for c in left_to_resolve(repo, merging, work) if c not in merging.clashes)]
    choices: list[Choice] = []
    for side, targets in (("ours", ours), ("theirs", theirs)):
        for target in targets:
            choices += [Choice(clash.path, clash.unit, side) for clash in _named(repo, known, target)]
    steps, blobs = take_sides(repo, merging, work, choices)
    with repo.store.session() as session:
        for data in blobs:
            session.put_bytes(data)
        session.finish()
    carry_out(repo.store, repo.worktree, steps)
    taken = {(choice.path, choice.unit): choice.side for choice in choices}

    def change(now: View) -> View:
        if now.merging != merging:
            raise Conflict("the merge was changed meanwhile", hint="mlver status")
        said = [replace(c, taken=taken.get((c.path, c.unit), c.taken)) for c in known]
        kept = tuple(clash for clash in said if clash.taken or clash in merging.clashes)
        return replace(now, merging=replace(merging, clashes=kept))

    targets = ", ".join(dict.fromkeys([*(f"{t} (ours)" for t in ours), *(f"{t} (theirs)" for t in theirs)]))
    transact(repo, f"{merging.action} {merging.name}: took {targets}", change)
    return replace(open_merge(repo), changes=file_steps(steps))


def _named(repo: Repository, known: Sequence[Clash], target: str) -> list[Clash]:
    """Return the conflicts a target names; UsageError when it names none."""
    exact = [clash for clash in known if target in (clash.path, clash.target)]
    path, _, unit = target.partition("#")
    path = repo.tree_path(path)
    units = spellings(unit)
    found = exact or [
        clash
        for clash in known
        if (path == "" or clash.path == path or clash.path.startswith(f"{path}/"))
        and (not unit or any((clash.unit or "") == one or (clash.unit or "").startswith(f"{one}.") for one in units))
    ]
    if not found:
        names = [clash.target for clash in known]
        raise UsageError(f"no conflict at {target}", hint=f"conflicts: {', '.join(names[:5]) or 'none'}")
    return found


def continue_merge(
    repo: Repository,
    *,
    message: str | None = None,
    trailers: Mapping[str, Sequence[str]] | None = None,
    progress: Progress | None = None,
) -> MergeResult:
    """Commit the open merge: the work tree, as any commit. With conflicts left nothing is done, and they are returned.

    NegativeAnswer when no merge is open, or there is nothing to commit.
    """
    state = open_merge(repo)
    if state.unresolved:
        return state
    text = (message or "").strip() or "\n".join([state.message, *_settled(state.conflicts)])
    made = commit(repo, text, trailers=trailers, progress=progress)
    outcome = "merged" if state.action == "merge" else "reverted"
    return replace(state, outcome=outcome, commit=made.commit, message=made.message, changes=made.changes)


def _settled(conflicts: Sequence[MergeConflict]) -> list[str]:
    lines = [f"{conflict.target}: {conflict.taken or 'edited'}" for conflict in conflicts]
    return ["", *lines] if lines else []


def abort_merge(repo: Repository, *, progress: Progress | None = None) -> MergeResult:
    """Give the open merge up: every file it wrote, or has a conflict in, is as HEAD has it again. Others stay."""
    view, merging = _opened(repo)
    ours = repo.snapshot(merging.ours).artifacts
    paths = sorted({*merging.files, *(clash.path for clash in merging.clashes)})
    wishes = {path: Wish(_left(repo, merging, path, ours), ours.get(path)) for path in paths}
    plan = make_plan(wishes, repo.worktree)
    steps = sorted([*plan.steps, *(step for step, _ in plan.blocked)], key=lambda step: step.path)
    carry_out(repo.store, repo.worktree, steps, progress=progress)

    def change(now: View) -> View:
        if now.merging != merging:
            raise Conflict("the merge was changed meanwhile", hint="mlver status")
        return replace(now, merging=None)

    transact(repo, f"{merging.action} {merging.name}: aborted", change)
    return MergeResult(
        merging.action, "aborted", merging.name, view.branch, merging.ours, _subject(merging), merging.base,
        commit=merging.ours, changes=file_steps(steps),
    )  # fmt: skip


def _left(repo: Repository, merging: Merging, path: str, ours: Mapping[str, Artifact]) -> Artifact | None:
    blob = merging.files.get(path)
    there = ours.get(path)
    if blob is None or there is None:
        return there
    return replace(there, id=blob, size=repo.store.blob_size(blob))
