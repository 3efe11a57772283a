"""Building trees from artifacts, one object per folder."""

from __future__ import annotations

from collections.abc import Mapping

from mlver.objects.ids import TreeId
from mlver.objects.tree import TREE, Entry, Tree
from mlver.repo.listing import Listing, Node
from mlver.repo.names import check_path
from mlver.repo.snapshot import Artifact
from mlver.store.frames import TYPES
from mlver.store.session import StoreSession


def put_tree(session: StoreSession, artifacts: Mapping[str, Artifact]) -> TreeId:
    """Store the folders that hold `artifacts` and return the root's id. Every path passes the gate.

    Of a `Listing`, folders that are stored already are not looked into.
    """
    if isinstance(artifacts, Listing):
        return _put(session, artifacts.root)
    folders: dict[str, list[Entry]] = {"": []}
    for path, artifact in artifacts.items():
        folder, _, name = check_path(path).rpartition("/")
        _ensure(folders, folder)
        folders[folder].append(Entry(name, artifact.type, artifact.kind, artifact.id, artifact.size))
    # deepest first, so that each folder's id is known when its parent is written
    for folder in sorted(folders, key=lambda f: (-f.count("/") - (f != ""), f)):
        entries = folders[folder]
        id = session.put_object(Tree(tuple(sorted(entries, key=lambda entry: entry.name.encode()))))
        assert isinstance(id, TreeId)
        if folder == "":
            return id
        parent, _, name = folder.rpartition("/")
        folders[parent].append(Entry(name, TREE, "", id, sum(entry.size for entry in entries)))
    raise AssertionError("the root folder is always there")


def _put(session: StoreSession, node: Node) -> TreeId:
    """Store a folder with all below and return its id. One that is stored already is left as it is."""
    if node.id is not None and session.known(TYPES["tree"], node.id):
        return node.id
    entries = [Entry(name, a.type, a.kind, a.id, a.size) for name, a in node.files.items() if check_path(a.path)]
    for name, below in node.folders.items():
        if not below.empty:
            entries.append(Entry(name, TREE, "", _put(session, below), below.size))
    id = session.put_object(Tree(tuple(sorted(entries, key=lambda entry: entry.name.encode()))))
    node.learn(id)
    return id


def _ensure(folders: dict[str, list[Entry]], folder: str) -> None:
    while folder and folder not in folders:
        folders[folder] = []
        folder = folder.rpartition("/")[0]
