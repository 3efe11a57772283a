"""Bringing the history index up to date: in steps of about a second, each a transaction, so that none is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from mlver.index.history.database import HistoryIndex
from mlver.kinds import registry
from mlver.objects.ids import OperationId
from mlver.objects.state import Operation, View
from mlver.repo.indexing.alerts import AlertRows
from mlver.repo.indexing.commits import CommitRows
from mlver.repo.indexing.facts import FactRows
from mlver.repo.indexing.operations import Forked, OperationRows, new_operations, ref_rows
from mlver.repo.indexing.units import UnitRows
from mlver.repo.indexing.versions import Versions

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_STEP = 1.0  # seconds between transactions
_LAST, _KINDS = "operation", "kinds"
_REACHABLE = """
WITH RECURSIVE reach(id) AS (
    SELECT commit_id FROM refs UNION SELECT parent_id FROM parents JOIN reach ON parents.commit_id = reach.id
) UPDATE commits SET reachable = (id IN reach) WHERE reachable != (id IN reach)
"""


class Update:
    """One way from what the index holds to what the repository does."""

    def __init__(self, repo: Repository, index: HistoryIndex) -> None:
        self._repo, self._index = repo, index
        self._versions = Versions(repo, index)
        self._commits = CommitRows(repo, index, self._versions)
        self._operations = OperationRows(repo, index, self._commits)
        self._units = UnitRows(repo, index, self._versions)
        self._seen: int | None = None
        self._queue: tuple[tuple[int, str] | None, Iterator[tuple[OperationId, Operation]]] | None = None

    def run(self, *, units: bool = True) -> None:
        """Take in all that is new; `units` also compares the artifacts of new commits."""
        last = self._last()
        if last is not None and last[0] > self._repo.state.operation.number:
            self._repo.refresh()  # somebody has recorded and indexed more since it was opened
        if not self._is_current():
            while self._step(self._take_in):
                pass
        if units:
            while self._units.waiting(1) and self._step(self._compare):
                pass

    def _is_current(self) -> bool:
        state = self._repo.state
        return self._last() == (state.operation.number, state.id.hex()) and self._index.state(_KINDS) == self._read_as()

    def _last(self) -> tuple[int, str] | None:
        text = self._index.state(_LAST)
        if text is None:
            return None
        number, _, id = text.partition(" ")
        return int(number), id

    def _step(self, work: Callable[[float], bool]) -> bool:
        """Work for about a second within one transaction; return whether there is more to do."""
        with self._index.transaction():
            seen = self._index.changes()
            if seen != self._seen:  # somebody else wrote, or nobody has looked yet
                self._seen = seen
                self._versions.forget()
                self._commits.forget()
            return work(time.monotonic() + _STEP)

    def _take_in(self, deadline: float) -> bool:
        if self._index.state(_KINDS) != self._read_as():
            self._clear()
        last, pending = self._following()
        before = self._repo.operation(OperationId.parse(last[1])).view if last else View()
        for id, operation in pending:
            self._operations.add(id, operation, before)
            before = operation.view
            last = operation.number, id.hex()
            self._index.note(_LAST, f"{operation.number} {id}")
            if time.monotonic() > deadline and operation.number < self._repo.state.operation.number:
                self._queue = last, pending
                return True
        self._operations.finish()
        self._index.run("DELETE FROM refs")
        self._index.insert("refs", ref_rows(self._repo.view))
        self._index.run(_REACHABLE)
        AlertRows(self._repo, self._index).update(FactRows(self._repo, self._index).update())
        return False

    def _following(self) -> tuple[tuple[int, str] | None, Iterator[tuple[OperationId, Operation]]]:
        """Return the operation that the index holds last, and those that follow it."""
        last = self._last()
        if self._queue is not None and self._queue[0] == last:
            return self._queue
        try:
            return last, new_operations(self._repo, last)
        except Forked:
            self._clear()
            return None, new_operations(self._repo, None)

    def _clear(self) -> None:
        self._index.clear()
        self._index.note(_KINDS, self._read_as())
        self._versions.forget()
        self._commits.forget()

    def _compare(self, deadline: float) -> bool:
        for name in self._units.waiting(-1):
            self._units.add(name)
            if time.monotonic() > deadline:
                return True
        return False

    def _read_as(self) -> str:
        """What rows depend on beside operations and bytes: which kinds are installed, and what was redacted."""
        return f"{' '.join(registry.names())} {self._repo.redactions.mark}".rstrip()
