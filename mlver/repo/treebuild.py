"""Building trees from artifacts, one object per folder."""

from __future__ import annotations

from collections.abc import Mapping

from mlver.objects.ids import TreeId
from mlver.objects.tree import TREE, Entry, Tree
from mlver.repo.names import check_path
from mlver.repo.snapshot import Artifact
from mlver.store.session import StoreSession


def put_tree(session: StoreSession, artifacts: Mapping[str, Artifact]) -> TreeId:
    """Store the folders that hold `artifacts` and return the root's id. Every path passes the gate."""
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


def _ensure(folders: dict[str, list[Entry]], folder: str) -> None:
    while folder and folder not in folders:
        folders[folder] = []
        folder = folder.rpartition("/")[0]
