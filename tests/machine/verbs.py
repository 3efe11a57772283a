"""What each writing verb is to do to a plain repository: a `Plan` for every call."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from mlver.errors import Collected, Conflict, NegativeAnswer, Refused, UnknownRevision, UsageError
from tests.machine.files import Content, Files, Merged, Union, merge
from tests.machine.plain import NEW, Change, Copy, Id, Live, Made, Merging, Plan, Slot, View


def commit(copy: Copy, paths: tuple[str, ...]) -> Plan:
    """Commit the work tree, or some paths of it."""
    view, head = copy.view, copy.head_files
    merging = view.merging
    if merging is not None and paths:
        return Plan(error=Refused)
    if paths and any(path not in copy.work and path not in head for path in paths):
        return Plan(error=UsageError)
    if paths:
        files = {path: data for path, data in head.items() if path not in paths}
        files |= {path: data for path, data in copy.work.items() if path in paths}
    else:
        files = dict(copy.work)
    joins = merging.joins if merging is not None else ()
    plan = Plan()
    if merging is not None:
        left, sure = left_to_resolve(copy, merging)
        if left:
            return Plan(error=Refused)
        plan.may = () if sure else (Refused,)
    if files == head and not joins:
        return Plan(error=NegativeAnswer, may=plan.may)
    parents = (view.head, *joins) if view.head is not None else ()
    plan.changes = [Change(replace(view.at(NEW), merging=None), new=Made(parents, files))]
    return plan


def left_to_resolve(copy: Copy, merging: Merging) -> tuple[set[str], bool]:
    """Return what certainly keeps an open merge from being committed, and whether that is all there can be."""
    ours = copy.files(merging.ours)
    left = {
        path
        for path, data in merging.left.items()
        if path not in merging.clashes and copy.work.get(path) == ours.get(path) != data
    }
    undecided = merging.clashes - merging.taken
    untouched = {path for path in undecided if copy.work.get(path) == merging.left.get(path, ours.get(path))}
    return left | untouched, undecided == untouched


def set_ref(copy: Copy, type: str, name: str, target: Id, force: bool) -> Plan:
    """Make or move a branch or a tag."""
    view = copy.view
    refs = view.branches if type == "branch" else view.tags
    old = refs.get(name)
    if old == target:
        return Plan()
    if (type == "branch" and name == view.branch) or (old is not None and not force):
        return Plan(error=Refused)
    return Plan([Change(_with(view, type, {**refs, name: target}))])


def delete_ref(copy: Copy, type: str, name: str) -> Plan:
    """Delete a branch or a tag."""
    view = copy.view
    refs = dict(view.branches if type == "branch" else view.tags)
    if name not in refs:
        return Plan(error=UnknownRevision)
    if type == "branch" and name == view.branch:
        return Plan(error=Refused)
    del refs[name]
    return Plan([Change(_with(view, type, refs))])


def _with(view: View, type: str, refs: Mapping[str, Id]) -> View:
    return replace(view, branches=refs) if type == "branch" else replace(view, tags=refs)


def create_branch(copy: Copy, name: str) -> Plan:
    """`switch -c`."""
    view = copy.view
    if view.merging is not None or name in view.branches or (name == view.branch and view.head is not None):
        return Plan(error=Refused)
    branches = view.branches if view.head is None else {**view.branches, name: view.head}
    after = replace(view, branch=name, detached=None, branches=branches)
    return Plan([Change(after)] if after != view else [])


def switch(copy: Copy, name: str | None, target: Id) -> Plan:
    """Move HEAD to a branch, or (`name` None) to a commit; files follow."""
    view = copy.view
    if view.merging is not None:
        return Plan(error=Refused)
    if name is not None and name == view.branch:
        return Plan()
    if name is not None and name not in view.branches:
        return Plan(error=UnknownRevision)
    work = lay(copy, copy.head_files, copy.files(target))
    if work is None:
        return Plan(error=Refused)
    after = replace(view, branch=name, detached=target if name is None else None)
    return Plan([Change(after)] if after != view else [], dict(work))


def lay(
    copy: Copy, old: Files, new: Mapping[str, Content], also: Collection[str] = ()
) -> dict[str, Content | None] | None:
    """Return what becomes of files on the way from one commit to another; None when work of one's own is in the way."""
    steps: dict[str, Content | None] = {}
    for path in {*old, *new, *also}:  # one of those may be in neither
        before, after, disk = old.get(path), new.get(path), copy.work.get(path)
        if (before == after and path not in also) or disk == after:
            continue
        if disk is None or disk == before:
            steps[path] = after
        else:
            return None
    return steps


