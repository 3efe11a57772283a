"""Whether an objective held while a commit was live: as known now, as known then, and since when it is known.

What counts are measured values that tell of how the release served: on the datasets that the objective or its
condition names; without a name, those learned after the release went live, on data that is no part of it.
Validation data committed with a release says nothing of what it met in production, nor does a backfill: it tells
what a release would have done, unless whoever ran it says that the release did serve that data. No value is `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.state import EVERYONE
from mlver.repo.conditions import BROKEN, UNKNOWN, Condition, Verdict, judge, overall
from mlver.repo.ledger import LedgerEntry, ledger_of
from mlver.repo.metric_facts import MetricValue, newest, recorded_metrics
from mlver.repo.metric_history import all_values
from mlver.repo.project import matches
from mlver.repo.slo_policy import Objective

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


@frozen
class SloTenure:
    """One objective and one commit that was live from `since` until `until` (None: still is).

    `state` is `met`, `broken` or `unknown`, `learned` the moment from which that was known (None: from the start),
    `at_the_time` what was known of it when the tenure ended, or is known now if it has not ended.
    """

    slo: str
    stage: str
    scope: str
    commit: CommitId
    subject: str
    since: datetime
    until: datetime | None
    actor: str
    state: str
    at_the_time: str
    learned: datetime | None
    verdicts: tuple[Verdict, ...]

    @property
    def retroactive(self) -> bool:
        """Whether it is broken, and nobody could know while it was live."""
        return self.state == BROKEN and self.at_the_time != BROKEN

    @property
    def why(self) -> str:
        """What decides the state, in one line: the first verdict that is in it; empty when all is met."""
        deciding = [verdict for verdict in self.verdicts if verdict.state == self.state and verdict.why]
        more = f" and {len(deciding) - 1} more" if len(deciding) > 1 else ""
        return f"{_told(deciding[0])}{more}" if deciding else ""


def slo_tenures(repo: Repository, objective: Objective, as_of: datetime | None = None) -> list[SloTenure]:
    """Return the state of an objective for all that was ever live on its stage, newest first.

    With `as_of`, what was live and known at that moment.
    """
    entries = [e for e in ledger_of(repo, objective.stage) if as_of is None or e.since <= as_of]
    if objective.scope is not None:
        entries = [entry for entry in entries if entry.scope == objective.scope]
    slices = _Slices(repo, as_of)
    first: dict[CommitId, datetime] = {}
    for entry in entries:
        first.setdefault(entry.live.commit, entry.since)
    judges: dict[CommitId, _Judge] = {}
    for commit, since in first.items():
        judges[commit] = _Judge(repo, objective, commit, since, as_of, slices)
    return [_tenure(repo, objective, entry, judges[entry.live.commit], as_of) for entry in reversed(entries)]


def _tenure(
    repo: Repository, objective: Objective, entry: LedgerEntry, judge: _Judge, as_of: datetime | None
) -> SloTenure:
    until = entry.until if entry.until and (as_of is None or entry.until <= as_of) else None
    verdicts = judge.verdicts(entry.scope, as_of)
    state = overall(verdicts)
    return SloTenure(
        slo=objective.name,
        stage=entry.stage,
        scope=entry.scope,
        commit=entry.live.commit,
        subject=repo.commit(entry.live.commit).subject,
        since=entry.since,
        until=until,
        actor=entry.live.actor,
        state=state,
        at_the_time=overall(judge.verdicts(entry.scope, until)) if until else state,
        learned=judge.learned(entry.scope, state),
        verdicts=verdicts,
    )


class _Slices:
    """The slices on which a metric was ever measured: a condition about every slice is about these."""

    def __init__(self, repo: Repository, as_of: datetime | None) -> None:
        self._repo, self._as_of = repo, as_of
        self._known: dict[str, set[str]] = {}

    def __getitem__(self, name: str) -> set[str]:
        if name not in self._known:
            values = all_values(self._repo, name=name, as_of=self._as_of)
            self._known[name] = {value.slice for value in values if not value.estimate}
        return self._known[name]


class _Judge:
    """Judges one commit by one objective, as known at any moment."""

    def __init__(
        self,
        repo: Repository,
        objective: Objective,
        commit: CommitId,
        since: datetime,
        as_of: datetime | None,
        slices: _Slices,
    ) -> None:
        self._objective, self._since, self._slices = objective, since, slices
        self._values = [value for value in recorded_metrics(repo, commit, as_of) if not value.estimate]
        self._own = repo.snapshot(commit).artifacts.keys() if self._values else frozenset[str]()

    def verdicts(self, scope: str, at: datetime | None) -> tuple[Verdict, ...]:
        """Return a verdict for each condition (and slice, dataset) that applies to whom the commit served."""
        known = [value for value in self._values if at is None or value.known <= at]
        found: list[Verdict] = []
        for condition in self._objective.require:
            if _applies(condition, scope):
                found += self._judged(condition, known)
        return tuple(found)

    def learned(self, scope: str, state: str) -> datetime | None:
        """Return the moment from which `state` has been known without a break; None when it always was."""
        moments = sorted({value.known for value in self._values if value.name in self._names})
        before: datetime | None = None
        for moment in reversed(moments):
            if overall(self.verdicts(scope, moment)) != state:
                return before
            before = moment
        return None if state == UNKNOWN else before

    @property
    def _names(self) -> set[str]:
        return {condition.name for condition in self._objective.require}

    def _judged(self, condition: Condition, known: Sequence[MetricValue]) -> Iterable[Verdict]:
        telling = newest(value for value in known if self._tells(condition, value))
        verdicts = [_explained(verdict, condition, known) for verdict in judge(condition, telling)]
        if "*" not in condition.slice or not any(condition.covers(value) for value in telling):
            return verdicts
        measured = {value.slice for value in telling if condition.covers(value)}
        missing = [
            s
            for s in sorted(self._slices[condition.name] - measured)
            if condition.covers(_at(telling[0], s, condition))
        ]
        return [*verdicts, *(Verdict(condition.text, UNKNOWN, "never measured", condition.name, s) for s in missing)]

    def _tells(self, condition: Condition, value: MetricValue) -> bool:
        """Whether a value tells of how the release served."""
        if value.command is not None:
            return value.served
        if condition.dataset is not None:
            return True
        if self._objective.on:
            return value.dataset is not None and any(matches(value.dataset, on) for on in self._objective.on)
        return value.as_of > self._since and value.dataset not in self._own


def _at(value: MetricValue, slice: str, condition: Condition) -> MetricValue:
    return replace(value, name=condition.name, slice=slice, dataset=condition.dataset)


def _applies(condition: Condition, scope: str) -> bool:
    """Whether a condition speaks of whom the scope serves: `recall{clinic=A}` says nothing of clinic=C."""
    if scope == EVERYONE:
        return True
    served = dict(part.split("=", 1) for part in scope.split(",") if "=" in part)
    asked = dict(part.split("=", 1) for part in condition.slice.split(",") if "=" in part)
    return all(asked.get(key, value) in (value, "*") for key, value in served.items())


def _explained(verdict: Verdict, condition: Condition, known: Iterable[MetricValue]) -> Verdict:
    """Say of what is unknown which values there are that do not count."""
    if verdict.state != UNKNOWN or verdict.value is not None:
        return verdict
    others = [value for value in known if condition.covers(value)]
    if not others or not verdict.why.startswith("never measured"):
        return verdict
    paths = sorted({value.dataset for value in others if value.dataset and value.command is None})
    only = f"only on {', '.join(paths[:2])}" if paths else "only backfilled, without --served"
    return replace(verdict, why=f"no live value, {only}")


def _told(verdict: Verdict) -> str:
    name = f"{verdict.metric}{{{verdict.slice}}}" if verdict.slice else verdict.metric
    return f"{name} {verdict.why}"


def slo_now(tenures: Iterable[SloTenure]) -> str:
    """Return the state of an objective from what is live: `broken` if any is, `unknown` without anything live."""
    return overall(Verdict(tenure.slo, tenure.state, "", "", "") for tenure in tenures if tenure.until is None)
