"""Whether all is there that an operation is about to name: the check of every writer once gc has ever run.

What the newest view leads to is whole, and gc keeps it whole. So only what is named anew is walked, back to
what was named already. Packs that gc has condemned count as gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from mlver.errors import Damaged
from mlver.objects.commit import Commit, GitState
from mlver.objects.ids import BlobId, CommitId, DerivationId, FactBatchId, ObjectId, TreeId
from mlver.objects.state import FactBatch, Operation, View
from mlver.objects.tree import Tree
from mlver.repo.generation import collection_of
from mlver.repo.head import Head
from mlver.repo.history import view_heads
from mlver.repo.reach import Before
from mlver.repo.recorded import check_named, read_derivation
from mlver.repo.redaction_facts import put_together, tombstones_at
from mlver.store.object_store import ObjectStore


def missing_in(store: ObjectStore, head: Head, operation: Operation) -> str | None:
    """Return what is named anew by `operation`, which follows `head`, and is not there; None when all is.

    The answer is for people (`commit 3fa2…`). Nothing is looked at in a repository where gc never ran.
    """
    if collection_of(head) is None:
        return None
    known = set(named(head.operation.view))
    new = [id for id in named(operation.view) if id not in known]
    new += [move.live.commit for move in operation.joined if move.live is not None]
    if not new:
        return None
    store.renew()
    store.index.refresh()
    return _Walk(store, known, head.operation.view, operation.view).first_missing(new)


def named(view: View) -> list[ObjectId]:
    """Return every object that a view names itself."""
    found: list[ObjectId] = [*view_heads(view), *view.pending.values()]
    if view.facts is not None:
        found.append(view.facts)
    if (merging := view.merging) is not None:
        found += [merging.ours, *merging.parents]
        found += [blob for blob in merging.files.values() if blob is not None]
    return found


class _Walk:
    """A walk over what is new, that stops at what was named before."""

    def __init__(self, store: ObjectStore, known: set[ObjectId], before: View, after: View) -> None:
        self._store = store
        self._known = known
        self._facts = before.facts, after.facts
        self._before = Before(store, (id for id in known if isinstance(id, CommitId)))
        self._seen: set[ObjectId] = set(known)

    def first_missing(self, new: Iterable[ObjectId]) -> str | None:
        pending = list(new)
        while pending:
            id = pending.pop()
            if id in self._seen:
                continue
            self._seen.add(id)
            if isinstance(id, CommitId) and id in self._before:
                continue
            if not self._store.has(id, deep=True):
                if isinstance(id, BlobId) and id in self._redacted:
                    pending += filter(None, [self._redacted[id]])
                    continue
                return f"{id.type_name} {id.short}"
            try:
                pending += self._below(id)
            except Damaged as error:
                return error.message
        return None

    @cached_property
    def _redacted(self) -> dict[BlobId, BlobId | None]:
        """What the facts that come with the operation say is gone, and what is read in its place."""
        before, after = self._facts
        new = tombstones_at(self._store, after, {before} if before is not None else frozenset())
        return {id: one.replacement for id, one in put_together(new).items()}

    def _below(self, id: ObjectId) -> list[ObjectId]:
        if isinstance(id, CommitId):
            commit = self._store.get_object(Commit, id)
            if commit.parents and commit.parents[0] in self._known:  # which has whole what it has
                before = self._store.get_object(Commit, commit.parents[0])
                self._pass_over(before.tree, commit.tree)
        return children(self._store, id)

    def _pass_over(self, old: TreeId, new: TreeId) -> None:
        """Leave out the folders and files that the parent has in the same place."""
        if old == new:
            self._seen.add(old)
            return
        before = {entry.name: entry for entry in self._store.get_object(Tree, old).entries}
        for entry in self._store.get_object(Tree, new).entries:
            was = before.get(entry.name)
            if was is None:
                continue
            if was.id == entry.id:
                self._seen.add(entry.id)
            elif isinstance(was.id, TreeId) and isinstance(entry.id, TreeId):
                self._pass_over(was.id, entry.id)


def children(store: ObjectStore, id: ObjectId) -> list[ObjectId]:
    """Return what an object names and cannot be without; Damaged when it is missing itself."""
    if isinstance(id, CommitId):
        commit = store.get_object(Commit, id)
        check_named(id, commit)
        return _of_commit(commit)
    if isinstance(id, TreeId):
        return [entry.id for entry in store.get_object(Tree, id).entries]
    if isinstance(id, DerivationId):
        derivation = read_derivation(store, id)
        made_in = [derivation.environment] if derivation.environment is not None else []
        return [*made_in, *_patch(derivation.git)]
    if isinstance(id, FactBatchId):
        return [*store.get_object(FactBatch, id).parents]
    return []


def _of_commit(commit: Commit) -> list[ObjectId]:
    found: list[ObjectId] = [*commit.parents, commit.tree, *commit.derivations.values(), *_patch(commit.git)]
    found += [id for id in (commit.environment, commit.facts) if id is not None]
    return found


def _patch(git: GitState | None) -> list[BlobId]:
    return [git.patch] if git is not None and git.patch is not None else []
