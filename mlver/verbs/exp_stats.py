"""`exp stats`: how many experiments a week, and what share of them, and of the ideas, came to something."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.ledger import ledger_of
from mlver.repo.repository import Repository
from mlver.repo.verdict_facts import LOST, WON
from mlver.verbs.exp_trials import Lab, Trial


@frozen
class Week:
    """One week, from Monday on: its experiments, and how many of them won, went live, or were merged."""

    monday: datetime
    experiments: int
    won: int
    lost: int
    promoted: int
    merged: int


@frozen
class ExperimentStats(Result):
    """Counts and shares (0 to 1, None when there is nothing to share). `used` were promoted or merged.

    `per_week` is the mean from the first week to the last. An idea is good when one of its experiments won or was used.
    """

    schema: ClassVar[str] = "mlver.exp-stats/v1"
    experiments: int
    won: int
    lost: int
    promoted: int
    merged: int
    used: int
    ideas: int
    good_ideas: int
    per_week: float | None
    share_won: float | None
    share_promoted: float | None
    share_used: float | None
    share_good_ideas: float | None
    weeks: tuple[Week, ...]


def experiment_stats(
    repo: Repository, *, idea: str | None = None, since: datetime | None = None, on: str | None = None
) -> ExperimentStats:
    """Count experiments by week. Promoted is what was live itself; merged what a merge to the main line brought."""
    repo.refresh()
    lab = Lab(repo, on)
    found = [one for one in lab.experiments(idea) if since is None or repo.commit(one.commit).time >= since]
    trials = [lab.trial(one) for one in found]
    commits = {one.commit for one in trials}
    promoted = commits & {entry.live.commit for entry in ledger_of(repo)}
    merged = lab.found.merged(commits)
    won = {one.commit for one in trials if one.outcome == WON}
    lost = {one.commit for one in trials if one.outcome == LOST}
    groups: dict[datetime, list[CommitId]] = {}
    for one in trials:
        groups.setdefault(_monday(one.time), []).append(one.commit)
    weeks = [
        Week(monday, len(ids), *(len(part & set(ids)) for part in (won, lost, promoted, merged)))
        for monday, ids in sorted(groups.items())
    ]
    ideas = {one.idea for one in trials}
    good = _ideas(trials, won | promoted | merged)
    total, span = len(trials), (weeks[-1].monday - weeks[0].monday).days // 7 + 1 if weeks else 0
    return ExperimentStats(
        experiments=total,
        won=len(won),
        lost=len(lost),
        promoted=len(promoted),
        merged=len(merged),
        used=len(promoted | merged),
        ideas=len(ideas),
        good_ideas=len(good),
        per_week=total / span if span else None,
        share_won=_share(len(won), total),
        share_promoted=_share(len(promoted), total),
        share_used=_share(len(promoted | merged), total),
        share_good_ideas=_share(len(good), len(ideas)),
        weeks=tuple(weeks),
    )


def _ideas(trials: Iterable[Trial], commits: set[CommitId]) -> set[str]:
    return {one.idea for one in trials if one.commit in commits}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _monday(moment: datetime) -> datetime:
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())
