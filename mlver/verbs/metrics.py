"""`metrics`: values learned about a commit, early or late; kept in the fact log, bitemporal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mlver.kinds.base import Value
from mlver.objects.ids import BlobId, CommitId, FactId
from mlver.objects.result import Result
from mlver.repo.repository import Repository
from mlver.verbs.common import MetricDelta


@dataclass(frozen=True)
class MetricValue:
    """One value: of which commit, metric and slice, on which dataset version, of how many samples.

    `as_of` says which labels it rests on, `known` when it was recorded here, `by` who did.
    """

    commit: CommitId
    name: str
    slice: str
    value: Value
    dataset: str | None
    dataset_id: BlobId | None
    n: int | None
    as_of: datetime
    known: datetime
    by: str
    fact: FactId | None = None


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class MetricsDiffResult(Result):
    """Metrics of two commits beside each other, worst first."""

    schema: ClassVar[str] = "mlver.metrics-diff/v1"
    old: CommitId
    new: CommitId
    metrics: tuple[MetricDelta, ...]


def add_metrics(
    repo: Repository,
    rev: str,
    values: Mapping[str, Value],
    *,
    slice: str = "",
    dataset: str | None = None,
    n: int | None = None,
    as_of: datetime | None = None,
) -> MetricsResult:
    """Record metric values of a commit. The commit does not change.

    A name may carry its slice: `recall{clinic=C}`. A nested mapping `{"C": {"recall": 0.4, "n": 26}}`
    gives one value per slice (`*` or empty is everything; `n` is the sample size). `dataset` is a path
    in the commit or the work tree and is pinned by content. Values are numbers, or None for unknown.
    """
    raise NotImplementedError


def show_metrics(
    repo: Repository, rev: str = "HEAD", *, as_of: datetime | None = None, names: Sequence[str] = (), history: bool = False
) -> MetricsResult:
    """Return the metrics of a commit as known now, or as they were known at the moment `as_of`."""
    raise NotImplementedError


def diff_metrics(
    repo: Repository, old: str, new: str, *, as_of: datetime | None = None, names: Sequence[str] = ()
) -> MetricsDiffResult:
    """Compare the metrics of two commits; a value measured on different dataset versions is flagged."""
    raise NotImplementedError
