"""Models beside versions of data: one metric, every model, every version of every dataset it was measured on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from mlver.errors import UnknownRevision
from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.repo.dataset_use import uses
from mlver.repo.history import walk
from mlver.repo.metric_facts import MetricName, MetricValue, newer
from mlver.repo.metric_history import DatasetVersion, all_values, dataset_versions
from mlver.repo.metric_policy import DefinitionId, metric_policy
from mlver.repo.model_commits import model_commits, model_since
from mlver.repo.repository import Repository
from mlver.verbs.common import refs_by_commit

VALUE, UNKNOWN, NOT_EVALUATED = "value", "unknown", "not evaluated"


@frozen
class GridColumn:
    """One version of a dataset. `uses` counts the promotions that a gate decided on it."""

    dataset: str
    id: BlobId
    version: str
    since: datetime
    uses: int = 0


@frozen
class GridCell:
    """What is known of one model on one version: `state` is `value`, `unknown` or `not evaluated`.

    `redefined` marks a value whose definition is not the one of mlver.toml now.
    """

    state: str
    value: Value = None
    n: int | None = None
    as_of: datetime | None = None
    by: str | None = None
    redefined: bool = False


@frozen
class GridRow:
    """One commit; `since` is when its model came about. A cell per column."""

    commit: CommitId
    subject: str
    refs: tuple[str, ...]
    since: datetime
    cells: tuple[GridCell, ...]


@frozen
class GridResult(Result):
    """One metric: models, newest first, by versions of datasets, oldest first."""

    schema: ClassVar[str] = "mlver.metrics-matrix/v1"
    name: str
    slice: str
    columns: tuple[GridColumn, ...]
    rows: tuple[GridRow, ...]
    as_of: datetime | None = None


@frozen
class AgeRow:
    """One model on one version of data; `days` is how much younger the data is than the model, None when unknown."""

    commit: CommitId
    subject: str
    refs: tuple[str, ...]
    trained: datetime
    dataset: str
    version: str
    data_since: datetime
    days: float
    cell: GridCell


@frozen
class AgeResult(Result):
    """How a metric goes with the age of the model: by model, newest first, then by age of the data."""

    schema: ClassVar[str] = "mlver.metrics-age/v1"
    name: str
    slice: str
    rows: tuple[AgeRow, ...]
    as_of: datetime | None = None


def metrics_matrix(
    repo: Repository,
    metric: str,
    *,
    on: Sequence[str] = (),
    revs: Sequence[str] = (),
    as_of: datetime | None = None,
) -> GridResult:
    """Return a metric (`recall`, `recall{clinic=C}`) of every model on every version of data.

    Rows are the commits that brought a model, were live, are tagged or have a value; `revs` (also `a..b`) names
    others. Columns are all versions measured on and the current one, of the paths in `on` or of all. What
    nobody measured is `not evaluated`.
    """
    named = MetricName.parse(metric)
    part = named.slice or ""
    values = list(all_values(repo, name=named.name, slice=part, as_of=as_of))
    values = [v for v in values if not v.estimate and v.dataset_id and (not on or v.dataset in on)]
    columns = _columns(repo, values, on)
    newest: dict[tuple[CommitId, BlobId], MetricValue] = {}
    for value in values:
        assert value.dataset_id is not None
        key = (value.commit, value.dataset_id)
        if key not in newest or newer(value, newest[key]):
            newest[key] = value
    definition = metric_policy(repo.project()).definition(named.name, part)
    refs = refs_by_commit(repo)
    rows = []
    for commit in _models(repo, revs, {value.commit for value in values}):
        cells = tuple(_cell(newest.get((commit, column.id)), definition) for column in columns)
        subject = repo.commit(commit).subject
        rows.append(GridRow(commit, subject, refs.get(commit, ()), model_since(repo, commit), cells))
    return GridResult(named.name, part, columns, tuple(rows), as_of)


def metrics_age(
    repo: Repository,
    metric: str,
    *,
    on: Sequence[str] = (),
    revs: Sequence[str] = (),
    as_of: datetime | None = None,
) -> AgeResult:
    """Return how a metric of each model goes with the age of the data, from what was stored; see `metrics_matrix`."""
    grid = metrics_matrix(repo, metric, on=on, revs=revs, as_of=as_of)
    found: list[AgeRow] = []
    for row in grid.rows:
        aged = [_aged(row, column, cell) for column, cell in zip(grid.columns, row.cells, strict=True)]
        found += sorted(aged, key=lambda age: age.days)
    return AgeResult(grid.name, grid.slice, tuple(found), as_of)


def revisions(repo: Repository, words: Sequence[str]) -> list[CommitId]:
    """Return the commits that words name, each once: revisions, and `a..b` for those after a up to b, oldest first."""
    found: list[CommitId] = []
    for word in words:
        first, dots, last = word.partition("..")
        if dots and not repo.is_revision(word):
            ends = repo.resolve(first or "HEAD"), repo.resolve(last or "HEAD")
            found += reversed([id for id, _ in walk(repo, [ends[1]], [ends[0]])])
        else:
            found.append(repo.resolve(word))
    return list(dict.fromkeys(found))


def _models(repo: Repository, revs: Sequence[str], measured: Iterable[CommitId]) -> list[CommitId]:
    if revs:
        return revisions(repo, revs)
    models = model_commits(repo)
    others = [commit for commit in measured if commit not in set(models) and repo.knows(commit)]
    return sorted([*models, *others], key=lambda id: repo.commit(id).time, reverse=True)


def _columns(repo: Repository, values: Sequence[MetricValue], on: Sequence[str]) -> tuple[GridColumn, ...]:
    head = repo.head_snapshot().artifacts
    found: list[GridColumn] = []
    for path in dict.fromkeys([*on, *(value.dataset for value in values if value.dataset)]):
        wanted = {value.dataset_id for value in values if value.dataset == path}
        wanted |= {head[path].id} if path in head else set()
        if not wanted:
            raise UnknownRevision(f"no dataset {path} in HEAD, and nothing measured on it", hint="mlver metrics log")
        found += [_column(repo, version) for version in dataset_versions(repo, path) if version.id in wanted]
    return tuple(sorted(found, key=lambda column: (column.dataset, column.since)))


def _column(repo: Repository, version: DatasetVersion) -> GridColumn:
    return GridColumn(version.dataset, version.id, version.label, version.since, uses(repo, version.id))


def _cell(value: MetricValue | None, definition: DefinitionId | None) -> GridCell:
    if value is None:
        return GridCell(NOT_EVALUATED)
    redefined = None not in (value.definition, definition) and value.definition != definition
    state = UNKNOWN if value.value is None else VALUE
    return GridCell(state, value.value, value.n, value.as_of, value.by, redefined)


def _aged(row: GridRow, column: GridColumn, cell: GridCell) -> AgeRow:
    days = (column.since - row.since).total_seconds() / 86_400
    return AgeRow(
        row.commit, row.subject, row.refs, row.since, column.dataset, column.version, column.since, days, cell
    )
