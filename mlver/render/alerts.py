"""Pages of `alerts`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType

from mlver.render.lines import Part, columns, indented, line, paragraphs
from mlver.render.values import day, many, when, who

if TYPE_CHECKING:
    from mlver.verbs.alerts import Action, Alert, AlertsResult, AlertStatsResult

_FULL = 3  # so few alerts are told in full


def alerts_page(result: AlertsResult, *, full: bool = False) -> RenderableType:
    """One row per alert; a few alerts asked for by id with all that was done about them."""
    if not result.alerts:
        return line("no alerts")
    if full and len(result.alerts) <= _FULL:
        return paragraphs(*(_alert(alert) for alert in result.alerts))
    rows: list[list[Part | None]] = [
        [
            (alert.id, "unit"),
            when(alert.at),
            alert.type,
            (alert.severity, "warning" if alert.severity in ("page", "critical") else "quiet"),
            (alert.state, "warning" if alert.state == "open" else "quiet"),
            (alert.live.short if alert.live else "", "id"),
            _last(alert),
        ]
        for alert in result.alerts
    ]
    return columns(rows, head=("alert", "at", "type", "severity", "state", "live", "done"), grow=6)


def imported_page(result: AlertsResult) -> RenderableType:
    """How many alerts were read and how many of them were new."""
    known = f", {result.known_before} known before" if result.known_before else ""
    return line(f"{many(result.added, 'new alert')}{known}")


def _last(alert: Alert) -> str:
    return _did(alert.actions[-1]) if alert.actions else (alert.summary or "")


def _did(action: Action) -> str:
    text = action.did or action.outcome
    return f"{who(action.by)}: {text}" + (f" ({action.ticket})" if action.ticket else "")


def _alert(alert: Alert) -> list[RenderableType]:
    parts: list[Part] = [(alert.id, "unit"), "  ", when(alert.at), "  ", (alert.type, "path"), f"  {alert.severity}  "]
    lines: list[RenderableType] = [line(*parts, (alert.state, "warning" if alert.state == "open" else "good"))]
    if alert.summary:
        lines.append(indented(line(alert.summary, wrap=True)))
    if alert.live:
        stage = "/".join(filter(None, (alert.stage, alert.scope)))
        lines.append(indented(line("live on ", (stage, "stage"), " when it fired: ", (alert.live.short, "id"))))
    for action in alert.actions:
        made = " → " + " ".join(commit.short for commit in action.commits) if action.commits else ""
        done: list[Part] = [when(action.at), "  ", (action.outcome, "kind"), f"  {_did(action)}", (made, "id")]
        lines.append(indented(line(*done, wrap=True)))
    return lines


def stats_page(result: AlertStatsResult) -> RenderableType:
    """Types most worth looking at first: how often they fired and mattered, what was done last."""
    if not result.types:
        return line("no alerts")
    rows: list[list[Part | None]] = []
    for stats in result.types:
        label = "good" if stats.share >= 0.5 else "" if stats.acted else "quiet"
        rows.append(
            [
                (stats.type, label),
                str(stats.fired),
                str(stats.acted),
                (f"{stats.share:.0%}", label),
                (f"{stats.low:.0%}–{stats.high:.0%}", "quiet"),
                (str(stats.open), "warning") if stats.open else ("0", "quiet"),
                day(stats.last_fired),
                _last_action(stats.last_action, stats.last_action_alert),
            ]
        )
    head = ("type", "fired", "acted", "share", "95 %", "open", "last", "last action")
    share = f" ({result.acted / result.fired:.0%})" if result.fired else ""
    total = f"{many(result.fired, 'alert')}, {result.acted} acted on{share}"
    return paragraphs(columns(rows, head=head, right=(1, 2, 3, 4, 5), grow=7, wrap=(7,)), line((total, "quiet")))


def _last_action(action: Action | None, alert: str | None) -> str:
    if action is None:
        return ""
    made = " → " + " ".join(commit.short for commit in action.commits) if action.commits else ""
    return f"{_did(action)}{made}" + (f", {alert}" if alert else "")
