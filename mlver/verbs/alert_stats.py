"""`alerts stats`: which types of alerts ever mattered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from typing import ClassVar

from mlver.index.alerts import TypeCount
from mlver.index.facts import moment
from mlver.objects.result import Result
from mlver.repo.alert_book import AlertBook
from mlver.repo.alert_facts import ACTED, Action, AlertRecord
from mlver.repo.produced import Produced
from mlver.repo.repository import Repository

_Z = 1.959963984540054  # the normal quantile that leaves 5 % outside


@dataclass(frozen=True)
class AlertTypeStats:
    """How one type of alert has behaved: `low`/`high` bound the share acted on (Wilson, 95 %).

    `open` counts those nobody has done anything about. `last_action` is the last one taken, of the alert
    `last_action_alert`, with the commits it produced.
    """

    type: str
    fired: int
    acted: int
    open: int
    share: float
    low: float
    high: float
    last_fired: datetime
    last_action: Action | None = None
    last_action_alert: str | None = None


@dataclass(frozen=True)
class AlertStatsResult(Result):
    """Types most worth looking at first."""

    schema: ClassVar[str] = "mlver.alert-stats/v1"
    types: tuple[AlertTypeStats, ...]
    fired: int
    acted: int


def alert_stats(repo: Repository, *, type: str | None = None, as_of: datetime | None = None) -> AlertStatsResult:
    """Return per type how often it fired, how often it was acted on, and what was done last.

    First come the types with the highest share of alerts acted on, of equal shares the more frequent.
    `type` matches by its start; `as_of` answers with what was known at that moment.
    """
    book, produced = AlertBook(repo, as_of), Produced(repo)
    last = book.last_acted(type)
    types = [_stats(count, last.get(count.type), produced) for count in book.counts(type)]
    types.sort(key=lambda stats: (-stats.share, -stats.fired, stats.type))
    return AlertStatsResult(tuple(types), sum(s.fired for s in types), sum(s.acted for s in types))


def _stats(count: TypeCount, last: AlertRecord | None, produced: Produced) -> AlertTypeStats:
    low, high = wilson(count.acted, count.fired)
    acted = [action for action in last.actions if action.outcome == ACTED] if last else []
    return AlertTypeStats(
        type=count.type,
        fired=count.fired,
        acted=count.acted,
        open=count.open,
        share=count.acted / count.fired,
        low=low,
        high=high,
        last_fired=moment(count.newest),
        last_action=produced.finish(last, acted[-1]) if last and acted else None,
        last_action_alert=last.id if last else None,
    )


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share, which holds for few trials too; (0, 1) for none.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (1927), 209-212.
    """
    if not trials:
        return 0.0, 1.0
    share, z2 = hits / trials, _Z * _Z
    middle = share + z2 / (2 * trials)
    spread = _Z * sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials))
    scale = 1 + z2 / trials
    # where nothing (or everything) was hit the bound is exact, whatever rounding says
    low = 0.0 if hits == 0 else max(0.0, (middle - spread) / scale)
    return low, 1.0 if hits == trials else min(1.0, (middle + spread) / scale)
