"""`metrics show --by`: who measures what on which data. "Does every engineer use the same validation datasets?" """

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.metric_facts import MetricName, MetricValue, recorded_metrics
from mlver.repo.metric_history import all_values
from mlver.repo.repository import Repository
from mlver.verbs.metric_doubts import Obstacles

FIELDS = ("author", "dataset", "name", "slice", "commit")


@frozen
class MetricGroup:
    """Values that share what they are grouped `by` (field -> text), newest first by `last`.

    A dataset is told with its version: `data/val/static.csv v2`.
    """

    by: dict[str, str]
    values: int
    commits: int
    names: tuple[str, ...]
    last: datetime


@frozen
class MetricGroupsResult(Result):
    """Groups of values, and `differ`: a line for each dataset of which people last used different versions."""

    schema: ClassVar[str] = "mlver.metrics-groups/v1"
    fields: tuple[str, ...]
    groups: tuple[MetricGroup, ...]
    differ: tuple[str, ...]


@dataclass
class _Group:
    """Values as they are counted."""

    commits: set[CommitId] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    count: int = 0
    last: datetime | None = None


def group_metrics(
    repo: Repository,
    fields: Sequence[str],
    *,
    rev: str | None = None,
    names: Sequence[str] = (),
    as_of: datetime | None = None,
) -> MetricGroupsResult:
    """Count the recorded values of one commit, or of all, by `author`, `dataset`, `name`, `slice` or `commit`."""
    if unknown := [name for name in fields if name not in FIELDS]:
        raise UsageError(f"cannot group by {unknown[0]!r}", hint=f"by {', '.join(FIELDS)}")
    found = all_values(repo, as_of=as_of) if rev is None else recorded_metrics(repo, repo.resolve(rev), as_of)
    wanted = [MetricName.parse(name) for name in names]
    values = [v for v in found if not wanted or any(name.covers(v.name, v.slice) for name in wanted)]
    labels = Obstacles(repo)
    groups: dict[tuple[str, ...], _Group] = {}
    for value in values:
        group = groups.setdefault(tuple(_of(value, name, labels) for name in fields), _Group())
        group.commits.add(value.commit)
        group.names.add(value.name)
        group.count += 1
        group.last = max(group.last, value.known) if group.last else value.known
    rows = [_told(fields, key, group) for key, group in groups.items()]
    rows.sort(key=lambda row: (row.last, tuple(row.by.values())), reverse=True)
    return MetricGroupsResult(tuple(fields), tuple(rows), tuple(_differ(values, labels)))


def _of(value: MetricValue, name: str, labels: Obstacles) -> str:
    if name == "author":
        return value.by
    if name == "dataset":
        version = labels.label(value)
        return f"{value.dataset} {version}" if version else value.dataset or "not said"
    if name == "commit":
        return value.commit.short
    return value.slice or "all" if name == "slice" else value.name


def _told(fields: Sequence[str], key: Sequence[str], group: _Group) -> MetricGroup:
    assert group.last is not None
    by = dict(zip(fields, key, strict=True))
    return MetricGroup(by, group.count, len(group.commits), tuple(sorted(group.names)), group.last)


def _differ(values: Iterable[MetricValue], labels: Obstacles) -> list[str]:
    """Return a line for each dataset of which people used different versions last."""
    last: dict[str, dict[str, MetricValue]] = {}
    for value in values:
        if value.dataset is None or value.dataset_id is None:
            continue
        held = last.setdefault(value.dataset, {})
        if value.by not in held or held[value.by].known <= value.known:
            held[value.by] = value
    lines = []
    for dataset, people in sorted(last.items()):
        if len({value.dataset_id for value in people.values()}) > 1:
            told = ", ".join(f"{by} {labels.label(value)}" for by, value in sorted(people.items()))
            lines.append(f"{dataset}: {told}")
    return lines
