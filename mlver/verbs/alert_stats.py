"""`alerts stats`: which types of alerts ever mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.index.alerts import AlertRow
from mlver.index.facts import moment
from mlver.objects.result import Result
from mlver.repo import intervals
from mlver.repo.alert_book import AlertBook
from mlver.repo.alert_facts import ACKED, ACTED, FALSE, IGNORED, OPEN, RESOLVED, Action, AlertRecord
from mlver.repo.alert_policy import alert_policy
from mlver.repo.produced import Produced
from mlver.repo.repository import Repository
from mlver.verbs.alert_truth import Truth, TypeTruth

BY = ("stage", "severity")


@frozen
class AlertTypeStats:
    """How one type of alert has behaved: `low`/`high` bound the share acted on (Wilson, 95 %).

    Every alert is counted once: `acted` if it ever was, else by its last outcome; `open` are those about
    which nobody has done anything. `automatic` of the ignored were left alone for too long, and by nobody's
    decision. `group` is the stage or severity they were told apart by. `to_action` is the median number of
    seconds from firing to the first action, of those that say when it was taken. `last_action` is the last
    one taken, of the alert `last_action_alert`, with the commits it produced.
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
    group: str | None = None
    false: int = 0
    ignored: int = 0
    automatic: int = 0
    acked: int = 0
    resolved: int = 0
    to_action: float | None = None
    last_acted: datetime | None = None
    against: TypeTruth | None = None


@frozen
class AlertStatsResult(Result):
    """Types most worth looking at first. `against` is what a drop was taken to be, if that was asked."""

    schema: ClassVar[str] = "mlver.alert-stats/v1"
    types: tuple[AlertTypeStats, ...]
    fired: int
    acted: int
    since: datetime | None = None
    as_of: datetime | None = None
    against: tuple[str, ...] = ()
    drops: int | None = None


def alert_stats(
    repo: Repository,
    *,
    type: str | None = None,
    since: datetime | None = None,
    by: str | None = None,
    against: str | None = None,
    as_of: datetime | None = None,
) -> AlertStatsResult:
    """Return per type how often it fired, how often it was acted on, and what was done last.

    First come the types with the highest share of alerts acted on, of equal shares the more frequent.
    `type` matches by its start; `since` leaves out what fired earlier; `by` is `stage` or `severity`;
    `as_of` answers with what was known at that moment. `against` is a condition that a real drop meets,
    `recall{clinic=C} < 0.9`, or the name of a metric or SLO, whose SLO a real drop breaks: then each type
    is also held against what the metrics now say of the releases its alerts fired on.
    """
    if by is not None and by not in BY:
        raise UsageError(f"cannot tell alerts apart by {by!r}", hint=f"by {' or '.join(BY)}")
    alert_policy(repo.project())  # a mistake there would count wrongly, so it is said
    book, produced = AlertBook(repo, as_of), Produced(repo)
    truth = Truth(repo, against, as_of) if against is not None else None
    groups: dict[tuple[str, str | None], list[AlertRow]] = {}
    for row in book.briefs(type, since, placed=by == "stage" or truth is not None):
        groups.setdefault((row.type, _group(row, by)), []).append(row)
    last = _last_acted(book, groups)
    types = [_stats(name, rows, last.get(name), produced, truth) for name, rows in groups.items()]
    types.sort(key=lambda stats: (-stats.share, -stats.fired, stats.type, stats.group or ""))
    return AlertStatsResult(
        types=tuple(types),
        fired=sum(s.fired for s in types),
        acted=sum(s.acted for s in types),
        since=since,
        as_of=as_of,
        against=truth.says if truth else (),
        drops=len(truth.drops(since)) if truth else None,
    )


def _group(row: AlertRow, by: str | None) -> str | None:
    return None if by is None else row.severity if by == "severity" else row.stage or ""


def _last_acted(
    book: AlertBook, groups: Mapping[tuple[str, str | None], Sequence[AlertRow]]
) -> dict[tuple[str, str | None], AlertRecord]:
    """Return group -> the alert of it that was acted on last."""
    newest = {
        name: max(acted, key=lambda row: (row.acted_at or 0, row.id)).id
        for name, rows in groups.items()
        if (acted := [row for row in rows if row.acted_at is not None])
    }
    records = book.records(newest.values())
    return {name: records[id] for name, id in newest.items()}


def _stats(
    name: tuple[str, str | None],
    rows: Sequence[AlertRow],
    last: AlertRecord | None,
    produced: Produced,
    truth: Truth | None,
) -> AlertTypeStats:
    states = [ACTED if row.acted_at is not None else row.outcome for row in rows]
    acted = states.count(ACTED)
    low, high = wilson(acted, len(rows))
    done = [action for action in last.actions if action.outcome == ACTED] if last else []
    # files that do not say when the action was taken date it with the alert itself
    waits = [row.acted_at - row.at for row in rows if row.acted_at is not None and row.acted_at > row.at]
    return AlertTypeStats(
        type=name[0],
        group=name[1],
        fired=len(rows),
        acted=acted,
        open=states.count(OPEN),
        share=acted / len(rows),
        low=low,
        high=high,
        last_fired=moment(max(row.at for row in rows)),
        last_action=produced.finish(last, done[-1]) if last and done else None,
        last_action_alert=last.id if last else None,
        false=states.count(FALSE),
        ignored=states.count(IGNORED),
        automatic=sum(row.automatic for row in rows),
        acked=states.count(ACKED),
        resolved=states.count(RESOLVED),
        to_action=median(waits) / 1e6 if waits else None,
        last_acted=done[-1].at if done else None,
        against=truth.of(rows) if truth else None,
    )


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (see `intervals`); (0, 1) for no trials."""
    low, high = intervals.wilson(hits / trials if trials else 0.0, trials)
    # where nothing (or everything) was hit the bound is exact, whatever rounding says
    return 0.0 if hits == 0 else low, 1.0 if hits == trials else high
