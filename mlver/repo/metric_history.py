"""Metric values of all commits together: what was ever measured, by whom, on which versions of a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from mlver.frozen import frozen
from mlver.index.facts import micros
from mlver.objects.ids import BlobId, CommitId, FactId, TreeId
from mlver.repo.facts import row_fact
from mlver.repo.history import all_heads, walk
from mlver.repo.metric_facts import METRIC, MetricValue, fact_value
from mlver.repo.snapshot import read_tree
from mlver.repo.subjects import subject_commit

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

ENOUGH = 4  # values of other commits, below which nothing is said of their spread
_NORMAL = 1.4826  # times the median absolute deviation is the standard deviation of a normal distribution
_NORMAL_MEAN = 1.2533  # and times the mean absolute deviation
_LEAST = 0.01  # of the median: what never moved is not thereby infinitely steady
_NEWEST = 20_000  # facts that are looked at for a spread
_LATEST = (1 << 63) - 1
_MEASURED = """
SELECT "commit", coalesce(json_extract(body, '$.name'), ''), coalesce(json_extract(body, '$.slice'), ''),
    json_extract(body, '$.dataset'),
    CASE WHEN json_extract(body, '$.value') IN ('NaN', 'Infinity', '-Infinity') THEN 9e999
        WHEN json_type(body, '$.value') != 'text' THEN CAST(json_extract(body, '$.value') AS REAL) END AS measured,
    at, known
FROM fact WHERE batch IN reach AND type = :type AND "commit" IS NOT NULL AND known <= :then
    AND number > (SELECT max(number) FROM fact) - :newest AND json_extract(body, '$.estimate') IS NOT 1
    AND json_type(body, '$.value') IN ('integer', 'real', 'text') AND measured IS NOT NULL ORDER BY number
"""


@frozen
class DatasetVersion:
    """One version of a dataset: `number` counts from 1 in the order in which versions appeared.

    `since` is when it was first committed, or first measured on when it never was.
    """

    dataset: str
    id: BlobId
    number: int
    since: datetime

    @property
    def label(self) -> str:
        """`v1`, `v2` ..."""
        return f"v{self.number}"


def all_values(
    repo: Repository,
    *,
    name: str | None = None,
    slice: str | None = None,
    dataset: str | None = None,
    as_of: datetime | None = None,
) -> Iterator[MetricValue]:
    """Yield every recorded value of every commit in the order of the log, estimates too; None keeps all of a kind."""
    if repo.facts.head is None:
        return
    wanted = {"name": name, "slice": slice, "dataset": dataset}
    conditions = ["type = :type", '"commit" IS NOT NULL']
    conditions += [f"coalesce(json_extract(body, '$.{key}'), '') = :{key}" for key in wanted if wanted[key] is not None]
    conditions += ["known <= :then"] if as_of else []
    values = {**wanted, "type": METRIC, "then": micros(as_of) if as_of else None}
    for row in repo.facts.index.facts(repo.facts.roots, " AND ".join(conditions), values):
        assert row.id is not None
        fact = row_fact(row)
        commit = subject_commit(fact.subject)
        if commit is not None:
            yield fact_value(commit, FactId(row.id), fact)


class _Measured(NamedTuple):
    """A number that was measured of a commit; times in microseconds."""

    commit: CommitId
    name: str
    slice: str
    dataset: str | None
    number: float
    at: int
    known: int


class UsualMoves:
    """How much metrics have varied from commit to commit: the measure of what is a large change."""

    def __init__(self, values: Iterable[_Measured], without: CommitId) -> None:
        newest: dict[tuple[str, str, str | None], dict[CommitId, _Measured]] = {}
        for value in values:
            if value.commit == without:
                continue
            held = newest.setdefault((value.name, value.slice, value.dataset), {})
            before = held.get(value.commit)
            if before is None or (before.at, before.known) <= (value.at, value.known):  # as metric_facts.newer
                held[value.commit] = value
        self._values = {key: [v.number for v in held.values()] for key, held in newest.items()}

    def spread(self, name: str, slice: str, dataset: str | None) -> float | None:
        """Return the usual variation of a metric, in its own unit; None when too little was measured to say."""
        return spread(self._values.get((name, slice, dataset), ()))


def spread(values: Sequence[float]) -> float | None:
    """Return how much `values` vary, robustly: scaled to the standard deviation of normal values. None for too few.

    The median absolute deviation (Hampel, JASA 69, 1974); the mean one where most values are the same; never
    less than a hundredth of the median, so that what never moved can still move by a finite measure.
    """
    finite = [value for value in values if abs(value) <= 1e300]  # neither NaN nor near an overflow
    if len(finite) < ENOUGH:
        return None
    middle = median(finite)
    away = [abs(value - middle) for value in finite]
    found = _NORMAL * median(away) or _NORMAL_MEAN * fmean(away)
    return max(found, _LEAST * abs(middle)) or None


def usual_moves(repo: Repository, without: CommitId, as_of: datetime | None = None) -> UsualMoves:
    """Return how much metrics varied among all commits but one, from the newest twenty thousand values."""
    if repo.facts.head is None:
        return UsualMoves((), without)
    values = {"type": METRIC, "then": micros(as_of) if as_of else _LATEST, "newest": _NEWEST}
    rows = repo.facts.index.select(repo.facts.roots, _MEASURED, values)
    return UsualMoves((_Measured(CommitId.parse(row[0]), *row[1:]) for row in rows), without)


def dataset_versions(repo: Repository, dataset: str) -> list[DatasetVersion]:
    """Return every version of a dataset that was committed or measured on, in order of appearance."""
    found: dict[BlobId, datetime] = {}
    seen: dict[tuple[TreeId, str], BlobId | None] = {}
    for _, commit in reversed(list(walk(repo, all_heads(repo)))):
        blob = _blob(repo, commit.tree, dataset, seen)
        if blob is not None:
            found.setdefault(blob, commit.time)
    for value in all_values(repo, dataset=dataset):
        if value.dataset_id is not None:
            found.setdefault(value.dataset_id, value.known)
    return [DatasetVersion(dataset, id, n, since) for n, (id, since) in enumerate(found.items(), 1)]


def _blob(repo: Repository, tree: TreeId, path: str, seen: dict[tuple[TreeId, str], BlobId | None]) -> BlobId | None:
    """Return the blob at a path of a tree; each folder is read once however many commits share it."""
    if (tree, path) not in seen:
        name, slash, rest = path.partition("/")
        entry = next((entry for entry in read_tree(repo.store, tree).entries if entry.name == name), None)
        if entry is None or isinstance(entry.id, TreeId) != bool(slash):
            seen[tree, path] = None
        elif isinstance(entry.id, TreeId):
            seen[tree, path] = _blob(repo, entry.id, rest, seen)
        else:
            seen[tree, path] = entry.id
    return seen[tree, path]
