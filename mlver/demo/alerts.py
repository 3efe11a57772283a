"""Sixty days of the clinic's alerts: 86 fired, 6 were worth acting on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

_FIRST_DAY = datetime(2024, 2, 20)  # noqa: DTZ001 - the pager wrote local times without a zone
_DAYS = 60
_SPACING = timedelta(minutes=7)


@dataclass(frozen=True)
class _Acted:
    by: str
    action: str
    ticket: str
    at: datetime | None = None


@dataclass(frozen=True)
class _Series:
    """One type of alert: how often it fired, and which of its firings (by number) were acted on."""

    type: str
    fired: int
    severity: str = "warn"
    acted: dict[int, _Acted] = field(default_factory=dict)


_RULE_ADDED = _Acted("dana", "added rule R2", "TRI-31", datetime(2024, 2, 11, 4, 10))  # noqa: DTZ001 - as above

_SERIES = (
    _Series("null_fraction.worst_radius", 41, acted={19: _RULE_ADDED}),
    _Series("psi.mean_texture", 33),
    _Series(
        "latency_p99",
        9,
        acted={2: _Acted("ben", "restarted pod", "TRI-40"), 7: _Acted("ben", "restarted pod", "TRI-52")},
    ),
    _Series(
        "flag_rate_drop.clinic",
        3,
        "page",
        acted={
            0: _Acted("ana", "rolled back", "TRI-22"),
            1: _Acted("dana", "rolled back", "TRI-35"),
            2: _Acted("ana", "fixed feed", "TRI-49"),
        },
    ),
)


def history() -> list[dict[str, str]]:
    """Return the alerts in the order they fired, each as the pager exports it."""
    alerts: list[dict[str, str]] = []
    for series in _SERIES:
        for turn in range(series.fired):
            number = len(alerts) + 1
            acted = series.acted.get(turn)
            day = timedelta(days=turn * _DAYS // series.fired)
            at = acted.at if acted and acted.at else _FIRST_DAY + day + number * _SPACING
            alert = {"id": f"A{number:04d}", "type": series.type, "at": at.isoformat(), "severity": series.severity}
            if acted:
                alert |= {"outcome": "acted", "by": acted.by, "action": acted.action, "ticket": acted.ticket}
            else:
                alert["outcome"] = "ignored"
            alerts.append(alert)
    return sorted(alerts, key=lambda alert: alert["at"])
