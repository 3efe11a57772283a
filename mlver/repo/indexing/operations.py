"""Operations as rows: each once, in order, and with them the ledger of all stages and the commits they led to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlver.index.history.database import HistoryIndex
from mlver.objects.ids import CommitId, OperationId
from mlver.objects.state import Move, Operation, View
from mlver.objects.time import format_time
from mlver.repo.history import view_heads
from mlver.repo.indexing.commits import CommitRows
from mlver.repo.indexing.versions import json_text
from mlver.repo.moves import moves, own_moves, slot_of, slots

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_KEPT = 2000  # operations held in memory
_LEDGER = "ledger"


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

    def add(self, id: OperationId, operation: Operation, before: View) -> None:
        """Add one operation, and the commits that came with it."""
        view, index = operation.view, self._index
        newest = operation.number == self._repo.state.operation.number
        added = self._add_commits(set(view_heads(view)) - set(view_heads(before)), gone=not newest)
        added += self._add_commits({move.live.commit for move in operation.joined if move.live}, gone=True)
        undoes = operation.undoes.hex() if operation.undoes else None
        head, time = view.head.hex() if view.head else None, format_time(operation.time)
        index.insert(
            "operations",
            [(operation.number, id.hex(), time, operation.actor, operation.command, operation.reason, undoes, head)],
        )
        own = own_moves(id, operation, before)
        if operation.joined:
            index.note(_LEDGER, "stale")  # moves from elsewhere come before some that are in
        else:
            for move in own:
                self._move(move)
        said = added and view.head is not None and self._repo.commit(view.head).why == operation.reason
        said = said or view.facts != before.facts
        if operation.reason and not said:  # the commit or the fact itself says it
            about = "/".join(filter(None, slot_of(own[0]))) if own else None
            index.insert_texts([(operation.reason, "operation", about, head, time, operation.actor)])

    def finish(self) -> None:
        """Make the ledger anew when moves from other repositories have changed its order."""
        if self._index.state(_LEDGER) is not None:
            self._index.run("DELETE FROM deployments")
            for move in reversed(list(moves(self._repo.operations()))):
                self._move(move)
            self._index.note(_LEDGER, None)

    def _add_commits(self, heads: set[CommitId], *, gone: bool) -> int:
        missing = list(self._commits.missing(heads, gone=gone))
        for commit in missing:
            self._commits.add(commit)
        return len(missing)

    def _move(self, move: Move) -> None:
        """Close the entry of the ledger that a move ended, and open the one that it began."""
        time, live = format_time(move.time), move.live
        close = "UPDATE deployments SET until = ? WHERE stage = ? AND scope = ? AND until IS NULL"
        self._index.run(close, (time, *slot_of(move)))
        if live is not None:
            evidence = None if live.evidence is None else json_text(live.evidence)
            row = (
                *slot_of(move), live.commit.hex(), time, None, live.percent, live.actor, live.action, live.reason,
                live.release, evidence, move.operation.hex(),
            )  # fmt: skip
            self._index.insert("deployments", [row])


def ref_rows(view: View) -> Iterator[tuple[str, str, str]]:
    """Yield (name, type, commit) of everything that names a commit now."""
    if view.head is not None:
        yield "HEAD", "HEAD", view.head.hex()
    for type, refs in (("branch", view.branches), ("tag", view.tags)):
        yield from ((name, type, commit.hex()) for name, commit in refs.items())
    for name, seen in view.remotes.items():
        yield from ((f"{name}/{branch}", "remote branch", commit.hex()) for branch, commit in seen.branches.items())
    for slot, live in slots(view).items():
        if live is not None:
            yield "/".join(filter(None, slot)), "stage", live.commit.hex()
