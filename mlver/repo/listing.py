"""Artifacts by path, folder by folder: what nobody asks for is not read, and what is the same is not compared.

A stored tree and the work tree have the same shape here, a `Node` for each folder. A folder of the work tree has the
id of HEAD's folder in its place once its files were found to be the same, for as long as its stat data are. So status,
commit, diff, switch and restore look into those folders only in which something differs.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from functools import cached_property
from types import MappingProxyType
from typing import Protocol

from mlver.frozen import frozen
from mlver.objects.ids import BlobId, TreeId
from mlver.objects.tree import TREE
from mlver.repo.scan import Folder, Scan
from mlver.repo.snapshot import Artifact, Visits, read_tree
from mlver.store.object_store import ObjectStore

Change = tuple[str, Artifact | None, Artifact | None]


class Node(Protocol):
    """One folder: its `path` is empty or ends in a slash."""

    path: str

    @property
    def id(self) -> TreeId | None:
        """The id of its tree, None when it is not known without looking at the files."""

    @property
    def files(self) -> Mapping[str, Artifact]:
        """The artifacts that lie in it directly, by name."""

    @property
    def folders(self) -> Mapping[str, Node]:
        """The folders in it, by name."""

    @property
    def empty(self) -> bool:
        """Whether no file lies in it, nor below."""

    @property
    def size(self) -> int:
        """How many bytes the files in it and below have."""

    def kinds(self) -> set[str]:
        """Return the kinds of the files that lie in it directly."""

    def agree(self, other: Node) -> None:
        """Take note that all in it is as in the other."""

    def learn(self, id: TreeId) -> None:
        """Take note that all in it makes this tree."""


class TreeNode:
    """One folder of a stored tree, read when it is asked for. Raises Damaged when it cannot be read."""

    def __init__(self, store: ObjectStore, id: TreeId, path: str = "", visits: Visits | None = None) -> None:
        self.id = id
        self.path = path
        self.empty = False
        self._store = store
        self._visits = visits or Visits()

    @cached_property
    def _read(self) -> tuple[dict[str, Artifact], dict[str, TreeNode]]:
        tree = read_tree(self._store, self.id)
        self._visits.add(self.id, len(tree.entries), self.path)
        files: dict[str, Artifact] = {}
        folders: dict[str, TreeNode] = {}
        for entry in tree.entries:
            path = self.path + entry.name
            if entry.type == TREE:
                below = folders[entry.name] = TreeNode(self._store, TreeId(entry.id), path + "/", self._visits)
                below.size = entry.size
            else:
                files[entry.name] = Artifact(path, entry.type, entry.kind, BlobId(entry.id), entry.size)
        return files, folders

    @property
    def files(self) -> Mapping[str, Artifact]:
        return self._read[0]

    @property
    def folders(self) -> Mapping[str, TreeNode]:
        return self._read[1]

    @cached_property
    def size(self) -> int:
        return sum(entry.size for entry in read_tree(self._store, self.id).entries)

    def kinds(self) -> set[str]:
        return {artifact.kind for artifact in self.files.values()}

    def agree(self, other: Node) -> None:
        """What is stored knows its id already."""

    def learn(self, id: TreeId) -> None:
        """What is stored knows its id already."""


@frozen
class Work:
    """The work tree as it was found, and how to learn the kind of a file."""

    found: Scan
    kind: Callable[[str], str]


class WorkNode:
    """One folder of the work tree; `head` is HEAD's in its place, None where it has none, or one of other rules."""

    def __init__(self, work: Work, path: str, head: TreeNode | None) -> None:
        self.path = path
        self.head = head
        self.folder: Folder = work.found.folders[path]
        self._work = work

    @property
    def _own(self) -> bool:
        """Whether its own files are known to be those of HEAD."""
        return self.head is not None and not self.folder.lacking and self.folder.tree == self.head.id

    @cached_property
    def id(self) -> TreeId | None:
        if self.head is None or not self._own:
            return None
        if self.folder.below:
            if self.head.folders.keys() - self.folders.keys():
                return None
            if any(not node.empty if node.head is None else node.id is None for node in self.folders.values()):
                return None
        return self.head.id

    @cached_property
    def empty(self) -> bool:
        """Whether no file lies in it, nor below."""
        return not self.folder.count and all(node.empty for node in self.folders.values())

    @cached_property
    def files(self) -> Mapping[str, Artifact]:
        if self.head is not None and self._own:
            return self.head.files
        known = self.head.files if self.head is not None else {}
        found = {}
        for index, (name, info, id) in enumerate(self.folder.files()):
            path, before = self.path + name, known.get(name)
            same = before is not None and before.id == id
            kind = before.kind if before is not None and same else self.folder.found.get(index) or self._work.kind(path)
            found[name] = Artifact(path, info.type, kind, id, info.size)
        return found

    @cached_property
    def folders(self) -> Mapping[str, WorkNode]:
        below = self.folder.below
        heads = self.head.folders if below and self.head is not None else {}
        here = self._work.found.folders
        return {
            name: WorkNode(self._work, path, heads.get(name))
            for name in below
            if (path := f"{self.path}{name}/") in here
        }

    @cached_property
    def size(self) -> int:
        if self.head is not None and self.id is not None:
            return self.head.size
        return self.folder.size + sum(node.size for node in self.folders.values())

    def kinds(self) -> set[str]:
        return set(self.folder.kinds.split()) if self._own else {artifact.kind for artifact in self.files.values()}

    def agree(self, other: Node) -> None:
        if self.head is not None and other.id == self.head.id:
            self.learn(self.head.id)

    def learn(self, id: TreeId) -> None:
        if not self.folder.lacking:
            kinds = {artifact.kind for artifact in self.files.values()}
            self.folder.learn(tree=bytes(id), kinds=" ".join(sorted(kinds)))


