"""Transactions: the only way the state changes. One change, one operation, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from mlver.errors import Collected, Conflict, Damaged, LocalIO, OutcomeUnknown
from mlver.objects.ids import OperationId
from mlver.objects.state import Fact, Move, Operation, View
from mlver.repo.facts import append_facts
from mlver.repo.generation import collection_of
from mlver.repo.head import Head, read_head, swap_head
from mlver.repo.whole import missing_in
from mlver.store.object_store import ObjectStore

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_T = TypeVar("_T")
_ATTEMPTS = 200
_DONE_AGAIN = 20
_GONE = 3  # attempts after which what gc removed will not come back by itself


def transact(
    repo: Repository,
    command: str,
    change: Callable[[View], View],
    *,
    reason: str | None = None,
    undoes: OperationId | None = None,
) -> Head:
    """Apply `change` to the newest view and record it as one operation; return the new head.

    `change` is called again on the newer view when somebody else was faster, so it must check
    there what it relies on and raise Conflict if that no longer holds. A change that leaves the
    view as it is records nothing.
    """

    def build(head: Head) -> Operation | None:
        view = change(head.operation.view)
        if view == head.operation.view and undoes is None:
            return None
        return next_operation(repo, head, command, view, reason=reason, undoes=undoes)

    repo.state = record(repo.store, build)
    return repo.state


def next_operation(
    repo: Repository,
    head: Head,
    command: str,
    view: View,
    *,
    reason: str | None = None,
    undoes: OperationId | None = None,
    joined: tuple[Move, ...] = (),
) -> Operation:
    """Return the operation that follows `head`, done by the actor of `repo`, now."""
    return Operation(
        number=head.operation.number + 1,
        parent=head.id,
        time=repo.now(),
        actor=repo.actor,
        command=command,
        view=view,
        reason=reason,
        undoes=undoes,
        joined=joined,
        collected=collection_of(head),
    )


def record(store: ObjectStore, build: Callable[[Head], Operation | None]) -> Head:
    """Record the operation that `build` makes of the newest head (None: nothing is to be done); return the head.

    `build` is called again on the newer head when somebody else was faster, and when gc removed what it names.
    Conflict when that never ends, Collected when what it names is gone and `build` does not store it again.
    """
    storage, gone = store.storage, 0
    for _ in range(_ATTEMPTS):
        head = read_head(storage)
        operation = build(head)
        if operation is None:
            storage.confirm("")  # whoever did it may have died before it was durable
            return head
        if lost := missing_in(store, head, operation):
            gone += 1
            if gone == _GONE:
                raise Collected(f"gc has removed {lost}", hint="mlver gc --restore, while the trash has it")
            continue
        if made := swap_head(storage, head, operation):
            with recorded():
                return read_head(storage) if head.recovered else _after(head, *made)
    raise Conflict("the repository's state keeps changing", hint="try again in a moment")


def again(act: Callable[[], _T]) -> _T:
    """Return what `act` does, done anew each time gc removed meanwhile what it relied on; Collected in the end."""
    for _ in range(_DONE_AGAIN):
        try:
            return act()
        except Collected:
            continue
    return act()


@contextmanager
def recorded() -> Iterator[None]:
    """Hold what follows a change that is recorded: when it fails, the change has not, so it raises OutcomeUnknown."""
    try:
        yield
    except OSError as error:
        raise OutcomeUnknown(f"recorded; but then: {error.strerror or error}", hint="mlver status") from error
    except (LocalIO, Damaged, Conflict) as error:
        raise OutcomeUnknown(f"recorded; but then: {error.message}", hint="mlver status") from error


def _after(head: Head, id: OperationId, operation: Operation) -> Head:
    from mlver.repo.head import slot_bytes

    slots = list(head.slots)
    slots[operation.number % 2] = slot_bytes(operation.number, id)
    return Head(id, operation, (slots[0], slots[1]))


def record_facts(repo: Repository, command: str, facts: list[Fact], *, reason: str | None = None) -> None:
    """Append facts to the log as one operation. Facts that are known already are not recorded again."""
    from dataclasses import replace

    from mlver.repo.facts import FactLog, fact_id

    def change(view: View) -> View:
        known = FactLog(repo.store, view.facts, repo.fact_index)
        fresh = [fact for fact in facts if fact_id(fact) not in known]
        return replace(view, facts=append_facts(repo.store, view.facts, fresh)) if fresh else view

    transact(repo, command, change, reason=reason)