def restore(copy: Copy, commit: Id, paths: tuple[str, ...], force: bool) -> Plan:
    """Write files of a commit into the work tree; HEAD stays."""
    head, files = copy.head_files, copy.files(commit)
    if any(path not in files for path in paths):
        return Plan(error=UsageError)
    chosen = {path: files.get(path) for path in paths or files.keys() | head.keys()}
    work: dict[str, Content | None] = {}
    known = [copy.commits[id].files for id in copy.ancestors(copy.view.heads())]
    for path, data in chosen.items():
        disk = copy.work.get(path)
        if disk == data:
            continue
        mine = disk is not None and disk != head.get(path)
        if mine and not force and all(one.get(path) != disk for one in known):
            return Plan(error=Refused)
        work[path] = data
    return Plan(work=work)


def merge_in(copy: Copy, target: Id, no_commit: bool) -> Plan:
    """Merge a commit into HEAD."""
    view, head = copy.view, copy.view.head
    if view.merging is not None:
        return Plan(error=Refused)
    base = copy.base(head, target)
    if base is None:
        return Plan(error=Refused)
    if base == target:
        return Plan()
    if base == head:
        work = lay(copy, copy.head_files, copy.files(target))
        return Plan(error=Refused) if work is None else Plan([Change(view.at(target))], work)
    found = merge(copy.files(base), copy.head_files, copy.files(target))
    return _laid(copy, Merging("merge", head, target, base, (target,), found.clashes), found, no_commit)


def revert(copy: Copy, target: Id, no_commit: bool) -> Plan:
    """Take back what one commit changed."""
    view, head = copy.view, copy.view.head
    if view.merging is not None or target not in copy.ancestors([head]) or not copy.commits[target].parents:
        return Plan(error=Refused)
    parent = copy.commits[target].parents[0]
    found = merge(copy.files(target), copy.head_files, copy.files(parent))
    if not found.clashes and found.files == copy.head_files:
        return Plan(error=NegativeAnswer)
    return _laid(copy, Merging("revert", head, parent, target, (), found.clashes), found, no_commit)


def _laid(copy: Copy, merging: Merging, found: Union, no_commit: bool) -> Plan:
    """Lay a merge over the work tree: a commit, or a merge that is open, or (when that is not foreseen) either."""
    head = copy.head_files
    unsure = {path for path, data in found.files.items() if isinstance(data, Merged)} | found.maybe
    work = lay(copy, head, found.files, found.clashes)
    plan = Plan(unsure=found.maybe)
    if work is None or any(path in copy.work and copy.work[path] != head[path] for path in unsure):
        if not unsure:
            return Plan(error=Refused)
        sure = {path: data for path, data in found.files.items() if path not in unsure}
        if lay(copy, {path: data for path, data in head.items() if path not in unsure}, sure, found.clashes) is None:
            return Plan(error=Refused)
        plan.may = (Refused,)
        work = {path: data for path, data in found.files.items() if copy.work.get(path) != data}
        work |= {path: None for path in head.keys() - found.files.keys() if path in copy.work}
    if merging.action == "revert" and found.maybe:
        plan.may = (*plan.may, NegativeAnswer)
    opened = [Change(replace(copy.view, merging=merging))]
    if found.clashes or no_commit:
        plan.changes, plan.work = opened, work
        return plan
    made = Made((merging.ours, *merging.joins), found.files)
    plan.changes, plan.work = [Change(copy.view.at(NEW), new=made)], work
    if found.maybe:
        plan.open = opened
    return plan


