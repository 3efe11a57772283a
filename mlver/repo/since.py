"""What became of something since a commit: the newest commit on the way to a later one that changed it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from mlver.kinds.base import MISSING, Spec, Value, same
from mlver.objects.commit import Commit
from mlver.objects.ids import BlobId, CommitId
from mlver.repo.history import ancestors, walk
from mlver.repo.past import Past
from mlver.repo.unit_reader import UnitReader

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


class Since:
    """Answers for many units and artifacts; the commits between two are walked once.

    `start` is the later commit, in which things are looked for.
    """

    def __init__(self, repo: Repository, start: CommitId) -> None:
        self.start = start
        self._repo, self._past = repo, Past(repo)
        self._ways: dict[CommitId, list[tuple[CommitId, Commit]]] = {}
        self._readers: dict[tuple[str, str], UnitReader] = {}

    def comes_from(self, commit: CommitId) -> bool:
        """Whether the start was made from this commit, through however many others."""
        return commit in self._before

    @cached_property
    def _before(self) -> set[CommitId]:
        return set(ancestors(self._repo, [self.start]))

    def way(self, after: CommitId) -> list[tuple[CommitId, Commit]]:
        """Return the commits that lead to the start and not to `after`, newest first."""
        if after not in self._ways:
            self._ways[after] = list(walk(self._repo, [self.start], [after]))
        return self._ways[after]

    def blob(self, commit: CommitId, path: str) -> BlobId | None:
        """Return the bytes of an artifact in a commit, None where it is absent."""
        entry = self._past.entry(commit, path)
        return BlobId(entry.id) if entry is not None else None

    def value(self, commit: CommitId, path: str, kind: str, unit: str) -> Value:
        """Return the value of a unit in a commit, MISSING where there is none."""
        if self.blob(commit, path) is None:
            return MISSING
        return self.reader(path, kind).value(commit, unit)

    def reader(self, path: str, kind: str) -> UnitReader:
        """Return the reader of an artifact's units, with the settings that the start has for it."""
        slot = (path, kind)
        if slot not in self._readers:
            snapshot = self._repo.snapshot(self.start)
            spec = snapshot.spec(path) if path in snapshot else Spec()
            self._readers[slot] = UnitReader(self._repo, path, kind, spec)
        return self._readers[slot]

    def last_change(
        self, after: CommitId, path: str, kind: str, unit: str | None = None
    ) -> tuple[CommitId, Commit] | None:
        """Return the newest commit since `after` that changed a unit, or (None) the bytes of an artifact."""
        for id, commit in self.way(after):
            blob = self.blob(id, path)
            befores = [parent for parent in commit.parents if self.blob(parent, path) != blob]
            if len(befores) < max(len(commit.parents), 1) and commit.parents:
                continue  # one parent had just these bytes
            if unit is None:
                return id, commit
            now = self.value(id, path, kind, unit)
            if all(not equal(self.value(parent, path, kind, unit), now) for parent in befores):
                return id, commit
        return None


def equal(a: Value, b: Value) -> bool:
    """Whether two values of a unit are the same; MISSING equals itself alone."""
    return a is b if a is MISSING or b is MISSING else same(a, b)
