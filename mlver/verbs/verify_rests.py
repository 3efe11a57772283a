"""What signatures rest on, read and hashed anew: commits and all before them, their files, the fact log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from mlver.errors import Damaged, LocalIO, Redacted
from mlver.frozen import frozen
from mlver.objects.commit import Commit, Derivation, Environment
from mlver.objects.encoding import decode
from mlver.objects.ids import BlobId, CommitId, FactBatchId, ObjectId, TreeId
from mlver.objects.redaction import Tombstone
from mlver.objects.state import Fact, FactBatch
from mlver.objects.tree import Tree
from mlver.repo.repository import Repository
from mlver.store.stand_in import last
from mlver.verbs.common import Progress

_T = TypeVar("_T")


@frozen
class Wrong:
    """One thing that is missing or not what its id says: its name, what is wrong with it, and what that hurts."""

    what: str
    detail: str
    hurts: tuple[str, ...] = ()


class Rests:
    """Reads what signatures rest on. `commits` are those that could be read, `wrong` names what could not.

    Nothing comes from a cache: every object is read from its pack and hashed, once.
    """

    def __init__(self, repo: Repository, progress: Progress | None) -> None:
        self._repo, self._progress = repo, progress
        self.commits: dict[CommitId, Commit] = {}
        self.wrong: dict[str, Wrong] = {}
        self.objects = self.bytes = 0
        self.redacted: dict[BlobId, Wrong] = {}  # gone on purpose since, and what that concerns
        self._read: dict[ObjectId, object] = {}
        self._blobs: dict[BlobId, tuple[int, list[str]]] = {}

    def note(self, what: str, detail: str, hurts: str) -> None:
        """Take down one thing that is wrong, and what it hurts."""
        known = self.wrong.get(what)
        told = known.hurts if known else ()
        self.wrong[what] = Wrong(what, detail, told if hurts in told else (*told, hurts))

    def history(self, heads: Iterable[CommitId], content: Mapping[CommitId, str] | None) -> None:
        """Read commits and all before them; of those that `content` names (None: of all), also what they hold."""
        pending, seen = [(id, "") for id in heads], set[CommitId]()
        while pending:
            id, child = pending.pop()
            if id in seen:
                continue
            seen.add(id)
            name = (content or {}).get(id, id.short)
            commit = self._load(Commit, id, f"the history of {child}" if child else name)
            if commit is None:
                continue
            self.commits[id] = commit
            pending += [(parent, id.short) for parent in commit.parents]
            if content is None or id in content:
                self._content(commit, name)

    def facts(self, head: FactBatchId | None) -> list[Fact]:
        """Return the facts of the log, as far as it can be read, oldest first."""
        pending, seen, found = [head] if head else [], set[FactBatchId](), list[FactBatch]()
        while pending:
            id = pending.pop()
            if id in seen:
                continue
            seen.add(id)
            batch = self._load(FactBatch, id, "the fact log: signatures, metrics, alerts, notes")
            if batch is not None:
                found.append(batch)
                pending.extend(batch.parents)
        return [fact for batch in reversed(found) for fact in batch.facts]

    def read_blobs(self, tombstones: Mapping[BlobId, Tombstone]) -> None:
        """Read every file that was named so far, and hash it; of what is redacted, what is read in its place.

        Only what the fact log itself says is redacted is: a cache that says so does not count.
        """
        total, done = sum(size for size, _ in self._blobs.values()), 0
        for id, (size, hurts) in self._blobs.items():
            length = 0
            if (tombstone := tombstones.get(id)) is not None:
                self.redacted[id] = Wrong(f"blob {id}", f"{tombstone.words}", tuple(hurts))
                left = last(tombstones, id)
                if left is None or (left[0] in tombstones and left[0] != id):
                    continue
                size = left[1]

            def count(piece: bytes) -> None:
                nonlocal length
                length += len(piece)

            try:
                self._repo.store.copy_blob(id, count)
            except (Damaged, LocalIO, Redacted) as error:
                for one in hurts:
                    self.note(f"blob {id}", error.message, one)
                continue
            self.objects, self.bytes, done = self.objects + 1, self.bytes + length, done + length
            if length != size:
                self.note(f"blob {id}", f"has {length} bytes, not {size}", hurts[0])
            if self._progress is not None:
                self._progress(done, max(total, done), hurts[0])
        self._blobs.clear()

    def _content(self, commit: Commit, name: str) -> None:
        self._tree(commit.tree, name, "")
        if commit.environment:
            self._load(Environment, commit.environment, f"{name}: environment")
        if commit.git and commit.git.patch:
            self._blob(commit.git.patch, None, f"{name}: git patch")
        for path, id in commit.derivations.items():
            made = self._load(Derivation, id, f"{name}: lineage of {path}")
            if made is not None and made.environment:
                self._load(Environment, made.environment, f"{name}: lineage of {path}")
        self.facts(commit.facts)

    def _tree(self, id: TreeId, name: str, prefix: str) -> None:
        tree = self._load(Tree, id, f"{name}: {prefix}" if prefix else name)
        for entry in tree.entries if tree is not None else ():
            path = f"{prefix}{entry.name}"
            if isinstance(entry.id, TreeId):
                self._tree(entry.id, name, f"{path}/")
            else:
                self._blob(entry.id, entry.size, f"{name}: {path}")

    def _blob(self, id: BlobId, size: int | None, hurts: str) -> None:
        known = self._blobs.get(id)
        if known is None:
            length = size if size is not None else self._length(id)
            self._blobs[id] = (length, [hurts])
        elif hurts not in known[1]:
            known[1].append(hurts)

    def _length(self, id: BlobId) -> int:
        try:
            return self._repo.store.blob_size(id)
        except (Damaged, Redacted):
            return 0  # reading it says so

    def _load(self, cls: type[_T], id: ObjectId, hurts: str) -> _T | None:
        """Return an object that was read now; None, and a note, when it is missing or not what its id says."""
        if id not in self._read:
            try:
                data = self._repo.store.get(id)
                self._read[id] = decode(cls, data)
                self.objects, self.bytes = self.objects + 1, self.bytes + len(data)
            except (Damaged, LocalIO) as error:
                self._read[id] = error.message
        found = self._read[id]
        if isinstance(found, cls):
            return found
        self.note(f"{id.type_name} {id}", str(found), hurts)
        return None
