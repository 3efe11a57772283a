"""Moves of stages: what the operation log says of them, those that other repositories recorded among it.

An operation makes a move where its view says something else of a slot (a stage and a scope) than the view
before. Moves that came from elsewhere stand in `joined`, in order; one that stands there again is put behind
what was known of its slot until then. docs/design/sharing.md says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from mlver.objects.ids import OperationId
from mlver.objects.state import Live, Move, Operation, View

Slot = tuple[str, str]  # stage and scope
Chain = Iterable[tuple[OperationId, Operation]]


def slot_of(move: Move) -> Slot:
    """Return stage and scope of a move."""
    return move.stage, move.scope


def identity(move: Move) -> tuple[OperationId, str, str]:
    """Return what makes two moves the same: an operation moves a slot once."""
    return move.operation, move.stage, move.scope


def moves(chain: Chain, stage: str | None = None) -> Iterator[Move]:
    """Yield every move in a log (of one stage), newest first; `chain` is the log, newest first and read as needed."""
    found = (
        [*operation.joined, *own_moves(id, operation, before)] for id, operation, before in with_view_before(chain)
    )
    return each_once(found, stage)


def each_once(found: Iterable[Sequence[Move]], stage: str | None = None) -> Iterator[Move]:
    """Yield moves (of one stage), given by operation, newest first; of several that are the same the newest."""
    seen: set[tuple[OperationId, str, str]] = set()
    for of_one in found:
        for move in reversed(of_one):
            if identity(move) not in seen and stage in (None, move.stage):
                seen.add(identity(move))
                yield move


def own_moves(id: OperationId, operation: Operation, before: View) -> list[Move]:
    """Return the moves that an operation made itself; `before` is the view that it changed."""
    if operation.view.stages == before.stages and not operation.joined:
        return []
    was, now = slots(before), slots(operation.view)
    was |= {slot_of(move): move.live for move in operation.joined}
    return [
        Move(id, *slot, now.get(slot), operation.time, operation.actor, operation.undoes is not None)
        for slot in sorted(was.keys() | now.keys())
        if was.get(slot) != now.get(slot)
    ]


def slots(view: View) -> dict[Slot, Live | None]:
    """Return what is live, by stage and scope."""
    return {(stage, scope): live for stage, scopes in view.stages.items() for scope, live in scopes.items()}


def with_joined(view: View, since: int, chain: Chain) -> View:
    """Return an older view with what came from elsewhere since: undo takes back what was done here alone.

    `chain` is the log, newest first; operations from number `since` on are to be taken back.
    """
    stages = {stage: dict(scopes) for stage, scopes in view.stages.items()}
    done: set[Slot] = set()
    remotes = None
    for _, operation in chain:
        remotes = operation.view.remotes if remotes is None else remotes
        if operation.number < since:
            break
        now = slots(operation.view)
        for slot in {slot_of(move) for move in operation.joined} - done:
            done.add(slot)
            put_live(stages, slot, now.get(slot))
    return replace(view, stages=stages, remotes=remotes or {})


def put_live(stages: dict[str, dict[str, Live]], slot: Slot, live: Live | None) -> None:
    """Set what serves a slot; a stage without any is none."""
    stage, scope = slot
    scopes = stages.setdefault(stage, {})
    scopes.pop(scope, None)
    if live is not None:
        scopes[scope] = live
    if not scopes:
        del stages[stage]


def by_slot(found: Iterable[Move]) -> dict[Slot, list[Move]]:
    """Return moves, given newest first, by stage and scope, oldest first."""
    lines: dict[Slot, list[Move]] = {}
    for move in found:
        lines.setdefault(slot_of(move), []).append(move)
    return {slot: line[::-1] for slot, line in lines.items()}


def with_view_before(chain: Chain) -> Iterator[tuple[OperationId, Operation, View]]:
    """Yield each operation of a log, newest first, with the view that it changed."""
    later: tuple[OperationId, Operation] | None = None
    for id, operation in chain:
        if later is not None:
            yield *later, operation.view
        later = (id, operation)
    if later is not None:
        yield *later, View()
