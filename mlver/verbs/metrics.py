"""`metrics`: values learned about a commit, early or late; kept in the fact log, bitemporal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import ClassVar

from mlver.errors import LocalIO, UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.objects.state import Fact
from mlver.repo.facts import fact_id
from mlver.repo.metric_documents import flat_metrics, sample_size, shown_metric
from mlver.repo.metric_facts import (
    MetricValue,
    metric_body,
    metric_fact,
    metric_values,
    recorded_metrics,
)
from mlver.repo.metric_history import UsualMoves, usual_moves
from mlver.repo.metric_policy import metric_policy
from mlver.repo.repository import Repository
from mlver.repo.transaction import record_facts, recorded
from mlver.verbs.common import MetricDelta
from mlver.verbs.metric_dataset import dataset_of
from mlver.verbs.metric_deltas import INCOMPARABLE, metric_deltas
from mlver.verbs.metric_doubts import Obstacles

__all__ = [
    "MetricValue",
    "MetricsDiffResult",
    "MetricsResult",
    "add_metrics",
    "diff_metrics",
    "metric_deltas",
    "metric_values",
    "show_metrics",
]


@frozen
class MetricsResult(Result):
    """Metric values of one commit (or added just now), by name and slice; newest `as_of` wins.

    `history` true means that all values ever recorded are listed, not only the newest.
    """

    schema: ClassVar[str] = "mlver.metrics/v1"
    commit: CommitId
    subject: str
    values: tuple[MetricValue, ...]
    history: bool = False
    as_of: datetime | None = None


@frozen
class MetricsDiffResult(Result):
    """Metrics of two commits beside each other, worst first.

    `left` counts those that differ and were left out because only the top was asked for.
    """

    schema: ClassVar[str] = "mlver.metrics-diff/v1"
    old: CommitId
    new: CommitId
    metrics: tuple[MetricDelta, ...]
    left: int = 0

    @property
    def incomparable(self) -> bool:
        """Whether there are values that must not be ranked."""
        return any(metric.verdict == INCOMPARABLE for metric in self.metrics)


def add_metrics(
    repo: Repository,
    rev: str,
    values: Mapping[str, Value],
    *,
    slice: str = "",
    dataset: str | None = None,
    n: int | None = None,
    as_of: datetime | None = None,
    window: str | None = None,
    estimate: bool = False,
) -> MetricsResult:
    """Record metric values of a commit. The commit does not change.

    A name may carry its slice: `recall{clinic=C}`. A nested mapping `{"C": {"recall": 0.4, "n": 26}}`
    gives one value per slice (`*` or empty is everything; `n` is the sample size). `dataset` is a path
    in the commit or the work tree and is pinned by content. Values are numbers, or None for unknown.
    `window` is the stretch of time they cover; `estimate` marks what was estimated without labels, and is
    never compared with what was measured. Each value carries the definition that mlver.toml gives its metric.
    """
    commit = repo.resolve(rev)
    path, blob = dataset_of(repo, commit, dataset) if dataset else (None, None)
    policy = metric_policy(repo.project())
    now = repo.now()
    facts: dict[tuple[str, str], Fact] = {}
    for name, part, value, size in flat_metrics(values, slice, sample_size(n, "n")):
        if (name, part) in facts:
            raise UsageError(f"metric given twice: {shown_metric(name, part)}")
        definition = policy.definition(name, part)
        body = metric_body(name, part, value, path, blob, size, window=window, definition=definition, estimate=estimate)
        facts[name, part] = metric_fact(commit, body, at=as_of or now, known=now, by=repo.actor)
    if not facts:
        raise UsageError("no metric given", hint="mlver metrics add REV recall=0.93")
    record_facts(repo, f"metrics add {rev}", list(facts.values()))
    ids = {fact_id(fact) for fact in facts.values()}
    with recorded():
        added = tuple(value for value in recorded_metrics(repo, commit) if value.fact in ids)
        return MetricsResult(commit, repo.commit(commit).subject, added)


def show_metrics(
    repo: Repository,
    rev: str = "HEAD",
    *,
    as_of: datetime | None = None,
    names: Sequence[str] = (),
    history: bool = False,
) -> MetricsResult:
    """Return the metrics of a commit as known now, or as they were known at the moment `as_of`.

    Those recorded for it and those in its metrics files. A name asked for of which nothing was known
    then is listed with the value None: unknown.
    """
    commit = repo.resolve(rev)
    values = metric_values(repo, commit, as_of, names, files=True, history=history, estimates=True)
    return MetricsResult(commit, repo.commit(commit).subject, tuple(values), history, as_of)


def diff_metrics(
    repo: Repository,
    old: str,
    new: str,
    *,
    as_of: datetime | None = None,
    names: Sequence[str] = (),
    files: bool = True,
    top: int | None = None,
) -> MetricsDiffResult:
    """Compare the metrics of two commits, worst first; what was measured on other data or defined otherwise is
    not ranked but said to be incomparable.

    `files=False` leaves out the metrics files of the commits, and compares what was recorded alone. `top`
    keeps so many of those that differ.
    """
    before, after = repo.resolve(old), repo.resolve(new)

    def known(commit: CommitId) -> list[MetricValue]:
        values = metric_values(repo, commit, as_of, names, files=files, estimates=True)
        return [value for value in values if value.fact or value.path]

    @cache
    def past() -> UsualMoves:
        return usual_moves(repo, after, as_of)

    def usual(name: str, slice: str, dataset: str | None) -> float | None:
        return past().spread(name, slice, dataset)

    directions = _directions(repo, after)
    deltas = metric_deltas(known(before), known(after), directions, forbids=Obstacles(repo), usual=usual)
    if top is None:
        return MetricsDiffResult(before, after, deltas)
    told = [delta for delta in deltas if delta.verdict != "same"]
    return MetricsDiffResult(before, after, tuple(told[:top]), max(0, len(told) - top))


def _directions(repo: Repository, commit: CommitId) -> Mapping[str, str]:
    """Return which way each metric is better, as mlver.toml says now, or as `commit` had it if it cannot be read."""
    try:
        return repo.project().directions
    except (UsageError, LocalIO):
        return repo.snapshot(commit).project.directions