class Listing(Mapping[str, Artifact]):
    """All artifacts below a node by path, sorted where they are listed. `settle` is called after comparisons."""

    def __init__(self, root: Node, settle: Callable[[], None] = lambda: None) -> None:
        self.root = root
        self.settle = settle
        self._all: dict[str, Artifact] | None = None

    @property
    def every(self) -> dict[str, Artifact]:
        """All of them. Reads every folder."""
        if self._all is None:
            found = {artifact.path: artifact for node in walk(self.root) for artifact in node.files.values()}
            self._all = dict(sorted(found.items()))
        return self._all

    def __getitem__(self, path: str) -> Artifact:
        if self._all is not None:
            return self._all[path]
        *folders, name = path.split("/")
        node = self.root
        for folder in folders:
            node = node.folders[folder]
        return node.files[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.every)

    def __len__(self) -> int:
        return len(self.every)

    def keys(self) -> KeysView[str]:
        """Return all paths."""
        return self.every.keys()

    def values(self) -> ValuesView[Artifact]:
        """Return all artifacts."""
        return self.every.values()

    def items(self) -> ItemsView[str, Artifact]:
        """Return all paths with their artifacts."""
        return self.every.items()


def walk(root: Node) -> Iterator[Node]:
    """Yield a node and all below it."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(node.folders.values())


def of_kind(
    artifacts: Mapping[str, Artifact], *kinds: str, beside: Mapping[str, Node] = MappingProxyType({})
) -> list[Artifact]:
    """Return the artifacts of some kinds, by path.

    `beside` are folders elsewhere, by path, of which the kinds are perhaps known without reading them.
    """
    if not isinstance(artifacts, Listing):
        return [artifact for artifact in artifacts.values() if artifact.kind in kinds]
    found: list[Artifact] = []
    pending = [(artifacts.root, beside.get(""))]
    while pending:
        node, other = pending.pop()
        twin = other if other is not None and other.id is not None and other.id == node.id else node
        if not twin.kinds().isdisjoint(kinds):
            found += [artifact for artifact in node.files.values() if artifact.kind in kinds]
        if twin.folders:
            for name, below in node.folders.items():
                pending.append((below, beside.get(below.path) or (other.folders.get(name) if other else None)))
    return sorted(found, key=lambda artifact: artifact.path)


def changes(old: Mapping[str, Artifact], new: Mapping[str, Artifact]) -> list[Change]:
    """Return what differs in id, type or kind, by path: (path, before, after). Equal folders are not read."""
    found: list[Change] = []
    if isinstance(old, Listing) and isinstance(new, Listing):
        _differ(old.root, new.root, found)
        for side in (old, new):
            side.settle()
    else:
        _compare(old, new, found)
    return sorted(found, key=lambda change: change[0])


def differing(old: Node | None, new: Node | None) -> list[Change]:
    """Return what differs between two folders with all below; see `changes`."""
    found: list[Change] = []
    _differ(old, new, found)
    return found


def node_at(artifacts: Listing, path: str) -> Node | None:
    """Return the folder of that path (empty, or ending in a slash), None where there is none."""
    node: Node | None = artifacts.root
    for name in path.split("/")[:-1]:
        node = node.folders.get(name) if node is not None else None
    return node


def _differ(old: Node | None, new: Node | None, found: list[Change]) -> None:
    if old is not None and new is not None and old.id is not None and old.id == new.id:
        return
    before = len(found)
    _compare(old.files if old else {}, new.files if new else {}, found)
    left, right = (node.folders if node else {} for node in (old, new))
    for name in left.keys() | right.keys():
        _differ(left.get(name), right.get(name), found)
    if len(found) == before and old is not None and new is not None:
        old.agree(new)
        new.agree(old)


def _compare(old: Mapping[str, Artifact], new: Mapping[str, Artifact], found: list[Change]) -> None:
    for name in old.keys() | new.keys():
        a, b = old.get(name), new.get(name)
        if a is not b and not (a and b and (a.id, a.type, a.kind) == (b.id, b.type, b.kind)):
            one = b or a
            assert one is not None
            found.append((one.path, a, b))
