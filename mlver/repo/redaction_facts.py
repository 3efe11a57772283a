"""Redactions in the fact log.

A fact of type `redaction` has the subject `{path}` and the body

    blob         id of the blob whose bytes were removed
    paths        where it stood (at most 20)
    kind, size   what it was, and how many bytes
    why          the reason
    replacement  of rows: id of the blob that is read in its place; absent where nothing is
    length       of that blob, in bytes
    rows         how many rows went

`by` and `known` of the fact say who and when. What the rows were, or by which condition they were found, is not
recorded: it would say again what had to be forgotten. docs/design/redaction.md says why facts.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from blake3 import blake3

from mlver.errors import Conflict, Damaged, LocalIO, MlverError, OutcomeUnknown, Redacted, UsageError
from mlver.objects.encoding import Plain
from mlver.objects.ids import BlobId, FactBatchId, OperationId
from mlver.objects.redaction import Tombstone
from mlver.objects.state import Fact, FactBatch, Operation, View
from mlver.store.object_store import ObjectStore
from mlver.store.stand_in import last

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

REDACTION = "redaction"
_PATHS = 20


def redaction_fact(tombstone: Tombstone) -> Fact:
    """Return a tombstone as a fact."""
    body: dict[str, Plain] = {
        "blob": tombstone.blob.hex(),
        "paths": list(tombstone.paths[:_PATHS]),
        "kind": tombstone.kind,
        "size": tombstone.size,
        "why": tombstone.why,
    }
    if tombstone.replacement is not None:
        body |= {"replacement": tombstone.replacement.hex(), "length": tombstone.length, "rows": tombstone.rows}
    subject = {"path": tombstone.paths[0]} if tombstone.paths else {}
    return Fact(REDACTION, subject, body, tombstone.at, tombstone.at, tombstone.by)


def tombstone_in(fact: Fact) -> Tombstone | None:
    """Return the tombstone in a fact; None for a fact that is none, or has not its form."""
    if fact.type != REDACTION:
        return None
    body = fact.body
    try:
        paths, kind, why = body.get("paths"), body.get("kind"), body.get("why")
        numbers = [body.get(name, 0) for name in ("size", "length", "rows")]
        texts = isinstance(paths, list) and all(isinstance(path, str) for path in paths)
        if not texts or not all(type(one) is int and one >= 0 for one in numbers):
            return None
        replacement = body.get("replacement")
        size, length, rows = numbers
        return Tombstone(
            blob=BlobId.parse(str(body.get("blob"))),
            paths=tuple(paths),  # type: ignore[arg-type]
            kind=str(kind),
            size=size,
            by=fact.by,
            at=fact.known,
            why=str(why),
            replacement=None if replacement is None else BlobId.parse(str(replacement)),
            length=length,
            rows=rows,
        )
    except UsageError:  # an id that is none
        return None


def put_together(tombstones: Iterable[Tombstone]) -> dict[BlobId, Tombstone]:
    """Return tombstones by blob. What is gone for one of them is gone.

    Where two say that different blobs stand in for one, as after redactions in two clones, each of these still has
    the rows that the other is without: none of them is read.
    """
    found: dict[BlobId, Tombstone] = {}
    for new in tombstones:
        old = found.get(new.blob)
        if old is None or (old.replacement is not None and new.replacement is None):
            found[new.blob] = new
        elif old.replacement is not None and old.replacement != new.replacement:
            found[new.blob] = _neither(old, new)
    return found


def tombstones_in(facts: Iterable[Fact]) -> list[Tombstone]:
    """Return the tombstones among facts."""
    return [found for fact in facts if (found := tombstone_in(fact)) is not None]


def _neither(one: Tombstone, other: Tombstone) -> Tombstone:
    first, second = sorted((one, other), key=lambda tombstone: tombstone.at)
    return replace(second, replacement=None, why=f"{first.why}; and in another clone: {second.why}")


def tombstones_at(
    store: ObjectStore, head: FactBatchId | None, known: Container[bytes] = frozenset()
) -> list[Tombstone]:
    """Return the tombstones of a fact log, as far as it can be read, without any table made of it.

    Batches that are `known`, and all before them, are passed over.
    """
    pending, seen, batches = [head] if head is not None else [], set[FactBatchId](), list[FactBatch]()
    while pending:
        id = pending.pop()
        if id in seen or id in known:
            continue
        seen.add(id)
        try:
            batch = store.get_object(FactBatch, id)
        except MlverError:  # fsck says so; what else was redacted must stay so all the same
            continue
        batches.append(batch)
        pending.extend(batch.parents)
    return tombstones_in(fact for batch in batches for fact in batch.facts)


def tombstones_of(repo: Repository, head: FactBatchId | None) -> dict[BlobId, Tombstone]:
    """Return the tombstones of a fact log of `repo`, from the table where there is a sound one."""
    from mlver.repo.facts import FactLog

    if head is None:
        return {}
    try:
        return put_together(tombstones_in(FactLog(repo.store, head, repo.fact_index).of(REDACTION)))
    except Damaged:
        return put_together(tombstones_at(repo.store, head))


def notices(repo: Repository, blobs: Iterable[tuple[str, BlobId]], *, whole: bool = True) -> tuple[str, ...]:
    """Return what people are told of artifacts of which something was redacted, a line each.

    What stands in for a table says how many rows it is without; of what is gone as a whole that is said if `whole`.
    """
    gone = repo.redactions()
    if not gone:
        return ()
    said: dict[str, None] = {}
    told: dict[BlobId, list[Tombstone]] = {}
    for tombstone in gone.values():
        if (found := last(gone, tombstone.blob)) is not None:
            told.setdefault(found[0], []).append(tombstone)
    for path, blob in blobs:
        own = [gone[blob]] if whole and blob in gone else []
        said |= {f"{path}: {one.words}": None for one in (*told.get(blob, ()), *own)}
    return tuple(said)


def end_cut_short(repo: Repository) -> None:
    """End what a redaction that was killed has left to be removed, unless somebody is at it, or the disk refuses."""
    from mlver.repo.condemning import alone
    from mlver.repo.erasing import settle_erasures, unfinished

    if unfinished(repo):
        with suppress(Conflict, LocalIO, OutcomeUnknown), alone(repo):  # fsck says that it is not done
            settle_erasures(repo)


def refuse_redacted(repo: Repository, files: Mapping[str, BlobId]) -> None:
    """Raise Redacted, naming the file, when one of some files of the work tree is what was redacted."""
    gone = repo.redactions()
    for path, id in files.items() if gone else ():
        if (tombstone := gone.get(id)) is not None:
            left = f"mlver restore {path} has what is left of it" if tombstone.replacement is not None else "remove it"
            raise Redacted(f"{path} holds what was {tombstone.words}", hint=f"{left}, or list it in .mlverignore")


class Known:
    """The redactions of one repository, looked up again when its fact log has moved on."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._head: FactBatchId | None = None
        self._found: dict[BlobId, Tombstone] = {}

    @property
    def mark(self) -> str:
        """A text that is another one when other things are redacted; empty when nothing is."""
        return _mark(self())

    def forget(self) -> None:
        """Look it up again when it is asked for."""
        self._head = None

    def __call__(self, newest: bool = False) -> dict[BlobId, Tombstone]:
        """Return what is redacted as of the view that was read last, or as of the newest."""
        from mlver.repo.head import read_head

        head = read_head(self._repo.storage).operation.view.facts if newest else self._repo.view.facts
        if head != self._head:
            found = tombstones_of(self._repo, head)
            if found != self._found:
                self._repo.forget_snapshots()
                self._repo.derived.since = _mark(found)  # answers from before may hold what is gone
            self._head, self._found = head, found
        return self._found


