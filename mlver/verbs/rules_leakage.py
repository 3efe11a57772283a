"""`rules leakage`: does data that judges a model hold what the model was trained on?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Unreadable
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.repo.leakage_facts import Leakage, leakage_fact
from mlver.repo.repository import Repository
from mlver.repo.transaction import record_facts
from mlver.verbs.rule_data import DataVersion, find_data

if TYPE_CHECKING:
    from mlver.kinds.tables.mixing import Mask
    from mlver.kinds.tables.units import TableUnits

KEY, ROWS, LABEL, LATER = "key", "rows", "label", "later"
_LABELS = ("label", "target", "y", "class")


@frozen
class Leak:
    """One way in which something leaked.

    `sort` is `key` (rows that training has by the same name), `rows` (rows that say the same under another name),
    `label` (a column of training that tells the label) or `later` (rows of training that are not older than the
    oldest row that judges). `count` rows (of `label`: of the column) of `of`; `keys` name the first.
    """

    sort: str
    text: str
    count: int
    of: int
    column: str | None = None
    keys: tuple[str, ...] = ()


@frozen
class LeakageResult(Result):
    """Two versions of data compared. `unchecked` says what could not be looked for, and why."""

    schema: ClassVar[str] = "mlver.rules-leakage/v1"
    train: str
    train_id: BlobId
    train_rows: int
    data: str
    data_id: BlobId
    commit: CommitId | None
    rows: int
    label: str | None
    time: str | None
    leaks: tuple[Leak, ...] = ()
    unchecked: tuple[str, ...] = ()
    recorded: bool = False


def find_leakage(
    repo: Repository,
    train: str,
    data: str,
    *,
    label: str | None = None,
    time: str | None = None,
    limit: int = 10,
    record: bool = True,
) -> LeakageResult:
    """Compare data of training with data that judges; each is PATH or PATH@REV.

    `label` is the column to foretell (else one named label, target, y or class), `time` the one that orders rows
    (else the only one of dates or times). At most `limit` rows are named. The answer is recorded as a fact bound
    to both contents, unless `record` is false. Raises UsageError for what is no table and for unknown columns.
    """
    first, second = _Side(find_data(repo, train)), _Side(find_data(repo, data))
    looked = _Looked(first, second, first.named(label, _LABELS), time, limit)
    leaks = tuple(looked.leaks())
    if record:
        now, counts = repo.now(), {leak.sort: 0 for leak in leaks}
        for leak in leaks:
            counts[leak.sort] += 1 if leak.sort == LABEL else leak.count
        found = Leakage(
            second.data.path, second.data.id, second.rows, first.data.path, first.data.id, now, repo.actor,
            looked.label, counts,
        )  # fmt: skip
        fact = leakage_fact(found, commit=second.data.commit, known=now)
        record_facts(repo, f"rules leakage {first.data.path} {second.data.path}", [fact])
    return LeakageResult(
        first.data.path, first.data.id, first.rows, second.data.path, second.data.id, second.data.commit, second.rows,
        looked.label, looked.time, leaks, tuple(looked.unchecked), record,
    )  # fmt: skip


class _Side:
    """One table. Raises UsageError when the data is none."""

    def __init__(self, data: DataVersion) -> None:
        from mlver.kinds.tables.units import TableUnits  # numpy and pyarrow

        try:
            units = data.snapshot.units(data.path)
        except Unreadable as reason:
            raise UsageError(f"{data.path} is no table of rows: {reason}") from None
        if not isinstance(units, TableUnits):
            raise UsageError(f"{data.path} is no table of rows")
        self.data = data
        self.units: TableUnits = units
        self.rows = int(units.table.num_rows)
        self.columns: list[str] = units.table.column_names

    def named(self, column: str | None, usual: tuple[str, ...]) -> str | None:
        """Return the column asked for, else one that is usually named so; UsageError when there is none such."""
        if column is not None and column not in self.columns:
            raise UsageError(f"{self.data.path} has no column {column}", hint=", ".join(self.columns)[:100])
        return column or next((name for name in usual if name in self.columns), None)

    def keys(self, rows: Mask, limit: int) -> tuple[str, ...]:
        """Return what names the first of these rows."""
        return tuple(self.units.keying.texts(rows.nonzero()[0][:limit]))


class _Looked:
    """Looks for one sort of leak after the other; `unchecked` fills up on the way."""

    def __init__(self, train: _Side, judged: _Side, label: str | None, time: str | None, limit: int) -> None:
        self.train, self.judged, self.label, self.limit = train, judged, label, limit
        self.time = time
        self.unchecked: list[str] = []

    def leaks(self) -> Iterator[Leak]:
        """Yield what is found, the surest first."""
        yield from self._rows()
        yield from self._copies()
        yield from self._later()

    def _rows(self) -> Iterator[Leak]:
        from mlver.kinds.tables.leakage import same_keys, same_rows

        by_key = same_keys(self.train.units, self.judged.units)
        if by_key is None:
            self.unchecked.append("rows by name: the two tables are not named by the same columns")
        elif by_key.rows.any():
            yield self._leak(KEY, f"rows of the same {', '.join(by_key.columns)}", by_key.rows)
        alike = same_rows(self.train.units, self.judged.units, self.label)
        if alike is None:
            self.unchecked.append("rows by content: fewer than 3 columns besides key and label are common")
        elif alike.rows.any():
            yield self._leak(ROWS, f"rows that say the same in all {len(alike.columns)} common columns", alike.rows)

    def _copies(self) -> Iterator[Leak]:
        from mlver.kinds.tables.leakage import label_copies

        if self.label is None:
            self.unchecked.append("columns that tell the label: no column is called so (--label)")
            return
        for name in label_copies(self.train.units, self.label):
            yield Leak(LABEL, f"{name} tells {self.label}", self.train.rows, self.train.rows, name)

    def _later(self) -> Iterator[Leak]:
        from mlver.kinds.tables.leakage import later_rows, moments

        self.time = self.train.named(self.time, ()) or self._moment(moments(self.train.units, self.judged.units))
        if self.time is None:
            return
        self.judged.named(self.time, ())
        found = later_rows(self.train.units, self.judged.units, self.time)
        if found is None:
            self.unchecked.append(f"order in time: {self.time} does not order the rows of both")
        elif found.rows.any():
            text = f"rows of training from {found.first} on, when those that judge begin"
            yield Leak(LATER, text, int(found.rows.sum()), self.train.rows, self.time,
                       self.train.keys(found.rows, self.limit))  # fmt: skip

    def _moment(self, found: list[str]) -> str | None:
        if len(found) == 1:
            return found[0]
        why = f"several columns are times: {', '.join(found)}" if found else "no column is one of times"
        self.unchecked.append(f"order in time: {why} (--time)")
        return None

    def _leak(self, sort: str, text: str, rows: Mask) -> Leak:
        return Leak(sort, text, int(rows.sum()), self.judged.rows, keys=self.judged.keys(rows, self.limit))
