"""`metrics list` and `metrics define`: what is measured, what it means and who owns it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from mlver.errors import Refused, UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.kinds.directions import direction
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.metric_facts import MetricName, MetricValue
from mlver.repo.metric_history import all_values
from mlver.repo.metric_policy import MetricDefinition, MetricPolicy, SliceDefinition, metric_policy
from mlver.repo.project import PROJECT_FILE, parse_project
from mlver.repo.repository import Repository
from mlver.storage import durable

_LIMIT = 16 << 20
_LONGEST = 200  # characters of a name


@frozen
class ListedMetric:
    """One metric: its definition (None: only recorded, never defined) and what was recorded of it.

    `last` is the value recorded last, `values` counts them all, `slices` names the parts it was measured on.
    `direction` is the declared one, else what its name says.
    """

    name: str
    direction: str | None
    definition: MetricDefinition | None
    values: int
    slices: tuple[str, ...]
    last: Value = None
    last_slice: str = ""
    last_commit: CommitId | None = None
    last_known: datetime | None = None


@frozen
class MetricListResult(Result):
    """Metrics by name, those of the product first; and the slices that are defined."""

    schema: ClassVar[str] = "mlver.metrics-list/v1"
    metrics: tuple[ListedMetric, ...]
    slices: tuple[SliceDefinition, ...]


@dataclass
class _Seen:
    """What was recorded of one metric."""

    count: int = 0
    slices: set[str] = field(default_factory=set)
    last: MetricValue | None = None


def list_metrics(repo: Repository, *, as_of: datetime | None = None) -> MetricListResult:
    """Return every metric that is defined or was ever recorded. UsageError when mlver.toml is malformed."""
    policy = metric_policy(repo.project())
    seen: dict[str, _Seen] = {name: _Seen() for name in policy.metrics}
    for value in all_values(repo, as_of=as_of):
        held = seen.setdefault(value.name, _Seen())
        held.count += 1
        held.slices.add(value.slice)
        if value.value is not None and (held.last is None or _later(value, held.last)):
            held.last = value
    listed = [_listed(name, held, policy) for name, held in seen.items()]
    listed.sort(key=lambda m: (not (m.definition and m.definition.product), m.definition is None, m.name))
    return MetricListResult(tuple(listed), tuple(policy.slices.values()))


def define_metric(
    repo: Repository,
    name: str,
    *,
    direction: str | None = None,
    unit: str | None = None,
    formula: str | None = None,
    window: str | None = None,
    owner: str | None = None,
    description: str | None = None,
    product: bool = False,
) -> MetricDefinition:
    """Write a definition to the mlver.toml of the work tree, as a new section at its end; return it.

    Raises Refused when the metric is defined already: what it means is changed by hand, with a reason.
    """
    if not name or len(name) > _LONGEST or MetricName.parse(name).slice is not None:
        raise UsageError(f"not a metric name: {name[:80]!r}", hint="a definition is of the metric on all slices")
    known = metric_policy(repo.project()).metrics
    if name in known:
        raise Refused(f"{known[name].where} is there already", hint=f"edit {PROJECT_FILE}; values of both never mix")
    said = {"direction": direction, "unit": unit, "formula": formula, "window": window, "owner": owner}
    lines = [f"{key} = {_quoted(text)}" for key, text in {**said, "description": description}.items() if text]
    lines += ["product = true"] if product else []
    path = repo.root / PROJECT_FILE
    try:
        before = durable.read_file(path, limit=_LIMIT).decode("utf-8")
    except FileNotFoundError:
        before = ""
    text = before + ("\n" if before.endswith("\n") else "\n\n" if before else "")
    after = text + "\n".join([f"[metrics.{_quoted(name)}]", *lines]) + "\n"
    definition = metric_policy(parse_project(after.encode())).metrics[name]  # what is malformed is not written
    durable.write_file(path, after.encode())
    return definition


def _quoted(text: str) -> str:
    """Return text as a TOML basic string."""
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    plain = (escapes.get(c, c if c.isprintable() or c == " " else f"\\U{ord(c):08x}") for c in text)
    return f'"{"".join(plain)}"'


def _later(value: MetricValue, other: MetricValue) -> bool:
    """Whether a value was learned later; of those learned at once the whole counts before its slices."""
    return (value.known, value.as_of, not value.slice) >= (other.known, other.as_of, not other.slice)


def _listed(name: str, seen: _Seen, policy: MetricPolicy) -> ListedMetric:
    definition = policy.metrics.get(name)
    declared = {name: definition.direction} if definition and definition.direction else {}
    last = seen.last
    return ListedMetric(
        name=name,
        direction=direction(name, declared),
        definition=definition,
        values=seen.count,
        slices=tuple(sorted(seen.slices)),
        last=last.value if last else None,
        last_slice=last.slice if last else "",
        last_commit=last.commit if last else None,
        last_known=last.known if last else None,
    )