def _mark(found: Mapping[BlobId, Tombstone]) -> str:
    pairs = sorted((id.hex(), str(tombstone.replacement)) for id, tombstone in found.items())
    return blake3(repr(pairs).encode()).hexdigest() if pairs else ""


def redactions_of(repo: Repository, operation: Operation) -> set[BlobId]:
    """Return what an operation redacted that was not before it."""
    if operation.parent is None or operation.condemned is None:
        return set()
    before = repo.operation(operation.parent).view.facts
    if operation.view.facts == before:
        return set()
    return tombstones_of(repo, operation.view.facts).keys() - tombstones_of(repo, before).keys()


def recorded_in(repo: Repository) -> dict[BlobId, OperationId]:
    """Return the operation here that recorded each redaction, as far as one here did."""
    found: dict[BlobId, OperationId] = {}
    for id, operation in repo.operations():
        if operation.condemned is not None and operation.command.startswith("redact "):
            found |= dict.fromkeys(redactions_of(repo, operation), id)
    return found


def with_redactions(repo: Repository, view: View, newest: View) -> View:
    """Return an older view with the redactions of the newest: the bytes are gone, whatever is taken back."""
    from mlver.repo.facts import FactLog, append_facts

    if newest.facts is None or newest.facts == view.facts:
        return view
    old = FactLog(repo.store, view.facts, repo.fact_index)
    known = {id for id, _ in old.items(REDACTION)}
    lost = [fact for id, fact in FactLog(repo.store, newest.facts, repo.fact_index).items(REDACTION) if id not in known]
    return replace(view, facts=append_facts(repo.store, view.facts, lost)) if lost else view
