"""What a folder should hold so that it is as a commit has it, as far as it is not yet.

Folders of the work tree that are known to be as that commit has them are not looked into.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import field
from glob import escape
from typing import TYPE_CHECKING

from mlver.frozen import frozen
from mlver.repo.listing import Listing, Node, changes, differing, node_at
from mlver.repo.overlay import Wish
from mlver.repo.project import matches
from mlver.repo.scan import Scan
from mlver.repo.snapshot import Artifact, Snapshot

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


@frozen
class Choice:
    """The artifacts that files, folders or globs name, all if there are none. The name of an artifact is no glob."""

    paths: tuple[str, ...]
    patterns: tuple[str, ...]

    @classmethod
    def of(cls, repo: Repository, paths: Sequence[str], snapshot: Snapshot) -> Choice:
        """Return what is chosen of a snapshot."""
        named = tuple(repo.tree_path(path) for path in paths)
        return cls(named, tuple(escape(path) if path in snapshot else path for path in named))

    @property
    def whole(self) -> bool:
        """Whether all are chosen."""
        return not self.paths or "" in self.paths

    def __contains__(self, path: object) -> bool:
        return self.whole or any(matches(str(path), pattern) for pattern in self.patterns)

    def of_all(self, artifacts: Mapping[str, Artifact]) -> list[str]:
        """Return the chosen paths among these."""
        return [path for path in artifacts if path in self]


@frozen
class Wishes:
    """What paths should hold; what was seen of the work tree to know that, and the folders that were compared."""

    paths: Mapping[str, Wish]
    seen: Scan | None = None
    folders: Mapping[str, Node] = field(default_factory=dict)


def wishes_for(repo: Repository, snapshot: Snapshot, choice: Choice) -> Wishes:
    """Return what the chosen paths of the work tree should hold to be as in `snapshot`, at least where they are not."""
    head, target = repo.head_snapshot().artifacts, snapshot.artifacts
    tops = _tops(repo, head, target, choice)
    if tops is None or not isinstance(head, Listing) or not isinstance(target, Listing):
        wishes = {path: Wish(head.get(path), target[path]) for path in choice.of_all(target)}
        found, nodes = None, {}
    else:
        wishes = {path: Wish(head.get(path), target[path]) for path in choice.paths if path in target}
        found = repo.worktree.scan(tops)
        repo.worktree.identify(found, wanted=lambda path: path in target or path in head)
        nodes = {top: repo.work_node(found, top) for top in tops}
        for top, node in nodes.items():
            for path, _, new in differing(node, node_at(target, top)):
                if new is not None or (choice.whole and path in head):
                    wishes[path] = Wish(head.get(path), new)
        repo.worktree.keep(found)
    if choice.whole:
        gone = {path: base for path, base, new in changes(head, target) if new is None}
        wishes |= {path: Wish(base, None) for path, base in gone.items()}
    return Wishes(wishes, found, nodes)


def is_there(snapshot: Snapshot, path: str) -> bool:
    """Whether a snapshot has a file or a folder of that path."""
    listing = snapshot.artifacts
    return path in listing or (isinstance(listing, Listing) and node_at(listing, f"{path}/") is not None)


def _tops(
    repo: Repository, head: Mapping[str, Artifact], target: Mapping[str, Artifact], choice: Choice
) -> list[str] | None:
    """Return the folders in which all that is chosen lies, but for single files; None where that cannot be said."""
    if choice.whole:
        return [""]
    tops = []
    for path in choice.paths:
        if path in target:
            continue
        if not any(isinstance(side, Listing) and node_at(side, f"{path}/") for side in (target, head)):
            return None
        if not _is_folder(repo, path):
            return None
        tops.append(f"{path}/")
    return [top for top in tops if not any(top != other and top.startswith(other) for other in tops)]


def _is_folder(repo: Repository, path: str) -> bool:
    """Whether a folder stands there that is not reached through a link."""
    full = str(repo.root)
    for name in path.split("/"):
        full = os.path.join(full, name)
        try:
            if not stat.S_ISDIR(os.lstat(full).st_mode):
                return False
        except OSError:
            return False
    return True
