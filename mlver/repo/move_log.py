"""All moves of stages of a repository, from a table in `cache/`: as many operations are read as are new."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mlver.errors import Damaged
from mlver.index.moves import OpRow, moves_of
from mlver.objects.encoding import dump_canonical, from_plain, load_plain, to_plain
from mlver.objects.ids import OperationId
from mlver.objects.state import Move, Operation, View
from mlver.repo.moves import each_once, moves, own_moves

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

FILE = "moves.db"


def recorded_moves(repo: Repository, stage: str | None = None) -> list[Move]:
    """Return what `moves(repo.operations(), stage)` yields: every move (of one stage), newest first."""
    head = repo.state.id
    kept: tuple[OperationId, list[list[Move]]] | None = repo.__dict__.get("_moves")
    if kept is None or kept[0] != head:
        found = moves_of(repo.dot / "cache" / FILE, head, lambda known: _rows(repo, known))
        try:
            kept = head, [[from_plain(Move, plain) for plain in load_plain(data)] for data in found]
        except (KeyError, TypeError, ValueError, Damaged):
            return list(moves(repo.operations(), stage))  # what is kept was written by another mlver
        repo.__dict__["_moves"] = kept
    return list(each_once(kept[1], stage))


def _rows(repo: Repository, known: Callable[[bytes], bool]) -> Iterator[OpRow]:
    later: tuple[OperationId, Operation] | None = None
    for id, operation in repo.operations():
        if later is not None:
            yield _row(*later, operation.view)
        later = id, operation
        if known(id):
            return
    if later is not None:
        yield _row(*later, View())


def _row(id: OperationId, operation: Operation, before: View) -> OpRow:
    found = [*operation.joined, *own_moves(id, operation, before)]
    data = dump_canonical([to_plain(move) for move in found]) if found else b""
    return OpRow(bytes(id), bytes(operation.parent) if operation.parent else None, operation.number, data)
