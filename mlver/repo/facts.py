"""The fact log: what is learned after a commit was made. Append-only, a set, never rewritten."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from mlver.index.facts import OF_TYPE, FactIndex, FactRow, Reader, micros, moment
from mlver.objects.encoding import Plain, dump_canonical, encode, load_plain, to_plain
from mlver.objects.ids import FactBatchId, FactId
from mlver.objects.state import Fact, FactBatch
from mlver.store.object_store import ObjectStore

_COMMON = {"metric", "alert", "action"}  # so many that all may as well be looked through
_BATCH = 20_000  # facts in one object: a few megabytes


class FactLog:
    """All facts reachable from one head of the log. Questions are answered by a table made from it."""

    def __init__(self, store: ObjectStore, head: FactBatchId | None, index: FactIndex | None = None) -> None:
        self.head = head
        self.index = index or FactIndex(None)
        self._store = store

    @property
    def roots(self) -> Mapping[bytes, Reader]:
        """The head as the table wants it."""
        return {bytes(self.head): self._read} if self.head else {}

    def _read(self, id: bytes) -> tuple[Sequence[bytes], Sequence[FactRow]]:
        batch = self._store.get_object(FactBatch, FactBatchId(id))
        plain = load_plain(self._store.get(FactBatchId(id))).get("facts", ())  # canonical, so it is that of `batch`
        return [bytes(parent) for parent in batch.parents], list(map(_row, batch.facts, plain))

    def __contains__(self, id: FactId) -> bool:
        return bool(self.head) and any(self.index.facts(self.roots, "id = :id", {"id": bytes(id)}))

    def items(
        self, *types: str, as_of: datetime | None = None, commit: str | None = None
    ) -> Iterator[tuple[FactId, Fact]]:
        """Yield (id, fact) of the given types (all if none is named), in the order they were recorded.

        `as_of` answers with what was known at that moment; `commit` (hex) keeps facts about one commit.
        """
        if self.head is None:
            return
        names = {f"t{n}": type for n, type in enumerate(types)}
        conditions = ["TRUE"]
        column = "type" if commit or _COMMON.intersection(types) else OF_TYPE
        conditions += [f"{column} IN ({', '.join(':' + name for name in names)})"] if names else []
        conditions += ["known <= :then"] if as_of else []
        conditions += ['"commit" = :commit'] if commit else []
        values = names | {"commit": commit, "then": micros(as_of) if as_of else None}
        for row in self.index.facts(self.roots, " AND ".join(conditions), values):
            assert row.id is not None
            yield FactId(row.id), row_fact(row)

    def of(self, *types: str, as_of: datetime | None = None, commit: str | None = None) -> Iterator[Fact]:
        """Yield the facts that `items` yields, without their ids."""
        return (fact for _, fact in self.items(*types, as_of=as_of, commit=commit))


def fact_id(fact: Fact) -> FactId:
    """Return the id of a fact: the same fact recorded twice is one fact."""
    return FactId.of(encode(fact))


def fact_row(fact: Fact) -> FactRow:
    """Return a fact as a row of the table."""
    return _row(fact, to_plain(fact))


def _row(fact: Fact, plain: Plain) -> FactRow:
    word, level = (fact.body.get(name) for name in ("outcome" if fact.type == "action" else "type", "severity"))
    return FactRow(
        id=bytes(FactId.of(dump_canonical(plain))),
        type=fact.type,
        at=micros(fact.at),
        known=micros(fact.known),
        by=fact.by,
        subject=dump_canonical(plain["subject"]).decode(),
        body=dump_canonical(plain["body"]).decode(),
        commit=fact.subject.get("commit"),
        alert=fact.subject.get("alert"),
        word=word if isinstance(word, str) else None,
        level=level if isinstance(level, str) else None,
    )


def row_fact(row: FactRow) -> Fact:
    """Return the fact in a row of the table."""
    return Fact(row.type, json.loads(row.subject), json.loads(row.body), moment(row.at), moment(row.known), row.by)


def batches(store: ObjectStore, head: FactBatchId | None) -> Iterator[FactBatch]:
    """Yield every batch of the log, newest first, each read from the store and verified; Damaged."""
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
    """Store batches that follow `head`, durably, and return the id of the last, the log's new head."""
    new = tuple(facts)
    with store.session() as session:
        for start in range(0, max(len(new), 1), _BATCH):
            head = session.put_object(FactBatch((head,) if head else (), new[start : start + _BATCH]))
        session.finish()
    assert head is not None
    return head
