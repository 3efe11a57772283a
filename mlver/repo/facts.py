"""The fact log: what is learned after a commit was made. Append-only, a set, never rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from mlver.objects.encoding import encode
from mlver.objects.ids import FactBatchId, FactId
from mlver.objects.state import Fact, FactBatch
from mlver.store.object_store import ObjectStore


class FactLog:
    """All facts reachable from one head of the log, in the order they were recorded."""

    def __init__(self, store: ObjectStore, head: FactBatchId | None) -> None:
        self.head = head
        self._facts: dict[FactId, Fact] = {}
        for batch in reversed(list(_batches(store, head))):
            for fact in batch.facts:
                self._facts.setdefault(fact_id(fact), fact)

    def __contains__(self, id: object) -> bool:
        return id in self._facts

    def __len__(self) -> int:
        return len(self._facts)

    def items(self, *types: str, as_of: datetime | None = None) -> Iterator[tuple[FactId, Fact]]:
        """Yield (id, fact) of the given types (all if none is named), as known at the moment `as_of`."""
        for id, fact in self._facts.items():
            if (not types or fact.type in types) and (as_of is None or fact.known <= as_of):
                yield id, fact

    def of(self, *types: str, as_of: datetime | None = None) -> Iterator[Fact]:
        """Yield the facts of the given types, oldest record first."""
        return (fact for _, fact in self.items(*types, as_of=as_of))


def fact_id(fact: Fact) -> FactId:
    """Return the id of a fact: the same fact recorded twice is one fact."""
    return FactId.of(encode(fact))


def _batches(store: ObjectStore, head: FactBatchId | None) -> Iterator[FactBatch]:
    pending, seen = [head] if head else [], set()
    while pending:
        id = pending.pop()
        if id in seen:
            continue
        seen.add(id)
        batch = store.get_object(FactBatch, id)
        yield batch
        pending.extend(batch.parents)


def append_facts(store: ObjectStore, head: FactBatchId | None, facts: Iterable[Fact]) -> FactBatchId:
    """Store a batch that follows `head`, durably, and return its id, the log's new head."""
    with store.session() as session:
        id = session.put_object(FactBatch(parents=(head,) if head else (), facts=tuple(facts)))
        session.finish()
    assert isinstance(id, FactBatchId)
    return id
