"""Pages of `alerts`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.values import many, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Line, Piece
    from mlver.verbs.alerts import Action, Alert, AlertsResult

_FULL = 3  # so few alerts are told in full


def alerts_page(result: AlertsResult, *, full: bool = False) -> Piece:
    """One row per alert; a few alerts asked for by id with all that was done about them. Files not read come first."""
    if result.unread:
        unread: list[Piece] = [line((said, "warning"), wrap=True) for said in result.unread]
        return paragraphs(unread, alerts_page(replace(result, unread=()), full=full))
    if not result.alerts:
        return line("no alerts")
    if full and len(result.alerts) <= _FULL:
        return paragraphs(*(_alert(alert) for alert in result.alerts))
    rows: list[list[Part | None] | Line] = []
    for alert in result.alerts:
        serious = alert.severity in ("page", "critical")
        row: list[Part | None] = [(alert.id, "unit"), when(alert.at), alert.type]
        row += [(alert.severity, "warning" if serious else "quiet")]
        row += [
            (_state(alert), "warning" if alert.state == "open" else "quiet"),
            (alert.live.short if alert.live else "", "id"),
        ]
        rows.append(row)
        if told := _last(alert):
            rows.append(line(f"       {told}"))
    return Columns(rows, head=("alert", "at", "type", "severity", "state", "live then"), grow=2)


def _state(alert: Alert) -> str:
    """What became of an alert; whether nobody decided so, and whether it was muted."""
    automatic = alert.actions and alert.actions[-1].automatic
    return f"{alert.state}{' (auto)' if automatic else ''}{', muted' if alert.muted else ''}"


def imported_page(result: AlertsResult) -> Piece:
    """How many alerts were read and how many of them were new."""
    known = f", {result.known_before} known before" if result.known_before else ""
    return line(f"{many(result.added, 'new alert')}{known}")


def _last(alert: Alert) -> str:
    """What was done last, or what the alert says; nothing when the state has said it all."""
    if not alert.actions:
        return alert.summary or ""
    action = alert.actions[-1]
    return did(action) if action.did or action.ticket or action.by or action.outcome != alert.state else ""


def did(action: Action) -> str:
    """Return `dana: added rule R2 (TRI-31)`: who did what, else the outcome and its reason."""
    by = f"{who(action.by)}: " if action.by else ""
    what = action.did or action.outcome
    if action.automatic:
        what = "left alone, so ignored by itself"
    reason = f": {action.reason}" if action.reason else ""
    return f"{by}{what}{reason}" + (f" ({action.ticket})" if action.ticket else "")


def _alert(alert: Alert) -> list[Piece]:
    parts: list[Part] = [(alert.id, "unit"), "  ", when(alert.at), "  ", (alert.type, "path"), f"  {alert.severity}  "]
    lines: list[Piece] = [line(*parts, (_state(alert), "warning" if alert.state == "open" else "good"))]
    if alert.summary:
        lines.append(indented(line(alert.summary, wrap=True)))
    if alert.live:
        stage = "/".join(filter(None, (alert.stage, alert.scope)))
        lines.append(indented(line("live on ", (stage, "stage"), " when it fired: ", (alert.live.short, "id"))))
    for action in alert.actions:
        made = " → " + " ".join(commit.short for commit in action.commits) if action.commits else ""
        done: list[Part] = [when(action.at), "  ", (action.outcome, "kind"), f"  {did(action)}", (made, "id")]
        lines.append(indented(line(*done, wrap=True)))
    return lines
