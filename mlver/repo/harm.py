"""What lost objects hurt: which commits, which artifacts of them, and what else can no longer be read whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar

from mlver.errors import Damaged, Redacted
from mlver.frozen import frozen
from mlver.objects.commit import Commit, Derivation, Environment, GitState
from mlver.objects.ids import BlobId, CommitId, DerivationId, EnvironmentId, FactBatchId, ObjectId, TreeId
from mlver.objects.state import FactBatch, View
from mlver.repo.recorded import check_named, check_paths
from mlver.repo.snapshot import read_tree, repeats
from mlver.store.frames import LIST, TYPES, type_of
from mlver.store.object_store import ObjectStore, StoreReport

_T = TypeVar("_T")
_BLOB, _LIST, _COMMIT = TYPES["blob"], TYPES[LIST], TYPES["commit"]
MISSING = "is missing"


@frozen
class HurtArtifact:
    """A file, or a folder (its path ends in `/`), of a commit that cannot be read whole. `id` is what it should be."""

    commit: CommitId
    path: str
    id: ObjectId


_One = tuple[str, ObjectId, tuple[ObjectId, ...]]  # path, what it should be, what of that is lost
_Below = tuple[_One, ...]


class Harm:
    """Walks from names to objects; `by_object` says what each object that is not sound hurts, `why` what is wrong.

    `commits` are those that cannot be read whole, `artifacts` what of their files. `torn` are large blobs that are
    lost only as far as chunks of theirs are.
    """

    def __init__(self, store: ObjectStore, report: StoreReport) -> None:
        self.by_object: dict[ObjectId, list[str]] = {}
        self.why: dict[ObjectId, str] = {}
        self.commits: dict[CommitId, None] = {}
        self.artifacts: dict[HurtArtifact, None] = {}
        self.torn: set[BlobId] = set()
        self._store, self._report = store, report
        self._lost = report.lost
        self._seen: set[CommitId] = set()
        self._labels: dict[CommitId, str] = {}
        self._trees: dict[TreeId, _Below] = {}
        self._listed: dict[TreeId, int] = {}  # entries below a folder, counted as often as they are listed
        self._stored = 0
        self._blobs: dict[BlobId, tuple[int, tuple[ObjectId, ...]]] = {}
        self._facts: set[FactBatchId] = set()

    def stored(self, id: ObjectId) -> bool:
        """Whether an object itself is there and sound; what it names may not be."""
        return self._sound(type_of(id), id) or (type(id) is BlobId and self._sound(_LIST, id))

    def stays(self, id: CommitId) -> bool:
        """Whether a commit is there and sound, and not on its way out: of what gc has given up, parts may be gone."""
        return self._report.stays(_COMMIT, id)

    def survey(self, starts: Mapping[CommitId, str]) -> int:
        """Visit all that hangs on `starts`, which have names for people; return how many commits could be read.

        When one is lost, what came before it is known only from the packs: all commits in them are visited then.
        """
        self._labels.update(starts)
        readable = self._walk(starts)
        if any(isinstance(id, CommitId) for id in self.by_object):
            readable += self._walk(
                CommitId(id) for type, id in self._report.sound if type == _COMMIT and self._report.stays(type, id)
            )
        return readable

    def survey_view(self, view: View) -> None:
        """Visit what the newest view names beside commits: recorded runs, an open merge, the fact log."""
        for path, derivation in view.pending.items():
            self._derivation(derivation, f"the recorded run of {path}")
        if view.merging is not None:
            for path, blob in view.merging.files.items():
                for id in self._blob(blob)[1] if blob is not None else ():
                    self._hurt(id, f"the open merge: {path}")
        self.survey_facts(view.facts, "the fact log")

    def survey_facts(self, head: FactBatchId | None, label: str) -> None:
        """Visit a fact log back to its beginning."""
        pending = [head] if head is not None else []
        while pending:
            id = pending.pop()
            if id in self._facts:
                continue
            self._facts.add(id)
            if (batch := self._load(FactBatch, id, label)) is not None:
                pending += batch.parents

    def _walk(self, starts: Iterable[CommitId]) -> int:
        pending, readable = list(starts), 0
        while pending:
            id = pending.pop()
            if id in self._seen:
                continue
            self._seen.add(id)
            label = f"{self._labels[id]} ({id.short})" if id in self._labels else id.short
            commit = self._load(Commit, id, label)
            if commit is None:
                self.commits[id] = None
                continue
            readable += 1
            pending.extend(commit.parents)
            self._lawful(id, label, partial(check_named, id, commit))
            self._commit(id, commit, label)
        return readable

    def _commit(self, id: CommitId, commit: Commit, label: str) -> None:
        hurt = False
        for path, wanted, lost in self._tree(commit.tree):
            self.artifacts[HurtArtifact(id, path or "/", wanted)] = None
            for one in lost:
                self._hurt(one, f"{label}: {path}" if path else label)
            hurt = True
        if commit.environment is not None and not self._environment(commit.environment, label):
            hurt = True
        for path, derivation in commit.derivations.items():
            hurt |= not self._derivation(derivation, f"{label}: lineage of {path}")
        hurt |= not self._patch(commit.git, f"{label}: git patch")
        if commit.facts is not None:
            self.survey_facts(commit.facts, f"{label}: the facts known then")
        if hurt:
            self.commits[id] = None

    def _derivation(self, id: DerivationId, label: str) -> bool:
        derivation = self._load(Derivation, id, label)
        if derivation is None or not self._lawful(id, label, partial(check_paths, id, derivation)):
            return False
        made_in = derivation.environment
        whole = made_in is None or self._environment(made_in, label)
        return self._patch(derivation.git, f"{label}: git patch") and whole

    def _environment(self, id: EnvironmentId, label: str) -> bool:
        return self._load(Environment, id, f"{label}: environment") is not None

    def _patch(self, git: GitState | None, label: str) -> bool:
        if git is None or git.patch is None:
            return True
        lost = self._blob(git.patch)[1]
        for id in lost:
            self._hurt(id, label)
        return not lost

    def _tree(self, root: TreeId) -> _Below:
        """Return what below a folder is not whole; each folder is looked at once."""
        pending = [root]
        while pending:
            id = pending[-1]
            if id in self._trees:
                pending.pop()
            elif below := self._subtrees(id):
                pending += below
            else:
                pending.pop()
        return self._trees[root]

    def _subtrees(self, id: TreeId) -> list[TreeId]:
        """Return the folders in a folder that are not looked at yet; when there are none, settle the folder."""
        try:
            tree = read_tree(self._store, id)
        except Damaged as error:
            self._trees[id] = (("", id, (id,)),)
            self._explain(id, error.message)
            return []
        folders = [(e.name, TreeId(e.id)) for e in tree.entries if isinstance(e.id, TreeId)]
        if waiting := [below for _, below in folders if below not in self._trees]:
            return waiting
        self._stored += 1 + len(tree.entries)
        self._listed[id] = listed = 1 + len(tree.entries) + sum(self._listed.get(below, 0) for _, below in folders)
        if repeats(listed, self._stored):
            self._trees[id], self._listed[id] = (("", id, (id,)),), 0
            self._explain(id, f"repeats: few entries stand for {listed}")
            return []
        found: list[_One] = [] if self.stored(id) else [("", id, (id,))]  # readable all the same: from the trash
        for name, below in folders:
            found += [(f"{name}/{path}", wanted, lost) for path, wanted, lost in self._trees[below]]
        for entry in tree.entries:
            if isinstance(entry.id, BlobId):
                size, lost = self._blob(entry.id)
                if lost:
                    found.append((entry.name, entry.id, lost))
                elif size != entry.size:
                    self.why[id] = "says a wrong size"
                    found.append((entry.name, entry.id, (id,)))
        self._trees[id] = tuple(found)
        return []

    def _blob(self, blob: BlobId) -> tuple[int, tuple[ObjectId, ...]]:
        """Return the length of a blob, and which objects of it are lost: itself, its list, or chunks."""
        if blob not in self._blobs:
            self._blobs[blob] = self._look_at(blob)
        return self._blobs[blob]

    def _look_at(self, blob: BlobId) -> tuple[int, tuple[ObjectId, ...]]:
        try:
            chunks = self._store.chunks(blob)
        except Redacted:  # on purpose
            tombstone = self._store.redacted(blob)
            return tombstone.size if tombstone is not None else 0, ()
        except Damaged as error:
            self._explain(blob, error.message)
            return 0, (blob,)
        while (stands_in := self._store.redacted(blob)) is not None and stands_in.replacement is not None:
            blob = stands_in.replacement  # an open merge says what it laid out, whatever became of it
        size = sum(length for _, length in chunks)
        if self._sound(_BLOB, blob):
            return size, ()
        if len(chunks) == 1 or not self._sound(_LIST, blob):
            return size, (blob,)
        lost = tuple(dict.fromkeys(chunk for chunk, _ in chunks if not self._sound(_BLOB, chunk)))
        if lost:
            self.torn.add(blob)
        elif blob in self._lost:  # a list whose chunks are all there, and are something else
            lost = (blob,)
        return size, lost

    def _sound(self, type: int, id: ObjectId) -> bool:
        if (type, bytes(id)) in self._report.sound:
            return True
        return id not in self._lost and self._store.locate(type, id) is not None  # in a pack that came meanwhile

    def _load(self, cls: type[_T], id: ObjectId, label: str) -> _T | None:
        try:
            found = self._store.get_object(cls, id)
        except Damaged as error:
            self._hurt(id, label)
            self._explain(id, error.message)
            return None
        if not self.stored(id):  # readable all the same: from the trash
            self._hurt(id, label)
        return found

    def _lawful(self, id: ObjectId, label: str, check: Callable[[], object]) -> bool:
        """Whether the paths an object names pass the gate."""
        try:
            check()
        except Damaged as error:
            self._hurt(id, label)
            self._explain(id, error.message)
            return False
        return True

    def _explain(self, id: ObjectId, message: str) -> None:
        if id not in self._lost and self._store.has(id):
            self.why[id] = message

    def _hurt(self, id: ObjectId, what: str) -> None:
        hurts = self.by_object.setdefault(id, [])
        if what not in hurts:
            hurts.append(what)
