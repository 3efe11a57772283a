"""What hangs on a commit or on the fact log, and has to go along when these are sent somewhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from mlver.errors import Damaged
from mlver.objects.commit import Commit, GitState
from mlver.objects.ids import BlobId, CommitId, DerivationId, FactBatchId, TreeId
from mlver.objects.state import FactBatch
from mlver.objects.tree import Entry
from mlver.repo.recorded import check_named, read_derivation
from mlver.repo.redaction_facts import tombstone_in
from mlver.repo.snapshot import read_tree
from mlver.store.frames import TYPES
from mlver.store.object_store import ObjectStore

if TYPE_CHECKING:
    from mlver.repo.repository import Repository
    from mlver.store.transfer import Transfer

_MISSES = 64  # commits looked at before it pays to know all that are complete


class Shipment:
    """Asks a transfer for commits and facts with all they need. `commits`, `facts` and `kinds` count what is new.

    `kinds` maps the kind of an artifact to (files, bytes), `facts` the type of a fact to a number.
    """

    def __init__(self, transfer: Transfer) -> None:
        self._transfer = transfer
        self._source = transfer.source
        self._trees: set[TreeId] = set()
        self._blobs: set[BlobId] = set()
        self._facts: set[FactBatchId] = set()
        self.commits: list[CommitId] = []
        self.facts: Counter[str] = Counter()
        self.kinds: dict[str, tuple[int, int]] = {}

    def add_commits(
        self, heads: Iterable[CommitId], complete: Container[CommitId], known_facts: Container[bytes]
    ) -> None:
        """Ask for commits and all before them, but for those in `complete`: the target has these with all they need.

        Facts that they pin are asked for but for `known_facts`. Raises Damaged, naming what is not as it should be.
        """
        for id in self._parents_first([id for id in dict.fromkeys(heads) if id not in complete], complete):
            commit = self._source.get_object(Commit, id)
            self._add_commit(id, commit)
            if commit.facts is not None:
                self.add_facts(commit.facts, known_facts)

    def _parents_first(self, heads: Sequence[CommitId], complete: Container[CommitId]) -> Iterator[CommitId]:
        """Yield commits, each behind its parents.

        Of a tree only what differs from the parent's is asked for. Where a commit brings back what an earlier one
        had, each would else be taken for the one that sends it.
        """
        pending, seen, done = list(heads), set[CommitId](), set[CommitId]()
        while pending:
            id = pending.pop()
            if id in seen:
                if id not in done:
                    done.add(id)
                    yield id
                continue
            seen.add(id)
            pending.append(id)  # again, behind its parents
            parents = self._source.get_object(Commit, id).parents
            pending += [parent for parent in parents if parent not in complete and parent not in seen]

    def add_facts(self, head: FactBatchId, known: Container[bytes]) -> None:
        """Ask for a fact log, but for the batches `known` to be there with all before them."""
        pending = [head]
        while pending:
            id = pending.pop()
            if id in self._facts or id in known:
                continue
            self._facts.add(id)
            batch = self._source.get_object(FactBatch, id)
            if self._transfer.add(id):
                self.facts.update(fact.type for fact in batch.facts)
                self._add_replacements(batch)
            pending += batch.parents

    def _add_replacements(self, batch: FactBatch) -> None:
        """Ask for what is read in the place of redacted tables: commits that are there already need it too."""
        for fact in batch.facts:
            tombstone = tombstone_in(fact)
            if tombstone is not None and (id := tombstone.replacement) is not None and not self._is_redacted(id):
                self._transfer.add_blob(id)

    def _is_redacted(self, id: BlobId) -> bool:
        """Whether a blob is gone on one of the sides: then it does not move to the other."""
        return self._source.redacted(id) is not None or self._transfer.target.redacted(id) is not None

    def add_derivation(self, id: DerivationId) -> None:
        """Ask for a derivation with its environment and patch."""
        if self._transfer.add(id):
            derivation = read_derivation(self._source, id)
            if derivation.environment is not None:
                self._transfer.add(derivation.environment)
            self._add_patch(derivation.git)

    def _add_commit(self, id: CommitId, commit: Commit) -> None:
        if self._transfer.add(id):
            self.commits.append(id)
        if commit.environment is not None:
            self._transfer.add(commit.environment)
        self._add_patch(commit.git)
        check_named(id, commit)
        for derivation in commit.derivations.values():
            self.add_derivation(derivation)
        before = self._source.get_object(Commit, commit.parents[0]).tree if commit.parents else None
        self._add_tree(before, commit.tree)

    def _add_patch(self, git: GitState | None) -> None:
        if git is not None and git.patch is not None and not self._is_redacted(git.patch):
            self._transfer.add_blob(git.patch)

    def _add_tree(self, before: TreeId | None, tree: TreeId) -> None:
        """Ask for what a folder holds that the one before does not: the target has that one, or is sent it too."""
        pending: list[tuple[TreeId | None, TreeId]] = [(before, tree)]
        while pending:
            old, new = pending.pop()
            if new == old or new in self._trees:
                continue
            self._trees.add(new)
            self._transfer.add(new)
            known = {entry.name: entry for entry in read_tree(self._source, old).entries} if old else {}
            for entry in read_tree(self._source, new).entries:
                was = known.get(entry.name)
                if isinstance(entry.id, TreeId):
                    below = was.id if was is not None and isinstance(was.id, TreeId) else None
                    pending.append((below, entry.id))
                elif was is None or was.id != entry.id:
                    self._add_file(entry, new)

    def _add_file(self, entry: Entry, tree: TreeId) -> None:
        blob = BlobId(entry.id)
        if blob in self._blobs:
            return
        self._blobs.add(blob)
        if self._is_redacted(blob):
            return
        length, new = self._transfer.add_blob(blob)
        if length != entry.size:
            raise Damaged(f"tree {tree} says a wrong size of {entry.name[:80]!r}", hint="mlver fsck")
        if new:
            files, bytes_ = self.kinds.get(entry.kind, (0, 0))
            self.kinds[entry.kind] = (files + 1, bytes_ + entry.size)


def fact_reach(repo: Repository, head: FactBatchId | None) -> set[bytes]:
    """Return the ids of all batches of the log `head`, which this repository must hold."""
    from mlver.repo.facts import FactLog

    if head is None:
        return set()
    log = FactLog(repo.store, head, repo.fact_index)
    return repo.fact_index.batches(log.roots)


def meeting_facts(
    store: ObjectStore, head: FactBatchId | None, known: Container[bytes]
) -> tuple[set[bytes], set[FactBatchId]]:
    """Walk a log in another store back to batches that are `known` here.

    Return the batches that are not, and the first of those that are.
    """
    new: set[bytes] = set()
    met: set[FactBatchId] = set()
    pending = [head] if head is not None else []
    while pending:
        id = pending.pop()
        if id in known:
            met.add(id)
        elif id not in new:
            new.add(id)
            pending += store.get_object(FactBatch, id).parents
    return new, met


def meeting_commits(there: ObjectStore, heads: Iterable[CommitId], here: ObjectStore) -> set[CommitId]:
    """Walk commits of another store back to those that are here too; return the first of these."""
    met: set[CommitId] = set()
    pending, seen = list(heads), set[CommitId]()
    while pending:
        id = pending.pop()
        if id in seen:
            continue
        seen.add(id)
        if has_commit(here, id):
            met.add(id)
        else:
            pending += there.get_object(Commit, id).parents
    return met


def has_commit(store: ObjectStore, id: CommitId) -> bool:
    """Whether a commit itself is stored; what hangs on it may be missing."""
    return store.locate(TYPES[id.type_name], id) is not None


class Before:
    """Some commits and all before them, as far as they are stored. Worked out only when many are asked for."""

    def __init__(self, store: ObjectStore, heads: Iterable[CommitId]) -> None:
        self._store, self._heads = store, set(heads)
        self._misses = 0
        self._all: set[CommitId] | None = None

    def __contains__(self, id: object) -> bool:
        if id in self._heads:
            return True
        self._misses += 1
        if self._all is None and self._misses > _MISSES:
            self._all = self._walk()
        return self._all is not None and id in self._all

    def _walk(self) -> set[CommitId]:
        found: set[CommitId] = set()
        pending = list(self._heads)
        while pending:
            id = pending.pop()
            if id not in found and has_commit(self._store, id):
                found.add(id)
                pending += self._store.get_object(Commit, id).parents
        return found


def is_before(id: CommitId, other: CommitId, *stores: ObjectStore) -> bool:
    """Whether `other` leads back to the commit `id`; commits are read from whichever store has them."""
    pending, seen = [other], set[CommitId]()
    while pending:
        at = pending.pop()
        if at == id:
            return True
        if at not in seen:
            seen.add(at)
            pending += _commit(at, stores).parents
    return False


def _commit(id: CommitId, stores: Iterable[ObjectStore]) -> Commit:
    for store in stores:
        if has_commit(store, id):
            return store.get_object(Commit, id)
    raise Damaged(f"missing commit {id}", hint="mlver fsck")
