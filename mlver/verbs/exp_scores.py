"""Experiments by one metric: values that may be ranked together, and those that may not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mlver.errors import UnknownRevision, UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.kinds.directions import direction
from mlver.objects.ids import CommitId
from mlver.repo.experiments import Experiment
from mlver.repo.metric_documents import shown_metric
from mlver.repo.metric_facts import MetricName, MetricValue
from mlver.verbs.exp_trials import Lab


@frozen
class Scores:
    """One metric of many experiments: `values` by commit, `higher` whether more is better.

    `left_out` says of the others why they are not ranked: not measured, or not comparable.
    """

    metric: str
    higher: bool
    values: dict[CommitId, float]
    left_out: dict[CommitId, str]

    def better(self, a: CommitId, b: CommitId) -> bool:
        """Whether `a` is better than `b`; both are in `values`."""
        return self.values[a] > self.values[b] if self.higher else self.values[a] < self.values[b]

    def ranked(self) -> list[CommitId]:
        """Return the commits, best first; of equal ones the one that came first in the list they were taken from."""
        return sorted(self.values, key=lambda id: -self.values[id] if self.higher else self.values[id])


def scores(lab: Lab, found: Sequence[Experiment], metric: str) -> Scores:
    """Return the values of one metric, all of one dataset version and one definition: those most of them share.

    UsageError when nothing says which way the metric is better; UnknownRevision when no experiment has it.
    """
    named = MetricName.parse(metric)
    name, part = named.name, named.slice or ""
    measured: dict[CommitId, list[MetricValue]] = {}
    for one in found:
        values = [v for v in lab.measured(one) if (v.name, v.slice) == (name, part) and v.value is not None]
        measured[one.commit] = [v for v in values if v.value == v.value]  # NaN has no rank
    groups = Counter((v.dataset or "", v.dataset_id, v.definition, v.window) for vs in measured.values() for v in vs)
    if not groups:
        raise UnknownRevision(f"no experiment has a value of {shown_metric(name, part)}", hint="mlver exp list")
    way = direction(name, lab.directions)
    if way is None:
        hint = f"mlver metrics define {name} --direction higher"
        raise UsageError(f"nothing says which way {name} is better", hint=hint)
    most = max(groups.values())
    chosen = next(key for key in groups if groups[key] == most)  # of equally many, that of the newest experiment
    reference = next(v for vs in measured.values() for v in vs if _group(v) == chosen)
    kept: dict[CommitId, float] = {}
    left: dict[CommitId, str] = {}
    for commit, values in measured.items():
        fits = [v for v in values if _group(v) == chosen] or [v for v in values if not lab.obstacle(reference, v)]
        if fits:
            kept[commit] = _number(fits[-1].value)
        else:
            why = lab.obstacle(reference, values[-1]) if values else None
            left[commit] = why or "not measured"
    return Scores(shown_metric(name, part), way == "higher", kept, left)


def _number(value: Value) -> float:
    """Return a value as it was measured: two misses are 2, not 2.0."""
    return value if type(value) in (int, float) else float(value)


def _group(value: MetricValue) -> tuple[object, ...]:
    return (value.dataset or "", value.dataset_id, value.definition, value.window)
