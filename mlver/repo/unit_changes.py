"""Which commits may have changed a unit of a file, without reading every version of it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from mlver.index import paths
from mlver.kinds.base import Units
from mlver.objects.ids import CommitId
from mlver.objects.result import jsonable
from mlver.repo.path_changes import PathChanges, Version
from mlver.repo.touched import Comparisons, Untold
from mlver.repo.unit_reader import UnitReader

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_KEPT_AT = 500  # comparisons after which what was learned is kept
_VERSION = 1  # to be raised with what is kept of a comparison


class UnitChanges:
    """The changes of one artifact on all ways back from `start`. A folder's are those of anything in it."""

    def __init__(self, repo: Repository, reader: UnitReader, start: CommitId) -> None:
        self._repo, self._reader, self._start = repo, reader, start
        self._table = repo.graph.table
        self._comparisons = Comparisons(repo, reader)
        spec = reader.spec
        told = [_VERSION, reader.kind.name, reader.kind.version, reader.path, list(spec.key), jsonable(spec.options)]
        words = json.dumps(told, sort_keys=True).encode("utf-8", "backslashreplace")
        self._way = hashlib.blake2b(words, digest_size=16).digest()

    def commits(self) -> list[CommitId]:
        """Return the commits that changed the artifact, newest first. Raises Damaged."""
        if self._reader.path.endswith("/"):
            reach = self._repo.graph.reach([self._start])
            return PathChanges(self._repo).commits(reach, None, [self._reader.path], lambda _: True, None)
        return [version.commit for version in self._versions()]

    def touching(self, units: Collection[str]) -> Iterator[CommitId]:
        """Yield the commits that changed one of some units, newest first, and some more; compares as it goes."""
        if self._reader.path.endswith("/"):
            yield from self.commits()
            return
        wanted = [paths.mark(unit) for unit in units]
        fresh: list[tuple[paths.Row, bytes]] = []
        try:
            for version in self._versions():
                marks = version.row.known_marks(self._way) if version.row is not None else None
                touches = None if marks is None else any(mark in marks for mark in wanted)
                if touches is None:
                    touches, marks = self._compared(version, units)
                    if marks is not None and version.row is not None:
                        fresh.append((version.row, marks))
                if touches:
                    yield version.commit
                if len(fresh) == _KEPT_AT:
                    self._keep(fresh)
        finally:
            self._keep(fresh)

    def _versions(self) -> Iterator[Version]:
        return PathChanges(self._repo).versions(self._start, self._reader.path, self._way)

    def _compared(self, version: Version, wanted: Collection[str]) -> tuple[bool, bytes | None]:
        """Return whether a change may have touched one of some units, and marks of those it touched, if few."""
        old, new = version.sides()
        if old is not None and new is not None:
            found = self._comparisons.between(old, new)
            if isinstance(found, Untold) or not found.exact:
                return True, None
            return not found.names.isdisjoint(wanted), paths.marks(found.names)
        side = old or new
        units = self._reader.few_of(side) if side is not None else None
        if units is None or not units.names_hold(units) or type(units).delta is not Units.delta:
            return True, None  # of a table it is quicker to look
        return True, paths.marks(units.keys())

    def _keep(self, fresh: list[tuple[paths.Row, bytes]]) -> None:
        if fresh:
            self._table.offer(lambda db: paths.remember(db, self._way, fresh))
            fresh.clear()


class LastChange:
    """The commit that last changed one file, going back by first parents alone."""

    def __init__(self, repo: Repository, path: str) -> None:
        self._changes, self._path = PathChanges(repo), path
        self._listed = self._changes.bring_up()
        self._before: dict[tuple[int, int], tuple[int, int]] = {}

    def at(self, id: CommitId) -> CommitId:
        """Return the commit, up to `id` itself, that last changed it; `id` when that is not known."""
        found = self._changes.last(id, self._path, self._before) if self._listed else None
        return found or id