def resolve(copy: Copy, side: str) -> Plan:
    """Take one side of all conflicts."""
    merging = copy.view.merging
    if merging is None:
        return Plan(error=NegativeAnswer)
    left, _ = left_to_resolve(copy, merging)
    known = merging.clashes | left
    if not known:
        return Plan(error=UsageError)
    work: dict[str, Content | None] = {path: Merged(path) for path in known}
    theirs = copy.files(merging.ours if side == "ours" else merging.theirs)
    untouched = {path for path in known if copy.work.get(path) == merging.left.get(path)}
    for path in known:
        whole = path.endswith(".bin") or path not in copy.files(merging.ours) or path not in copy.files(merging.theirs)
        if path in untouched and whole and path in merging.clashes:
            work[path] = theirs.get(path)
    after = replace(merging, taken=merging.taken | known, clashes=known)
    plan = Plan([Change(replace(copy.view, merging=after))], work)
    plan.maybe = merging.taken >= known  # the same side again records nothing
    plan.may = (UsageError,)  # a file in conflict that somebody edited, or took away, cannot always be written
    return plan


def abort(copy: Copy) -> Plan:
    """Give an open merge up."""
    merging = copy.view.merging
    if merging is None:
        return Plan(error=NegativeAnswer)
    ours = copy.files(merging.ours)
    work = {path: ours.get(path) for path in merging.clashes | merging.left.keys()}
    return Plan(
        [Change(replace(copy.view, merging=None))],
        {path: data for path, data in work.items() if copy.work.get(path) != data},
    )


def promote(copy: Copy, slot: Slot, target: Id, percent: int, reason: str) -> Plan:
    """Make a commit live."""
    live = copy.view.stages.get(slot)
    if live is not None and (live.commit, live.percent) == (target, percent):
        return Plan()
    return Plan([Change(_moved(copy.view, slot, Live(target, "promote", percent, reason)))])


def rollback_to(copy: Copy, slot: Slot, target: Id, reason: str) -> Plan:
    """Move a stage back to a commit that is named."""
    live = copy.view.stages.get(slot) or copy.view.stages.get((slot[0], ""))
    if live is None:
        return Plan(error=UnknownRevision)
    if live.commit == target:
        return Plan()
    return Plan([Change(_moved(copy.view, slot, Live(target, "rollback", 100, reason)))])


def rollback_only(copy: Copy, slot: Slot, target: Id, reason: str) -> Plan:
    """Move the configs of a stage back, and leave the rest."""
    live = copy.view.stages.get(slot) or copy.view.stages.get((slot[0], ""))
    if live is None:
        return Plan(error=UnknownRevision)
    mine, theirs = copy.files(live.commit), copy.files(target)
    if not any(path.startswith("config/") for path in (*mine, *theirs)):
        return Plan(error=UnknownRevision)
    files = {path: data for path, data in mine.items() if not path.startswith("config/")}
    files |= {path: data for path, data in theirs.items() if path.startswith("config/")}
    if files == mine:
        return Plan()
    same = files == theirs
    moved = _moved(copy.view, slot, Live(target if same else NEW, "rollback", 100, reason))
    return Plan([Change(moved, new=None if same else Made((live.commit,), files))])


def _moved(view: View, slot: Slot, live: Live) -> View:
    return replace(view, stages={**view.stages, slot: live})


def undo(copy: Copy, number: int | None, gone: frozenset[Id]) -> Plan:
    """Take operations back; `gone` are ids that the store does not have any more."""
    if number is None:
        number = copy.last_standing()
    if number is None or number <= copy.first:
        return Plan(error=NegativeAnswer)
    op = copy.ops[number - copy.first]
    if op.gc:
        return Plan(error=NegativeAnswer)
    before = copy.before(number)
    if (before.heads() | {before.log}) & gone:
        return Plan(error=Collected)
    return Plan([Change(before, undoes=number)])


