"""`metrics`: values learned about a commit, early or late; kept in the fact log, bitemporal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mlver.errors import LocalIO, UnknownRevision, UsageError
from mlver.kinds.base import Value
from mlver.objects.ids import BlobId, CommitId
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
from mlver.repo.repository import Repository
from mlver.repo.revisions import parse_target
from mlver.repo.transaction import record_facts, recorded
from mlver.repo.worktree import hash_stream, open_regular
from mlver.verbs.common import MetricDelta
from mlver.verbs.metric_deltas import metric_deltas

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
    commit = repo.resolve(rev)
    path, blob = _dataset(repo, commit, dataset) if dataset else (None, None)
    now = repo.now()
    facts: dict[tuple[str, str], Fact] = {}
    for name, part, value, size in flat_metrics(values, slice, sample_size(n, "n")):
        if (name, part) in facts:
            raise UsageError(f"metric given twice: {shown_metric(name, part)}")
        body = metric_body(name, part, value, path, blob, size)
        facts[name, part] = metric_fact(commit, body, at=as_of or now, known=now, by=repo.actor)
    if not facts:
        raise UsageError("no metric given", hint="mlver metrics add REV recall=0.93")
    record_facts(repo, f"metrics add {rev}", list(facts.values()))
    ids = {fact_id(fact) for fact in facts.values()}
    with recorded():
        added = tuple(value for value in recorded_metrics(repo, commit) if value.fact in ids)
        return MetricsResult(commit, repo.commit(commit).subject, added)


def _dataset(repo: Repository, commit: CommitId, text: str) -> tuple[str, BlobId]:
    """Return path and content id of a dataset: as `PATH@REV` names it, else as it lies here, else as in the commit."""
    target = parse_target(repo, text)
    if target.path is None or target.unit is not None:
        raise UsageError(f"not a dataset: {text}", hint="name a file of the commit or the work tree")
    if target.rev is None and repo.in_work_tree(target.path):
        with open_regular(repo.root, target.path) as stream:
            return target.path, hash_stream(stream)
    snapshot = repo.snapshot(repo.resolve(target.rev) if target.rev else commit)
    if target.path not in snapshot and target.rev is None:
        raise UnknownRevision(f"no dataset {target.path}, neither here nor in {commit.short}", hint="mlver show")
    return target.path, snapshot[target.path].id


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
    values = metric_values(repo, commit, as_of, names, files=True, history=history)
    return MetricsResult(commit, repo.commit(commit).subject, tuple(values), history, as_of)


def diff_metrics(
    repo: Repository,
    old: str,
    new: str,
    *,
    as_of: datetime | None = None,
    names: Sequence[str] = (),
    files: bool = True,
) -> MetricsDiffResult:
    """Compare the metrics of two commits; a value measured on different dataset versions is flagged.

    `files=False` leaves out the metrics files of the commits, and compares what was recorded alone.
    """
    before, after = repo.resolve(old), repo.resolve(new)

    def known(commit: CommitId) -> list[MetricValue]:
        values = metric_values(repo, commit, as_of, names, files=files)
        return [value for value in values if value.fact or value.path]

    return MetricsDiffResult(before, after, metric_deltas(known(before), known(after), _directions(repo, after)))


def _directions(repo: Repository, commit: CommitId) -> Mapping[str, str]:
    """Return which way each metric is better, as mlver.toml says now, or as `commit` had it if it cannot be read."""
    try:
        return repo.project().directions
    except (UsageError, LocalIO):
        return repo.snapshot(commit).project.directions
