"""Which blobs everything stored names, reachable or not: what is to be removed must not stay under another name.

Nothing is read in place of anything else here: this is about the bytes as they lie in the packs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from mlver.errors import Damaged
from mlver.frozen import frozen
from mlver.objects.commit import Commit, Derivation
from mlver.objects.encoding import decode
from mlver.objects.ids import BlobId, CommitId, FactBatchId, TreeId
from mlver.objects.state import FactBatch
from mlver.objects.tree import TREE, Tree
from mlver.repo.facts import batches
from mlver.repo.gc_roots import ids_in
from mlver.store.compact import Key, Pack
from mlver.store.frames import LIST, NAMES, TYPES
from mlver.store.pack import list_packs, read_rows

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_TREE, _COMMIT, _DERIVATION = (TYPES[name] for name in ("tree", "commit", "derivation"))
HELD = (TYPES["blob"], TYPES[LIST])


@frozen
class Held:
    """A blob at a path of a commit, as its tree has it."""

    path: str
    id: BlobId
    kind: str
    size: int


class Holdings:
    """All packs of a repository, and every tree, commit and derivation in them. Damaged when one cannot be read."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        repo.store.renew()
        repo.store.index.refresh()
        self.packs = tuple(self._packs())
        self.trees: dict[TreeId, Tree] = {}
        self.commits: dict[CommitId, Commit] = {}
        self.named: set[BlobId] = set()
        self.patches: set[BlobId] = set()  # what git had not committed
        self.merged: dict[str, BlobId] = {}  # what an open merge has laid out, by path
        self._kinds: dict[BlobId, str] = {}
        for type_, id in {(row.type, row.id) for pack in self.packs for row in pack.rows}:
            if type_ == _TREE:
                self._take_tree(TreeId(id))
            elif type_ == _COMMIT:
                self._take_commit(CommitId(id))
            elif type_ == _DERIVATION:
                self._take_derivation(id)
        self._take_view()

    def paths_in(self, commit: CommitId) -> Iterator[Held]:
        """Yield every file of a commit, as far as its trees are here."""
        pending = [("", self.commits[commit].tree)]
        while pending:
            prefix, id = pending.pop()
            for entry in self.trees[id].entries if id in self.trees else ():
                if isinstance(entry.id, TreeId):
                    pending.append((f"{prefix}{entry.name}/", entry.id))
                else:
                    yield Held(prefix + entry.name, entry.id, entry.kind, entry.size)

    def standing(self, blobs: Collection[BlobId]) -> dict[BlobId, dict[str, list[CommitId]]]:
        """Return where blobs stand: the paths, and the commits that have them there, oldest first."""
        below: dict[TreeId, tuple[tuple[str, BlobId], ...]] = {}
        found: dict[BlobId, dict[str, list[CommitId]]] = {}
        for id, commit in sorted(self.commits.items(), key=lambda pair: (pair[1].time, pair[0])):
            for path, blob in self._hits(commit.tree, blobs, below):
                found.setdefault(blob, {}).setdefault(path, []).append(id)
        return found

    def keys(self, blobs: Collection[BlobId]) -> set[Key]:
        """Return all frames that blobs lie in, as packs name them."""
        return {key for blob in blobs for key in self._repo.store.parts(blob)}

    def kind(self, blob: BlobId) -> str:
        """Return what a blob was taken for in the first tree that has it."""
        return self._kinds.get(blob, "file")

    def size(self, blob: BlobId) -> int:
        """Return the length of a blob in bytes."""
        lengths = {row.id: row.raw for pack in self.packs for row in pack.rows if row.type == HELD[0]}
        return sum(lengths.get(id, 0) for type_, id in self._repo.store.parts(blob) if type_ == HELD[0])

    def survivors(self, gone: Collection[BlobId], also: Collection[BlobId] = ()) -> set[Key]:
        """Return every frame that is needed when the blobs `gone` are: all objects, and what other blobs are made of.

        `also` are blobs that nothing names yet.
        """
        live = {(row.type, row.id) for pack in self.packs for row in pack.rows if row.type not in HELD}
        return live | self.keys({*self.named.difference(gone), *also})

    def absent(self, gone: Collection[BlobId]) -> set[bytes]:
        """Return what trees and commits name that is in no pack, but for the blobs `gone`."""
        here = {row.id for pack in self.packs for row in pack.rows}
        named: set[bytes] = {bytes(id) for id in self.named.difference(gone)}
        named |= {bytes(entry.id) for tree in self.trees.values() for entry in tree.entries if entry.type == TREE}
        named |= {bytes(id) for commit in self.commits.values() for id in (commit.tree, *commit.parents)}
        return named - here

    # -- what names blobs ----------------------------------------------------------------------

    def _packs(self) -> Iterator[Pack]:
        storage, doomed = self._repo.storage, self._repo.store.doomed
        for name in list_packs(storage):
            if name not in doomed:
                try:
                    size, rows = read_rows(storage, name)
                except Damaged as error:
                    raise Damaged(f"pack {name}: {error.message}", hint="mlver repair, then again") from None
                yield Pack(name, size, tuple(rows))

    def _take_tree(self, id: TreeId) -> None:
        tree = self.trees[id] = decode(Tree, self._repo.store.get(id))
        for entry in tree.entries:
            if isinstance(entry.id, BlobId):
                self.named.add(entry.id)
                self._kinds.setdefault(entry.id, entry.kind)

    def _take_commit(self, id: CommitId) -> None:
        commit = self.commits[id] = self._repo.commit(id)
        if commit.git is not None and commit.git.patch is not None:
            self._take_patch(commit.git.patch)

    def _take_derivation(self, id: bytes) -> None:
        from mlver.objects.ids import DerivationId

        made = decode(Derivation, self._repo.store.get(DerivationId(id)))
        self.named.update(one.id for one in (*made.inputs, *made.outputs))
        if made.git is not None and made.git.patch is not None:
            self._take_patch(made.git.patch)

    def _take_patch(self, id: BlobId) -> None:
        self.named.add(id)
        self.patches.add(id)

    def _take_view(self) -> None:
        view = self._repo.view
        if view.merging is not None:
            self.merged = {path: blob for path, blob in view.merging.files.items() if blob is not None}
            self.named.update(self.merged.values())
        for batch in self._facts(view.facts):
            for fact in batch.facts:
                self.named.update(map(BlobId.parse, ids_in(fact)))

    def _facts(self, head: FactBatchId | None) -> Iterator[FactBatch]:
        return batches(self._repo.store, head)

    def _hits(
        self,
        id: TreeId,
        blobs: Collection[BlobId],
        below: dict[TreeId, tuple[tuple[str, BlobId], ...]],
    ) -> tuple[tuple[str, BlobId], ...]:
        """Return (path, blob) of the files of a folder that are one of `blobs`; each folder is looked at once."""
        pending = [id]
        while pending:
            at = pending[-1]
            if at in below:
                pending.pop()
                continue
            entries = self.trees[at].entries if at in self.trees else ()
            folders = [(entry.name, entry.id) for entry in entries if isinstance(entry.id, TreeId)]
            if waiting := [folder for _, folder in folders if folder not in below]:
                pending += waiting
                continue
            found = [(entry.name, entry.id) for entry in entries if isinstance(entry.id, BlobId) and entry.id in blobs]
            for name, folder in folders:
                found += [(f"{name}/{path}", blob) for path, blob in below[folder]]
            below[at] = tuple(found)
            pending.pop()
        return below[id]


def describe_key(key: Key) -> str:
    """Return type and id of a frame for people."""
    return f"{NAMES[key[0]]} {key[1].hex()[:10]}"


def matching(holdings: Holdings, wanted: Callable[[str], bool]) -> Mapping[BlobId, Held]:
    """Return every version, in any stored commit and in a merge that is open, of the files whose path is wanted."""
    found: dict[BlobId, Held] = {}
    seen: set[TreeId] = set()
    for id, commit in holdings.commits.items():
        if commit.tree not in seen:
            seen.add(commit.tree)
            found |= {held.id: held for held in holdings.paths_in(id) if wanted(held.path)}
    kinds = {held.path: held.kind for held in found.values()}
    for path, blob in holdings.merged.items():
        if wanted(path) and blob not in found and holdings.keys([blob]):
            found[blob] = Held(path, blob, kinds.get(path, holdings.kind(blob)), holdings.size(blob))
    return found
