"""Pages of `alerts`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from mlver.render.lines import Columns, Part, indented, line, paragraphs
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
    rows: list[list[Part | None] | Text] = []
    for alert in result.alerts:
        serious = alert.severity in ("page", "critical")
        row: list[Part | None] = [(alert.id, "unit"), when(alert.at), alert.type]
        row += [(alert.severity, "warning" if serious else "quiet")]
        row += [
            (alert.state, "warning" if alert.state == "open" else "quiet"),
            (alert.live.short if alert.live else "", "id"),
        ]
        rows.append(row)
        if told := _last(alert):
            rows.append(line(f"       {told}"))
    return Columns(rows, head=("alert", "at", "type", "severity", "state", "live then"), grow=2)


def imported_page(result: AlertsResult) -> RenderableType:
    """How many alerts were read and how many of them were new."""
    known = f", {result.known_before} known before" if result.known_before else ""
    return line(f"{many(result.added, 'new alert')}{known}")


def _last(alert: Alert) -> str:
    """What was done last, or what the alert says; nothing when the state has said it all."""
    if not alert.actions:
        return alert.summary or ""
    action = alert.actions[-1]
    return _did(action) if action.did or action.ticket or action.by or action.outcome != alert.state else ""


def _did(action: Action) -> str:
    by = f"{who(action.by)}: " if action.by else ""
    return f"{by}{action.did or action.outcome}" + (f" ({action.ticket})" if action.ticket else "")


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
    rows: list[list[Part | None] | Text] = []
    for stats in result.types:
        label = "good" if stats.share >= 0.5 else "" if stats.acted else "quiet"
        row: list[Part | None] = [(stats.type, label), str(stats.fired), str(stats.acted)]
        row += [(f"{stats.share:.0%}", label), (f"{stats.low:.0%}–{stats.high:.0%}", "quiet")]
        row += [(str(stats.open), "warning" if stats.open else "quiet"), (day(stats.last_fired), "quiet")]
        rows.append(row)
        if stats.last_action:
            rows.append(line("    ", _last_action(stats.last_action, stats.last_action_alert)))
    head = ("type", "fired", "acted on", "share", "95 %", "open", "last fired")
    share = f" ({result.acted / result.fired:.0%})" if result.fired else ""
    total = f"{many(result.fired, 'alert')}, {result.acted} acted on{share}"
    return paragraphs(Columns(rows, head=head, right=(1, 2, 3, 4, 5), grow=0), line((total, "quiet")))


def _last_action(action: Action, alert: str | None) -> Text:
    made = f" → {' '.join(commit.short for commit in action.commits)}" if action.commits else ""
    return line((f"last: {alert} " if alert else "last: ", "quiet"), _did(action), (made, "id"))
