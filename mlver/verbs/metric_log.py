"""`metrics log`: every value of a metric as it became known, and how long after serving that was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from statistics import median
from typing import ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.ledger import ledger_of
from mlver.repo.metric_facts import MetricName, MetricValue
from mlver.repo.metric_history import all_values
from mlver.repo.repository import Repository
from mlver.verbs.metric_doubts import Obstacles


@frozen
class LoggedValue:
    """One value as it became known.

    `served` is when its commit first went live, else when it was committed (`live` tells which). `delay` is how
    many seconds after that the labels it rests on were in, `later` how many until it was recorded; None when
    that was before. `version` names the version of the dataset, `v2`; `subject` is None when the commit is not here.
    """

    value: MetricValue
    subject: str | None
    served: datetime
    live: bool
    delay: float | None
    later: float | None
    version: str | None = None


@frozen
class MetricLogResult(Result):
    """Values of one metric, newest first. `median_delay` is in seconds, of what was measured after going live."""

    schema: ClassVar[str] = "mlver.metrics-log/v1"
    name: str
    values: tuple[LoggedValue, ...]
    median_delay: float | None = None
    more: bool = False
    as_of: datetime | None = None


def log_metric(
    repo: Repository,
    metric: str,
    *,
    on: Sequence[str] = (),
    limit: int | None = None,
    as_of: datetime | None = None,
) -> MetricLogResult:
    """List every value ever recorded of a metric (`recall`: of all slices; `recall{clinic=C}`; `recall{}`).

    Estimates and values that were superseded are there too. `on` keeps datasets, `limit` the newest.
    """
    if limit is not None and limit < 0:
        raise UsageError(f"a limit cannot be negative: {limit}")
    named = MetricName.parse(metric)
    values = [v for v in all_values(repo, name=named.name, slice=named.slice, as_of=as_of) if not on or v.dataset in on]
    first: dict[CommitId, datetime] = {}
    for entry in ledger_of(repo):
        first.setdefault(entry.live.commit, entry.since)
    labels = Obstacles(repo)
    values.sort(key=lambda value: (value.known, value.as_of), reverse=True)
    logged = [_logged(repo, value, first.get(value.commit), labels) for value in values]
    delays = [item.delay for item in logged if item.live and item.delay]
    shown = logged if limit is None else logged[:limit]
    return MetricLogResult(metric, tuple(shown), median(delays) if delays else None, len(shown) < len(logged), as_of)


def _logged(repo: Repository, value: MetricValue, live: datetime | None, labels: Obstacles) -> LoggedValue:
    commit = repo.commit(value.commit) if repo.knows(value.commit) else None
    served = live or (commit.time if commit else value.as_of)
    delay, later = ((moment - served).total_seconds() for moment in (value.as_of, value.known))
    return LoggedValue(
        value=value,
        subject=commit.subject if commit else None,
        served=served,
        live=live is not None,
        delay=delay if delay >= 0 else None,
        later=later if later >= 0 else None,
        version=labels.label(value),
    )
