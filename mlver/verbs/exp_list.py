"""`exp list` and `exp tree`: which experiments there were, and how they ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.metric_documents import shown_metric
from mlver.repo.repository import Repository
from mlver.repo.verdict_facts import ABANDONED, LOST, WON
from mlver.verbs.common import MetricDelta
from mlver.verbs.exp_trials import MIXED, SAME, UNKNOWN, Lab, Trial

OUTCOMES = (WON, MIXED, SAME, LOST, ABANDONED, UNKNOWN)
_JUDGED = ("better", "worse", "same")


@frozen
class ListedExperiment:
    """One experiment in a list. `value` and `delta` are of the metric the list shows; `verdict` is which way it went.

    `varied` says in one line what was varied.
    """

    commit: CommitId
    time: datetime
    author: str
    idea: str
    hypothesis: str | None
    branch: str | None
    base: CommitId | None
    varied: str
    outcome: str
    reason: str | None
    value: Value
    delta: float | None
    verdict: str


@frozen
class ExperimentsResult(Result):
    """Experiments, newest first. `metric` is the one whose values are shown, None when nothing was measured.

    `hidden` counts those left out because somebody abandoned them, `of` all that were looked at, however they ended.
    """

    schema: ClassVar[str] = "mlver.exp-list/v1"
    experiments: tuple[ListedExperiment, ...]
    metric: str | None
    hidden: int = 0
    of: int = 0


@frozen
class Idea:
    """One idea: how many experiments, how they ended, and in one word how the idea did; `best` value of the metric."""

    idea: str
    outcome: str
    experiments: int
    outcomes: dict[str, int]
    first: datetime
    last: datetime
    best: Value
    best_commit: CommitId | None


@frozen
class IdeasResult(Result):
    """Ideas, the one worked on last first."""

    schema: ClassVar[str] = "mlver.exp-tree/v1"
    ideas: tuple[Idea, ...]
    metric: str | None


def list_experiments(
    repo: Repository,
    *,
    idea: str | None = None,
    outcomes: Sequence[str] = (),
    metric: str | None = None,
    on: str | None = None,
    every: bool = False,
) -> ExperimentsResult:
    """Return the experiments, newest first; `outcomes` keeps those that ended so, `idea` those of one idea.

    With `metric` they are judged by it alone. Those that were abandoned are left out, and counted, unless asked for
    or with `every`.
    """
    if unknown := [word for word in outcomes if word not in OUTCOMES]:
        raise UsageError(f"not an outcome: {unknown[0]!r}", hint=", ".join(OUTCOMES))
    repo.refresh()
    trials = _trials(repo, idea, metric, on)
    shown = metric or common_metric(trials, repo)
    kept = [one for one in trials if one.outcome in outcomes] if outcomes else trials
    hidden = 0 if every or outcomes else sum(one.outcome == ABANDONED for one in kept)
    kept = kept if not hidden else [one for one in kept if one.outcome != ABANDONED]
    return ExperimentsResult(tuple(_listed(one, shown) for one in kept), shown, hidden, len(trials))


def list_ideas(
    repo: Repository, *, idea: str | None = None, metric: str | None = None, on: str | None = None
) -> IdeasResult:
    """Return the ideas behind the experiments, the one worked on last first."""
    repo.refresh()
    trials = _trials(repo, idea, metric, on)
    shown = metric or common_metric(trials, repo)
    groups: dict[str, list[Trial]] = {}
    for one in trials:
        groups.setdefault(one.idea, []).append(one)
    return IdeasResult(tuple(_idea(name, group, shown) for name, group in groups.items()), shown)


def _trials(repo: Repository, idea: str | None, metric: str | None, on: str | None) -> list[Trial]:
    lab = Lab(repo, on)
    return [lab.trial(one, [metric] if metric else ()) for one in lab.experiments(idea)]


def common_metric(trials: Iterable[Trial], repo: Repository) -> str | None:
    """Return the metric to show in a list: one that says better or worse for most experiments, of everything.

    A metric of the product counts before others, then one that is defined, then by name.
    """
    from mlver.repo.metric_policy import metric_policy

    defined = metric_policy(repo.project()).metrics
    counts: Counter[tuple[str, str]] = Counter()
    for one in trials:
        counts.update({(d.name, d.slice) for d in one.metrics if d.verdict in _JUDGED and not d.estimate})
    if not counts:
        counts.update((d.name, d.slice) for one in trials for d in one.metrics if d.new is not None)

    def place(key: tuple[str, str]) -> tuple[bool, int, int, str]:
        definition = defined.get(key[0])
        known = 2 - (bool(definition and definition.product) + (definition is not None))
        return (bool(key[1]), known, -counts[key], key[0])

    told = [key for key in counts if _has_direction(trials, key)] or list(counts)
    return shown_metric(*min(told, key=place)) if told else None


def _has_direction(trials: Iterable[Trial], key: tuple[str, str]) -> bool:
    return any((d.name, d.slice) == key and d.verdict in ("better", "worse") for one in trials for d in one.metrics)


def shown_delta(one: Trial, metric: str | None) -> MetricDelta | None:
    """Return how one metric of an experiment moved, None when it was not measured."""
    named = [d for d in one.metrics if shown_metric(d.name, d.slice) == metric and not d.estimate]
    return min(named, key=lambda d: (d.verdict not in _JUDGED, d.dataset or ""), default=None)


def _listed(one: Trial, metric: str | None) -> ListedExperiment:
    delta = shown_delta(one, metric)
    return ListedExperiment(
        commit=one.commit,
        time=one.time,
        author=one.author,
        idea=one.idea,
        hypothesis=one.hypothesis,
        branch=one.branch,
        base=one.base,
        varied=one.variation.line,
        outcome=one.outcome,
        reason=one.verdict.reason if one.verdict else one.why,
        value=delta.new if delta else None,
        delta=delta.delta if delta else None,
        verdict=delta.verdict if delta else UNKNOWN,
    )


def _idea(name: str, group: Sequence[Trial], metric: str | None) -> Idea:
    counts = Counter(one.outcome for one in group)
    deltas = [(one, delta) for one in group if (delta := shown_delta(one, metric)) and delta.new is not None]
    good = max(deltas, key=lambda pair: _gain(pair[1]), default=None)
    outcome = next((word for word in (WON, MIXED, SAME, LOST, ABANDONED) if counts[word]), UNKNOWN)
    return Idea(
        idea=name,
        outcome=outcome,
        experiments=len(group),
        outcomes={word: counts[word] for word in OUTCOMES if counts[word]},
        first=min(one.time for one in group),
        last=max(one.time for one in group),
        best=good[1].new if good else None,
        best_commit=good[0].commit if good else None,
    )


def _gain(delta: MetricDelta) -> float:
    """Return how much better a metric got, by the way that is better for it."""
    size = abs(delta.delta or 0.0)
    return size if delta.verdict == "better" else -size
