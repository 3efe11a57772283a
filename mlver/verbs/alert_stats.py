"""`alerts stats`: which types of alerts ever mattered."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from math import sqrt
from typing import ClassVar

from mlver.objects.result import Result
from mlver.repo.alert_facts import ACTED, OPEN, Action, AlertRecord, known_alerts
from mlver.repo.alert_history import Produced
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
    counts: dict[str, _Count] = {}
    for record in known_alerts(repo, as_of).values():
        if type is None or record.type.startswith(type):
            counts.setdefault(record.type, _Count(record)).take(record)
    produced = Produced(repo)
    types = sorted(
        (count.stats(name, produced) for name, count in counts.items()), key=lambda s: (-s.share, -s.fired, s.type)
    )
    return AlertStatsResult(tuple(types), sum(s.fired for s in types), sum(s.acted for s in types))


@dataclass
class _Count:
    """What is counted of one type."""

    newest: AlertRecord
    fired: int = 0
    acted: int = 0
    open: int = 0
    last: tuple[AlertRecord, Action] | None = field(default=None)

    def take(self, record: AlertRecord) -> None:
        self.fired += 1
        self.open += record.state == OPEN
        if record.at > self.newest.at:
            self.newest = record
        done = [action for action in record.actions if action.outcome == ACTED]
        self.acted += bool(done)
        if done and (self.last is None or done[-1].at >= self.last[1].at):
            self.last = record, done[-1]

    def stats(self, name: str, produced: Produced) -> AlertTypeStats:
        low, high = wilson(self.acted, self.fired)
        return AlertTypeStats(
            type=name,
            fired=self.fired,
            acted=self.acted,
            open=self.open,
            share=self.acted / self.fired,
            low=low,
            high=high,
            last_fired=self.newest.at,
            last_action=produced.finish(*self.last) if self.last else None,
            last_action_alert=self.last[0].id if self.last else None,
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
