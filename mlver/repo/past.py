"""Where bytes have been, commit by commit. Each folder is read once, however many commits share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.objects.ids import BlobId, CommitId, TreeId
from mlver.objects.tree import Entry
from mlver.repo.history import all_heads, ancestors, walk
from mlver.repo.snapshot import read_tree

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


class Past:
    """Look-ups in many commits of one repository."""

    def __init__(self, repo: Repository) -> None:
        self.repo = repo
        self._folders: dict[TreeId, dict[str, Entry]] = {}

    def commits(self) -> list[CommitId]:
        """Return every commit that a branch, tag, stage or HEAD leads to, oldest first."""
        found = ancestors(self.repo, all_heads(self.repo))
        return sorted(found, key=lambda id: (self.repo.commit(id).time, id))

    def entry(self, commit: CommitId, path: str) -> Entry | None:
        """Return what a commit holds at `path`, None when it holds no file there."""
        folder = self.repo.commit(commit).tree
        *folders, name = path.split("/")
        for part in folders:
            inner = self._folder(folder).get(part)
            if inner is None or not isinstance(inner.id, TreeId):
                return None
            folder = inner.id
        found = self._folder(folder).get(name)
        return found if found is not None and not isinstance(found.id, TreeId) else None

    def _folder(self, id: TreeId) -> dict[str, Entry]:
        if id not in self._folders:
            self._folders[id] = {entry.name: entry for entry in read_tree(self.repo.store, id).entries}
        return self._folders[id]

    def holds(self, commit: CommitId, path: str, blob: BlobId) -> bool:
        """Whether a commit holds these bytes at `path`."""
        found = self.entry(commit, path)
        return found is not None and found.id == blob

    def origin(self, start: CommitId, path: str, blob: BlobId) -> CommitId:
        """Return the oldest commit on the way back from `start` that holds these bytes at `path` without a break."""
        while holding := [p for p in self.repo.commit(start).parents if self.holds(p, path, blob)]:
            start = holding[0]
        return start

    def find(self, start: CommitId, path: str, blob: BlobId) -> CommitId | None:
        """Return the newest commit, `start` or before it, that holds these bytes at `path`; None when none does."""
        if self.holds(start, path, blob):
            return start
        return next((id for id, _ in walk(self.repo, [start]) if self.holds(id, path, blob)), None)
