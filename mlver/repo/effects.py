"""What an operation moved, in words; and which operations still count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mlver.objects.ids import CommitId, FactBatchId, OperationId
from mlver.objects.state import FactBatch, Operation, View
from mlver.repo.moves import with_joined, with_view_before
from mlver.repo.refs import remote_branches

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_PUSH = "push "  # how the operation begins that follows a push
_REMOVERS = ("gc", "redact ")  # and those that take bytes away
CLONE = "clone "  # how the operation that ends a clone begins


def effects(repo: Repository, old: View, new: View) -> tuple[str, ...]:
    """Return what differs from `old` to `new`, a line each: `prod: 3f2a… -> 9c1b…`, `2 facts added`."""
    found = []
    if (old.branch, old.detached) != (new.branch, new.detached):
        found.append(f"HEAD: {_head(old)} -> {_head(new)}")
    found += _moves("", old.branches, new.branches)
    found += _moves("tag ", old.tags, new.tags)
    found += _moves("", remote_branches(old), remote_branches(new))
    found += _stage_moves(old, new)
    found += _merging(old, new)
    found += _pending(old, new)
    found += _facts(repo, old.facts, new.facts)
    return tuple(found)


def _head(view: View) -> str:
    return view.branch if view.branch is not None else _short(view.detached)


def _short(id: CommitId | None) -> str:
    return id.short if id else "nothing"


def _moves(what: str, old: Mapping[str, CommitId], new: Mapping[str, CommitId]) -> list[str]:
    names = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    return [f"{what}{name}: {_short(old.get(name))} -> {_short(new.get(name))}" for name in names]


def _stage_moves(old: View, new: View) -> list[str]:
    before, after = (
        {f"{s}/{scope}" if scope else s: live for s, scopes in view.stages.items() for scope, live in scopes.items()}
        for view in (old, new)
    )
    found = []
    for name in sorted(before.keys() | after.keys()):
        a, b = before.get(name), after.get(name)
        if a != b:
            again = " (again)" if a and b and a.commit == b.commit else ""
            found.append(f"{name}: {_short(a.commit if a else None)} -> {_short(b.commit if b else None)}{again}")
    return found


def _merging(old: View, new: View) -> list[str]:
    if old.merging == new.merging:
        return []
    if new.merging is None:
        return [f"{old.merging.action} of {old.merging.name} closed"] if old.merging else []
    left = sum(clash.taken is None for clash in new.merging.clashes)
    return [f"{new.merging.action} of {new.merging.name} open, {left} conflict{'s' if left != 1 else ''} undecided"]


def _pending(old: View, new: View) -> list[str]:
    recorded = [path for path in sorted(new.pending) if new.pending[path] != old.pending.get(path)]
    dropped = [path for path in sorted(old.pending) if path not in new.pending]
    return [f"run recorded for {path}" for path in recorded] + [f"run settled for {path}" for path in dropped]


def _facts(repo: Repository, old: FactBatchId | None, new: FactBatchId | None) -> list[str]:
    if old == new:
        return []
    sides = (("added", new), ("taken back", old))
    if gone := [verb for verb, head in sides if head is not None and not repo.store.has(head)]:
        return [f"facts {verb}, no longer here" for verb in gone]  # gc drops what was undone long ago
    counts = {"added": _count(repo, new, old), "taken back": _count(repo, old, new)}
    return [f"{count} fact{'s' if count != 1 else ''} {verb}" for verb, count in counts.items() if count]


def _count(repo: Repository, head: FactBatchId | None, without: FactBatchId | None) -> int:
    """Count the facts of the log `head` that the log `without` does not have."""
    batches = _reachable(repo, head, stop=without)
    if without is not None and without not in batches:  # not simply what came before: compare as sets
        theirs = _reachable(repo, without, stop=head)
        batches = {} if head in theirs else {id: batch for id, batch in batches.items() if id not in theirs}
    return sum(len(batch.facts) for id, batch in batches.items() if id != without)


def _reachable(repo: Repository, head: FactBatchId | None, stop: FactBatchId | None) -> dict[FactBatchId, FactBatch]:
    found: dict[FactBatchId, FactBatch] = {}
    pending = [head] if head else []
    while pending:
        id = pending.pop()
        if id not in found:
            found[id] = repo.store.get_object(FactBatch, id)
            if id != stop:
                pending.extend(found[id].parents)
    return found


def standing(repo: Repository) -> Iterator[OperationId]:
    """Yield the operations whose effect still stands, newest first.

    An undo of X stands itself; what counts before it is what counted before X.
    """
    for id, operation in _chain(repo):
        yield id
        if operation.parent is None:
            return


def last_standing(repo: Repository) -> tuple[OperationId, Operation] | None:
    """Return the newest operation that is neither undone nor an undo; None when only `init` is left.

    Nor is one meant of which nothing could be taken back: what came from other repositories stays.
    """
    for id, operation in _chain(repo):
        if operation.parent is None or operation.command.startswith(CLONE):
            return None  # what is before a clone was done elsewhere
        before = repo.operation(operation.parent).view
        if operation.undoes is None and with_joined(before, operation.number, [(id, operation)]) != operation.view:
            return id, operation
    return None


def staying(repo: Repository, since: int) -> tuple[str, ...]:
    """Say what operations from number `since` on did that undo does not take back, the last of each sort a line."""
    found: dict[str, str] = {}
    for _, operation, before in with_view_before(repo.operations()):
        if operation.number < since:
            break
        sorts = []
        if operation.command.startswith(_PUSH) and operation.view.remotes != before.remotes:
            sorts.append("what was sent is there")
        if operation.joined:
            sorts.append("stages that others moved are where they moved them")
        if operation.condemned and operation.command.startswith(_REMOVERS):
            sorts.append("what it removed is gone")
        for sort in sorts:
            found.setdefault(sort, f"{operation.command} (operation {operation.number}): {sort}")
    return tuple(found.values())


def _chain(repo: Repository) -> Iterator[tuple[OperationId, Operation]]:
    id, operation = repo.state.id, repo.state.operation
    while True:
        yield id, operation
        before = repo.operation(operation.undoes).parent if operation.undoes else operation.parent
        if before is None:
            return
        id, operation = before, repo.operation(before)
