"""Which files of a commit are of a kind, without reading all its folders: it follows from where two trees differ."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Final

from mlver.errors import Damaged
from mlver.objects.ids import CommitId, TreeId
from mlver.repo.kept_units import answer_name
from mlver.repo.listing import Listing, of_kind, walk
from mlver.repo.snapshot import changed_paths

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_FEW: Final = 64  # folders, which are read faster than compared
_VERSION: Final = 1  # to be raised with what is kept


def paths_of_kind(repo: Repository, commit: CommitId, kind: str) -> list[str]:
    """Return the paths of the files of one kind in a commit, sorted; Damaged when a folder cannot be read.

    Of a tree with many folders they are kept, and those of the next one follow from where the two differ.
    """
    artifacts, tree = repo.snapshot(commit).artifacts, repo.commit(commit).tree
    if not isinstance(artifacts, Listing) or len([*islice(walk(artifacts.root), _FEW + 1)]) <= _FEW:
        return [artifact.path for artifact in of_kind(artifacts, kind)]
    name = answer_name("paths of kind", [_VERSION, kind])
    body = repo.derived.get(name)
    known, paths = json.loads(body) if body is not None else (None, [])
    try:
        found = _carried(repo, TreeId.parse(known) if known else None, tree, kind, paths)
    except Damaged:  # the known tree may be gone; what is wrong with this one comes up again
        found = _carried(repo, None, tree, kind, [])
    if known != tree.hex():
        repo.derived.put(name, json.dumps([tree.hex(), found]).encode())
    return found


def _carried(repo: Repository, old: TreeId | None, new: TreeId, kind: str, paths: list[str]) -> list[str]:
    """Return the paths of the files of a kind in a tree, given those in another one, or in none."""
    found = set(paths)
    for path, _, entry in changed_paths(repo.store, old, new):
        found.discard(path)
        if entry is not None and entry.kind == kind:
            found.add(path)
    return sorted(found)
