"""Operations as rows: each once, in order, and with them the ledger of all stages and the commits they led to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlver.index.history.database import HistoryIndex
from mlver.objects.ids import OperationId
from mlver.objects.state import Live, Operation, View
from mlver.objects.time import format_time
from mlver.repo.history import view_heads
from mlver.repo.indexing.commits import CommitRows
from mlver.repo.indexing.versions import json_text

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_KEPT = 2000  # operations held in memory
Slots = dict[tuple[str, str], Live]


class Forked(Exception):
    """The index holds operations that the log does not."""


def new_operations(repo: Repository, last: tuple[int, str] | None) -> Iterator[tuple[OperationId, Operation]]:
    """Return the operations after `last` (number and id; None: all of them), oldest first; Forked."""
    ids: list[OperationId] = []
    kept: dict[OperationId, Operation] = {}
    for id, operation in repo.operations():
        if last is not None and operation.number <= last[0]:
            if (operation.number, id.hex()) != last:
                raise Forked
            break
        ids.append(id)
        if len(kept) < _KEPT:
            kept[id] = operation
    return ((id, kept.pop(id) if id in kept else repo.operation(id)) for id in reversed(ids))


class OperationRows:
    """Adds operations to the index."""

    def __init__(self, repo: Repository, index: HistoryIndex, commits: CommitRows) -> None:
        self._repo, self._index, self._commits = repo, index, commits

    def add(self, id: OperationId, operation: Operation, before: View) -> int:
        """Add one operation; return how many commits came with it."""
        view, index = operation.view, self._index
        added = 0
        newest = operation.number == self._repo.state.operation.number
        for commit in self._commits.missing(set(view_heads(view)) - set(view_heads(before)), gone=not newest):
            self._commits.add(commit)
            added += 1
        undoes = operation.undoes.hex() if operation.undoes else None
        head, time = view.head.hex() if view.head else None, format_time(operation.time)
        row = (
            operation.number, id.hex(), time, operation.actor, operation.command, operation.reason, undoes, head,
        )  # fmt: skip
        index.insert("operations", [row])
        was, now = _slots(before), _slots(view)
        if was != now:
            self._move(was, now, operation, time)
        said = added and view.head is not None and self._repo.commit(view.head).why == operation.reason
        if operation.reason and not said:  # the commit itself says it
            about = _moved(was, now)
            index.insert_texts([(operation.reason, "operation", about, head, time, operation.actor)])
        return added

    def _move(self, was: Slots, now: Slots, operation: Operation, time: str) -> None:
        """Close the entries of the ledger that ended, and open those that began."""
        for slot in [slot for slot, live in was.items() if now.get(slot) != live]:
            close = "UPDATE deployments SET until = ? WHERE stage = ? AND scope = ? AND until IS NULL"
            self._index.run(close, (time, *slot))
        rows: list[tuple[Any, ...]] = [
            (
                *slot, live.commit.hex(), time, None, live.actor, live.action, live.reason, live.release,
                None if live.evidence is None else json_text(live.evidence), operation.number,
            )
            for slot, live in now.items()
            if was.get(slot) != live
        ]  # fmt: skip
        self._index.insert("deployments", rows)


def _slots(view: View) -> Slots:
    return {(stage, scope): live for stage, scopes in view.stages.items() for scope, live in scopes.items()}


def _moved(was: Slots, now: Slots) -> str | None:
    """Return the first stage and scope that an operation moved, as one name."""
    for slot in [*now, *was]:
        if was.get(slot) != now.get(slot):
            return "/".join(filter(None, slot))
    return None


def ref_rows(view: View) -> Iterator[tuple[str, str, str]]:
    """Yield (name, type, commit) of everything that names a commit now."""
    if view.head is not None:
        yield "HEAD", "HEAD", view.head.hex()
    for type, refs in (("branch", view.branches), ("tag", view.tags)):
        yield from ((name, type, commit.hex()) for name, commit in refs.items())
    for (stage, scope), live in _slots(view).items():
        yield "/".join(filter(None, (stage, scope))), "stage", live.commit.hex()
