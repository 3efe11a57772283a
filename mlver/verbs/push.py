"""`push`: send what is new here to another repository."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from typing import ClassVar

from mlver.errors import Conflict, Refused, UnknownRevision
from mlver.frozen import frozen
from mlver.objects.ids import CommitId, FactBatchId
from mlver.objects.result import Result
from mlver.objects.state import Move, Operation, Tracked, View
from mlver.repo.head import Head
from mlver.repo.history import view_heads
from mlver.repo.joining import join_stages
from mlver.repo.reach import Before, Shipment, fact_reach, is_before, meeting_commits, meeting_facts
from mlver.repo.remote import Remote, both_lines, remote_of
from mlver.repo.repository import Repository
from mlver.repo.transaction import again, next_operation, record, recorded, transact
from mlver.store.transfer import Transfer
from mlver.verbs.common import Progress
from mlver.verbs.sharing import (
    Delivery,
    RefChange,
    check_new_names,
    conflict_error,
    delivered,
    join_facts,
    ref_changes,
    run_transfer,
    stage_conflict,
)


@frozen
class PushResult(Result):
    """What was sent, and which branches, tags and stages moved there.

    `behind` are branches that the other repository has more of: nothing of them was sent.
    """

    schema: ClassVar[str] = "mlver.push/v1"
    remote: str
    where: str
    changed: bool
    refs: tuple[RefChange, ...] = ()
    behind: tuple[str, ...] = ()
    delivery: Delivery = field(default_factory=Delivery)
    dry_run: bool = False


@frozen
class _Wanted:
    """The view that the other repository is to have, but for its facts, and the moves that come with it."""

    view: View
    moves: tuple[Move, ...]
    behind: tuple[str, ...]


def push(
    repo: Repository,
    remote: str | None = None,
    branches: Sequence[str] = (),
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> PushResult:
    """Send branches (all, if none is named), tags, stages with their ledgers, and facts; only what is missing.

    Facts are put together and never conflict. A branch may only move forward there: Conflict otherwise, and when
    a stage was moved on both sides. Nothing has moved there when this raises, but for OutcomeUnknown. An empty
    folder becomes a bare repository. RemoteError when there is none, Refused for a branch somebody works on there.
    """
    repo.refresh()
    with remote_of(repo, remote, make=not dry_run, imagine=dry_run) as there:
        result = PushResult(there.name, there.where, changed=False, dry_run=dry_run)
        sent = Delivery()

        def build(head: Head) -> Operation | None:
            nonlocal result, sent
            wanted = _wanted(repo, there, head, branches)
            facts, more = _send(repo, there, head, wanted, dry_run, progress)
            sent = _sum(sent, more)
            view = replace(wanted.view, facts=facts)
            before = head.operation.view
            changed = view != before or bool(wanted.moves)
            refs = ref_changes(before, view)
            result = replace(result, changed=changed, refs=refs, behind=wanted.behind, delivery=sent)
            if dry_run or not changed:
                return None
            return next_operation(repo, head, _command(result.refs), view, joined=wanted.moves)

        head = again(lambda: record(there.store, build))
        if not dry_run:
            with recorded():
                _remember(repo, there, head)
        return result


def _command(refs: Sequence[RefChange]) -> str:
    names = ", ".join(ref.name for ref in refs) or "facts"
    return f"push {names}"[:200]


def _wanted(repo: Repository, there: Remote, head: Head, names: Sequence[str]) -> _Wanted:
    """Work out what the other repository is to say; raises Conflict and Refused."""
    view, mine = head.operation.view, repo.view
    behind: list[str] = []
    branches = dict(view.branches)
    for name in names or sorted(mine.branches):
        if name not in mine.branches:
            raise UnknownRevision(f"no branch {name!r}", hint="mlver branch lists them")
        new, old = mine.branches[name], view.branches.get(name)
        if old == new:
            continue
        if old is not None and not _moves_on(repo, there, old, new, name):
            behind.append(name)
            continue
        if not there.bare and name == view.branch:
            where = f"{there.name} ({there.where})"
            raise Refused(f"{name} is checked out on {where}", hint="mlver pull there, or push to a bare repository")
        branches[name] = new
    tags = _tags(view, mine, there.name)
    ours, theirs = both_lines(repo, repo.state, there, head)
    joined = join_stages(view, theirs, ours)  # from there, what is ours comes in
    if joined.conflicts:
        seen_from_here = [replace(one, ours=one.theirs, theirs=one.ours) for one in joined.conflicts]
        raise conflict_error(tuple(map(stage_conflict, seen_from_here)), there.name)
    wanted = replace(view, branches=branches, tags=tags, stages=joined.stages)
    if not view.branches and there.bare and branches:
        wanted = replace(wanted, branch=mine.branch if mine.branch in branches else sorted(branches)[0])
    check_new_names(view, wanted)
    return _Wanted(wanted, joined.moves, tuple(behind))


def _moves_on(repo: Repository, there: Remote, old: CommitId, new: CommitId, name: str) -> bool:
    """Whether a branch moves forward from `old`; False when it would move back, Conflict when it is neither."""
    stores = (repo.store, there.store)
    with there.reading():
        if is_before(old, new, *stores):
            return True
        if is_before(new, old, *stores):
            return False
    raise Conflict(
        f"{name} has commits on {there.name} that are not here ({old.short}), and others here ({new.short})",
        hint=f"mlver pull {there.name}, then push again",
    )


def _tags(view: View, mine: View, remote: str) -> dict[str, CommitId]:
    for name, id in mine.tags.items():
        if (other := view.tags.get(name, id)) != id:
            raise Conflict(
                f"tag {name} is {other.short} on {remote} and {id.short} here",
                hint=f"mlver tag -f {name} {other.short} takes theirs",
            )
    return {**view.tags, **mine.tags}


def _send(
    repo: Repository, there: Remote, head: Head, wanted: _Wanted, dry_run: bool, progress: Progress | None
) -> tuple[FactBatchId | None, Delivery]:
    """Send the objects; return the head of the fact log there afterwards, and what was sent."""
    view, mine = head.operation.view, repo.view
    transfer = Transfer(repo.store, there.store)
    shipment = Shipment(transfer)
    known = fact_reach(repo, mine.facts)
    with there.reading():
        new_there, met = meeting_facts(there.store, view.facts, known)
        complete = Before(repo.store, meeting_commits(there.store, view_heads(view), repo.store))
    facts_there = set[bytes]().union(*(fact_reach(repo, id) for id in met))
    heads = [*wanted.view.branches.values(), *wanted.view.tags.values()]
    heads += [live.commit for scopes in wanted.view.stages.values() for live in scopes.values()]
    heads += [move.live.commit for move in wanted.moves if move.live is not None]
    others = set(view_heads(view))
    shipment.add_commits((id for id in heads if id not in others), complete, facts_there)
    if mine.facts is not None:
        shipment.add_facts(mine.facts, facts_there)
    if dry_run:
        moved = transfer.planned
        transfer.close()
    else:
        moved = run_transfer(transfer, progress, f"push to {there.name}")
    facts = view.facts
    if mine.facts is not None and bytes(mine.facts) not in facts_there:
        facts = mine.facts if not new_there else _joined_facts(there, mine.facts, view.facts, dry_run)
    return facts, delivered(shipment, moved)


def _joined_facts(there: Remote, mine: FactBatchId, theirs: FactBatchId | None, dry_run: bool) -> FactBatchId:
    return mine if theirs is None or dry_run else join_facts(there.store, mine, theirs)


def _sum(a: Delivery, b: Delivery) -> Delivery:
    """Return two deliveries as one: the second came when somebody else was faster, and holds the rest."""
    if not a.bytes:
        return b
    facts = {name: a.facts.get(name, 0) + b.facts.get(name, 0) for name in sorted({*a.facts, *b.facts})}
    objects = {name: a.objects.get(name, 0) + b.objects.get(name, 0) for name in sorted({*a.objects, *b.objects})}
    return Delivery(a.bytes + b.bytes, a.commits + b.commits, facts, a.kinds, objects)


def _remember(repo: Repository, there: Remote, head: Head) -> None:
    """Write down here where the other repository is now, as far as its commits are known here."""

    def change(view: View) -> View:
        before = view.remotes.get(there.name)
        known = set(view_heads(view))
        branches = dict(before.branches) if before else {}
        branches |= {name: id for name, id in head.operation.view.branches.items() if id in known}
        branches = {name: id for name, id in branches.items() if name in head.operation.view.branches}
        now = Tracked(head.operation.number, head.id, branches)
        return replace(view, remotes={**view.remotes, there.name: now})

    transact(repo, f"push {there.name}", change)
