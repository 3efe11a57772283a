"""One experiment with all that is known of it: what varied, how its metrics moved, how it ended in one word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property

from mlver.errors import UnknownRevision
from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.repo.experiments import Experiment, Experiments
from mlver.repo.metric_facts import MetricName, MetricValue, metric_values
from mlver.repo.repository import Repository
from mlver.repo.verdict_facts import Verdict, verdicts
from mlver.verbs.common import MetricDelta
from mlver.verbs.exp_varied import Variation, Variations
from mlver.verbs.metric_deltas import INCOMPARABLE, metric_deltas
from mlver.verbs.metric_doubts import Obstacles

MIXED, SAME, UNKNOWN = "mixed", "same", "unknown"


@frozen
class Trial:
    """One experiment. `computed` is the outcome its metrics say, `outcome` the one that counts: a person's goes before.

    The outcome is `won`, `lost`, `mixed`, `same`, `unknown`, or by verdict `abandoned`; `why` says why it is unknown.
    """

    commit: CommitId
    subject: str
    author: str
    time: datetime
    idea: str
    hypothesis: str | None
    branch: str | None
    run: str | None
    base: CommitId | None
    variation: Variation
    outcome: str
    computed: str
    why: str | None
    verdict: Verdict | None
    metrics: tuple[MetricDelta, ...]


class Lab:
    """Everything that is asked of many experiments, each part worked out once."""

    def __init__(self, repo: Repository, on: str | None = None) -> None:
        self.repo = repo
        self.found = Experiments(repo, on)
        self.variations = Variations(repo)
        self._obstacles = Obstacles(repo)
        self._values: dict[CommitId, list[MetricValue]] = {}

    @cached_property
    def verdicts(self) -> Mapping[CommitId, Verdict]:
        """What people said of experiments."""
        return verdicts(self.repo)

    @cached_property
    def directions(self) -> Mapping[str, str]:
        """Which way metrics are better, as mlver.toml says."""
        return self.repo.project().directions

    def experiments(self, idea: str | None = None) -> list[Experiment]:
        """Return the experiments, newest first, of one idea or all; UnknownRevision when none is of that idea."""
        every = self.found.all()
        found = [one for one in every if idea is None or one.idea.lower() == idea.lower()]
        if every and not found:
            raise UnknownRevision(f"no experiment is of the idea {idea!r}", hint="mlver exp tree lists the ideas")
        return found

    def trial(self, one: Experiment, metrics: Sequence[str] = (), base: CommitId | None = None) -> Trial:
        """Return one experiment, judged by all metrics or by those named, against `base` or what it started from."""
        commit, against = self.repo.commit(one.commit), base or one.base
        deltas = self.deltas(against, one.commit, metrics)
        computed, why = self._judged(deltas, against, one.commit)
        verdict = self.verdicts.get(one.commit)
        return Trial(
            commit=one.commit,
            subject=commit.subject,
            author=commit.author,
            time=commit.time,
            idea=one.idea,
            hypothesis=one.hypothesis,
            branch=one.branch,
            run=one.run,
            base=against,
            variation=self.variations.between(against, one.commit),
            outcome=verdict.verdict if verdict else computed,
            computed=computed,
            why=why,
            verdict=verdict,
            metrics=deltas,
        )

    def values(self, commit: CommitId) -> list[MetricValue]:
        """Return what was measured of a commit; estimates are none."""
        if commit not in self._values:
            self._values[commit] = metric_values(self.repo, commit, files=True)
        return self._values[commit]

    def measured(self, one: Experiment) -> list[MetricValue]:
        """Return what was measured of an experiment: not what a metrics file says that it did not touch."""
        if one.base is None:
            return self.values(one.commit)
        old, new = self.repo.snapshot(one.base), self.repo.snapshot(one.commit)
        kept = {path for path, a in new.artifacts.items() if path in old and old[path].id == a.id}
        return [v for v in self.values(one.commit) if v.fact is not None or v.path not in kept]

    def deltas(self, base: CommitId | None, commit: CommitId, names: Sequence[str] = ()) -> tuple[MetricDelta, ...]:
        """Return the metrics of two commits beside each other, worst first."""
        wanted = [MetricName.parse(name) for name in names]

        def known(id: CommitId | None) -> list[MetricValue]:
            values = self.values(id) if id else []
            return [v for v in values if not wanted or any(name.covers(v.name, v.slice) for name in wanted)]

        return metric_deltas(known(base), known(commit), self.directions, forbids=self._obstacles)

    def obstacle(self, old: MetricValue, new: MetricValue) -> str | None:
        """Return why two values must not be ranked, None when they may."""
        return self._obstacles(old, new)

    def _judged(self, deltas: Iterable[MetricDelta], base: CommitId | None, commit: CommitId) -> tuple[str, str | None]:
        deltas = list(deltas)
        outcome = judged(deltas)
        if outcome != UNKNOWN:
            return outcome, None
        if not self.values(commit):
            return outcome, "it was not measured"
        if base is None:
            return outcome, "there is nothing to compare it with"
        if not self.values(base):
            return outcome, f"{base.short}, which it started from, was not measured"
        notes = [delta.note for delta in deltas if delta.verdict == INCOMPARABLE and delta.note]
        if notes:
            return outcome, notes[0]
        changed = any(delta.verdict == "changed" for delta in deltas)
        return outcome, "nothing says which way is better" if changed else "no metric was measured on both sides"


def judged(deltas: Iterable[MetricDelta]) -> str:
    """Return in one word what metric deltas that may be compared say together."""
    words = {delta.verdict for delta in deltas if not delta.estimate}
    if {"better", "worse"} <= words:
        return MIXED
    return "won" if "better" in words else "lost" if "worse" in words else SAME if "same" in words else UNKNOWN