def fetch(copy: Copy, hub: Copy, side: str | None = None) -> Plan:
    """Bring here what is new on the other side; a stage moved on both stays as it is, or is as a `side` has it."""
    view, there = copy.view, hub.view
    lines, lives, _ = copy.join(hub, side)
    stages = {slot: live for slot, live in view.stages.items() if slot not in lives}
    stages |= {slot: live for slot, live in lives.items() if live is not None}
    after = replace(
        view,
        stages=stages,
        tags={**there.tags, **view.tags},
        facts=view.facts | there.facts,
        log=view.log if there.log in (None, view.log) else "joined",
        remotes={**view.remotes, "origin": (hub.number, dict(there.branches))},
    )
    changed = replace(after, log=view.log) != view or lines
    joins = after.log == "joined"  # the log there may lead to nothing new
    return Plan([Change(after, lines=lines)] if changed or joins else [], maybe=joins and not changed)


def push(copy: Copy, hub: Copy) -> tuple[Plan, Plan]:
    """Send all branches, tags, stages and facts; return what is to happen here, and there."""
    mine, there = copy.view, hub.view
    branches = dict(there.branches)
    for name, new in sorted(mine.branches.items()):
        old = there.branches.get(name)
        if old is None or old in copy.ancestors([new]):
            branches[name] = new
        elif new not in copy.ancestors([old]):
            return Plan(error=Conflict), Plan()
    if any(there.tags.get(name, id) != id for name, id in mine.tags.items()):
        return Plan(error=Conflict), Plan()
    lines, lives, conflicts = hub.join(copy)
    if conflicts:
        return Plan(error=Conflict), Plan()
    stages = {slot: live for slot, live in there.stages.items() if slot not in lives}
    stages |= {slot: live for slot, live in lives.items() if live is not None}
    facts = there.facts | mine.facts
    branch = there.branch
    if not there.branches and branches:
        branch = mine.branch if mine.branch in branches else min(branches)
    log = there.log if mine.log in (None, there.log) else "joined"
    after = replace(
        there, branch=branch, branches=branches, tags={**there.tags, **mine.tags}, stages=stages, facts=facts, log=log
    )
    changed = replace(after, log=there.log) != there or lines
    return Plan(), Plan([Change(after, lines=lines)] if changed or log == "joined" else [], maybe=not changed)


def remembered(copy: Copy, hub: Copy) -> Plan:
    """What a push writes down here of where the other side is now."""
    view = copy.view
    known = view.heads()
    branches = dict(view.remotes["origin"][1]) if "origin" in view.remotes else {}
    branches |= {name: id for name, id in hub.view.branches.items() if id in known}
    branches = {name: id for name, id in branches.items() if name in hub.view.branches}
    after = replace(view, remotes={**view.remotes, "origin": (hub.number, branches)})
    return Plan([Change(after)] if after != view else [])


def check_last_good(copy: Copy, slot: Slot, live: Live, chosen: Id) -> None:
    """Fail if a rollback went to what nobody ever served there, or to what is marked bad."""
    lines = (copy.lines.get(slot, ()), copy.lines.get((slot[0], ""), ()))
    before = {move.live.commit for line in lines for move in line if move.live is not None}
    assert chosen in before, f"{chosen.short} never served {slot}"
    if chosen != live.commit:
        assert last_mark(copy, chosen) != "bad", f"{chosen.short} is marked bad"


def surely_good(copy: Copy, slot: Slot, live: Live) -> set[Id]:
    """Return commits that served a slot and that nothing at all speaks against."""
    if slot[1] and any(op.joined for op in copy.ops):
        return set()  # moves that came from elsewhere stand behind a scope's own, whenever they were made
    own = copy.lines.get(slot, [])
    # everyone's entry serves a scope only until that has one of its own
    everyones = [m for m in copy.lines.get((slot[0], ""), []) if slot[1] == "" or not own or m.time < own[0].time]
    moves = [*own, *everyones]
    if any(move.undo or move.live is None or move.live.action == "rollback" for move in moves):
        return set()  # what was left by a rollback or an undo is none to go back to
    alerted = {fact[1] for fact in copy.view.facts if fact[0] == "alert"}
    served = {move.live.commit for move in moves if move.live is not None} - {live.commit} - alerted
    return {id for id in served if last_mark(copy, id) != "bad"}


def last_mark(copy: Copy, commit: Id) -> str | None:
    """Return how a commit was marked last."""
    found = [fact for fact in copy.view.facts if fact[:2] == ("mark", commit)]
    return max(found, key=lambda fact: int(fact[2].split()[1]))[3] if found else None
