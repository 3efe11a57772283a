"""What gc keeps: everything that some root leads to, with the way that leads there."""

from __future__ import annotations

from collections.abc import Iterable

from mlver.errors import Damaged, Redacted
from mlver.objects.commit import Commit, Derivation
from mlver.objects.ids import ID_TYPES, BlobId, CommitId, DerivationId, ObjectId, TreeId
from mlver.objects.tree import Tree
from mlver.repo.whole import children
from mlver.store.frames import LIST, NAMES, TYPES, type_of
from mlver.store.object_store import ObjectStore
from mlver.store.pack import Row

_BLOB, _LIST = TYPES["blob"], TYPES[LIST]


class Marks:
    """Objects that are needed. `live` has them as packs do: type and id, with the chunks of large blobs."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.live: set[tuple[int, bytes]] = set()
        self.came: dict[ObjectId, tuple[ObjectId | None, str]] = {}  # who leads here, or the name of a root

    def add(self, id: ObjectId, name: str) -> None:
        """Keep what the root `name` names, and all below; Damaged when any of it is missing."""
        self._walk([(id, None, name)])

    def add_stored(self, id: ObjectId, name: str) -> bool:
        """Keep an object and what is there of what it names; whether it was there and not kept yet.

        Damaged when anything is there and cannot be read: what it names cannot be told.
        """
        if id in self.came or not self._store.has(id):
            return False
        self._walk([(id, None, name)], missing=True)
        return True

    def keep_below(self, rows: Iterable[Row]) -> bool:
        """Keep objects that stay in their packs whoever needs them, and what they name; whether any were new."""
        before = len(self.live)
        for row in rows:
            if row.type == _LIST:
                self._walk([(BlobId(row.id), None, "")], missing=True, damaged=True)
            else:
                self._walk([(ID_TYPES[NAMES[row.type]](row.id), None, "")], missing=True, damaged=True)
            self.live.add((row.type, row.id))
        return len(self.live) > before

    def way(self, id: ObjectId) -> list[tuple[ObjectId, str]]:
        """Return the way from a root to `id`: each object with its path, the first with the name of the root."""
        found: list[tuple[ObjectId, str]] = []
        at: ObjectId | None = id
        while at is not None:
            before, label = self.came[at]
            found.append((at, label))
            at = before
        return found[::-1]

    def _walk(
        self, pending: list[tuple[ObjectId, ObjectId | None, str]], *, missing: bool = False, damaged: bool = False
    ) -> None:
        """Keep what is pending and all below; `missing` and `damaged` say what is passed over."""
        while pending:
            id, parent, label = pending.pop()
            if id in self.came:
                continue
            try:
                below = self._below(id)
            except Damaged:
                if damaged if self._store.has(id) else missing:
                    continue
                raise
            self.came[id] = (parent, label)
            pending += [(child, id, name) for child, name in below]

    def _below(self, id: ObjectId) -> list[tuple[ObjectId, str]]:
        """Keep one object; return what it names, each with the name it has there."""
        if isinstance(id, BlobId):
            try:
                chunks = self._store.chunks(id)
            except Redacted:
                return []  # there is nothing to keep
            if len(chunks) > 1 or chunks[0][0] != id:
                self.live.add((_LIST, id))
            self.live |= {(_BLOB, chunk) for chunk, _ in chunks}
            return []
        below = _named(self._store, id)
        self.live.add((type_of(id), id))
        return below


def _named(store: ObjectStore, id: ObjectId) -> list[tuple[ObjectId, str]]:
    if isinstance(id, TreeId):
        return [(entry.id, entry.name) for entry in store.get_object(Tree, id).entries]
    names: dict[ObjectId, str] = {}
    if isinstance(id, CommitId):
        commit = store.get_object(Commit, id)
        names = {made: f"how {path} was made" for path, made in commit.derivations.items()}
    found = [(child, names.get(child, "")) for child in children(store, id)]
    if isinstance(id, DerivationId):  # what it was made from, where that was ever committed
        inputs = store.get_object(Derivation, id).inputs
        found += [(used.id, used.path) for used in inputs if store.has(used.id)]
    return found
