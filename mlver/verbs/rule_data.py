"""The table that rules are tested on, and what comes of them there: shared by check, replay and backtest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.errors import Refused, UnknownRevision, UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Unreadable
from mlver.objects.ids import BlobId, CommitId
from mlver.repo.repository import Repository
from mlver.repo.revisions import parse_target
from mlver.repo.rulebook import RuleFile
from mlver.repo.snapshot import Snapshot

if TYPE_CHECKING:
    from mlver.kinds.predicates.outcome import Outcome, Slices

_HINT = "a condition compares the cells of one row: clinic = 'C' and age > 125"


@frozen
class DataVersion:
    """One version of some data: its path, content id, and the commit it was taken from (None: the work tree)."""

    path: str
    id: BlobId
    commit: CommitId | None
    snapshot: Snapshot


def find_data(repo: Repository, text: str, rev: str | None = None) -> DataVersion:
    """Return the data that `PATH` or `PATH@REV` names: as it lies here, else as in `rev`, else as in HEAD.

    Raises UnknownRevision when there is none, UsageError when the text names something else.
    """
    target = parse_target(repo, text)
    if target.path is None or target.unit is not None:
        raise UsageError(f"not a table: {text}", hint="name a file of the commit or the work tree")
    if target.rev is None:
        work = repo.work_snapshot()
        if work.holds(target.path):
            found = work.find(target.path)
            return DataVersion(found.path, found.id, None, work)
    snapshot = repo.snapshot(repo.resolve(target.rev or rev or "HEAD"))
    if not snapshot.holds(target.path) and target.rev is None:
        raise UnknownRevision(f"no table {target.path}, neither here nor in {rev or 'HEAD'}", hint="mlver show")
    found = snapshot.find(target.path)
    return DataVersion(found.path, found.id, snapshot.commit, snapshot)


def rules_snapshot(repo: Repository, rev: str | None) -> Snapshot:
    """Return what rules are read from: a commit, or the work tree when no revision is said."""
    return repo.work_snapshot() if rev is None else repo.snapshot(repo.resolve(rev))


class Tested:
    """One table made ready, and rules tested on it with complaints that name file, line and rule.

    Raises UsageError when the data is no table.
    """

    def __init__(self, data: DataVersion, *, seconds: float | None = None) -> None:
        from mlver.kinds.predicates.outcome import RuleTable  # duckdb, numpy and pyarrow

        try:
            units = data.snapshot.units(data.path)
            self.table = RuleTable(units, seconds=seconds) if seconds else RuleTable(units)
        except Unreadable as reason:
            raise UsageError(f"{data.path} is no table of rows: {reason}") from None
        self.data = data

    def outcomes(self, file: RuleFile) -> dict[str, Outcome]:
        """Return what comes of every rule of a file.

        Raises UsageError for a condition that is none, Refused for one that is more than that; both name file,
        line and rule.
        """
        from mlver.kinds.predicates.outcome import Forbidden, Malformed

        found: dict[str, Outcome] = {}
        with self.table.open() as opened:
            for key, rule in file.rules.items():
                try:
                    found[key] = opened.test(key, rule)
                except Malformed as reason:
                    raise UsageError(f"{file.where(key)}: {reason}", hint=_HINT) from None
                except Forbidden as reason:
                    raise Refused(f"{file.where(key)}: {reason}", hint=_HINT) from None
        return found

    def slices(self, column: str) -> Slices:
        """Return the parts of the table by the values of a column; UsageError when there is no such column."""
        from mlver.kinds.predicates.outcome import NoColumn

        try:
            return self.table.slices(column)
        except NoColumn as reason:
            raise UsageError(f"{self.data.path}: {reason}") from None
