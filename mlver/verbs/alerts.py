"""`alerts`: what fired, what was live then, what was done about it, and what ever mattered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.repository import Repository


@dataclass(frozen=True)
class Action:
    """What somebody did about an alert: `outcome` is `acted`, `acked`, `false-positive`, `ignored` or `resolved`.

    `commits` are what the action produced: named when it was recorded, or naming the alert or ticket.
    """

    outcome: str
    by: str
    at: datetime
    did: str | None = None
    ticket: str | None = None
    commits: tuple[CommitId, ...] = ()


@dataclass(frozen=True)
class Alert:
    """One alert. `live` is the commit that was live on `stage` (and `scope`) when it fired.

    `state` is `open` or the outcome of its last action.
    """

    id: str
    type: str
    at: datetime
    severity: str
    state: str
    stage: str | None
    scope: str | None
    live: CommitId | None
    summary: str | None = None
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True)
class AlertsResult(Result):
    """Alerts, newest first; `added` counts those that were not known before (import)."""

    schema: ClassVar[str] = "mlver.alerts/v1"
    alerts: tuple[Alert, ...]
    added: int = 0
    known_before: int = 0


@dataclass(frozen=True)
class AlertTypeStats:
    """How one type of alert has behaved: `low`/`high` bound the share acted on (Wilson, 95 %)."""

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


def add_alert(
    repo: Repository,
    type: str,
    *,
    id: str | None = None,
    at: datetime | None = None,
    severity: str = "warn",
    summary: str | None = None,
    stage: str = "prod",
    scope: str = "",
) -> AlertsResult:
    """Record an alert; the commit that was live on `stage` for `scope` at that moment is filled in."""
    raise NotImplementedError


def import_alerts(repo: Repository, file: Path, *, stage: str = "prod", scope: str = "") -> AlertsResult:
    """Read alerts and their outcomes from a JSONL, CSV or JSON file; alerts known already are not doubled.

    Raises UsageError naming file and line when the file is malformed; then nothing is recorded.
    """
    raise NotImplementedError


def list_alerts(
    repo: Repository,
    *,
    type: str | None = None,
    state: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    ids: Sequence[str] = (),
    limit: int | None = None,
) -> AlertsResult:
    """List alerts, newest first. `type` matches by its start; `state` is `open` or an outcome."""
    raise NotImplementedError


def act_on_alert(
    repo: Repository,
    id: str,
    *,
    did: str | None = None,
    outcome: str = "acted",
    ticket: str | None = None,
    commit: str | None = None,
    at: datetime | None = None,
) -> AlertsResult:
    """Record what was done about an alert, and the commit it produced if there is one yet."""
    raise NotImplementedError


def alert_stats(repo: Repository, *, type: str | None = None, as_of: datetime | None = None) -> AlertStatsResult:
    """Return per type how often it fired, how often it was acted on, and what was done last."""
    raise NotImplementedError
