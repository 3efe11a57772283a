"""Pages of `alerts show` and `alerts history`: what happened, event by event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.alerts import did
from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.values import brief, many, span, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Line, Piece
    from mlver.verbs.alert_lists import AlertHistoryResult
    from mlver.verbs.alert_show import AlertEvent, AlertShowResult, AlertStory


def alert_show_page(result: AlertShowResult) -> Piece:
    """Each alert with where it fired and its events, oldest first."""
    return paragraphs(*(_story(story) for story in result.alerts))


def _story(story: AlertStory) -> list[Piece]:
    alert = story.alert
    label = "warning" if alert.state == "open" else "good"
    lines: list[Piece] = [
        line((alert.id, "unit"), "  ", (alert.type, "path"), f"  {alert.severity}  ", (alert.state, label))
    ]
    if alert.summary:
        lines.append(indented(line(alert.summary, wrap=True)))
    stage = "/".join(filter(None, (alert.stage, alert.scope)))
    if alert.live:
        lines.append(indented(line("live on ", (stage, "stage"), " when it fired: ", (alert.live.short, "id"))))
    else:
        lines.append(indented(line(f"nothing was live on {stage or 'its stage'} when it fired")))
    if story.mute:
        mute = story.mute
        lines.append(indented(line(f"muted {span(mute.since, mute.end)} by {who(mute.by)}: {mute.reason}", wrap=True)))
    lines += [indented(line((f"{name}: ", "quiet"), brief(value))) for name, value in story.details.items()]
    rows: list[list[Part | None]] = [_event(event) for event in story.events]
    return [*lines, indented(Columns(rows, wrap=(2,)))]


def _event(event: AlertEvent) -> list[Part | None]:
    by = f"{who(event.by)}: " if event.by else ""
    said = ": ".join(filter(None, (event.did, event.reason)))
    if event.automatic:
        said = "by itself: nobody did anything about it"
    ticket = f" ({event.ticket})" if event.ticket else ""
    made = f" → {' '.join(commit.short for commit in event.commits)}" if event.commits else ""
    late = ""
    if event.recorded is not None and (event.recorded != event.at or event.recorded_by != event.by):
        late = f" [recorded {when(event.recorded)} by {who(event.recorded_by)}]"
    text = line(f"{by}{said}{ticket}", (made, "id"), (late, "quiet"), wrap=True)
    return [(when(event.at), "quiet"), (event.what, "kind"), text]


def alert_history_page(result: AlertHistoryResult) -> Piece:
    """One row per action, and how rare it is for its type that anything is done."""
    if not result.actions:
        return line("nobody has done anything about an alert yet")
    rows: list[list[Part | None] | Line] = []
    for one in result.actions:
        made = f" → {' '.join(commit.short for commit in one.action.commits)}" if one.action.commits else ""
        row: list[Part | None] = [(when(one.action.at), "quiet"), (one.alert, "unit"), one.type]
        rows += [[*row, f"{one.type_acted} of {one.type_fired:,}"], line(f"    {did(one.action)}", (made, "id"))]
    more = line(("… more, cut (--limit)", "quiet")) if result.more else None
    total = line((f"{many(len(result.actions), 'action')}; acted: how many of the type were acted on", "quiet"))
    table = Columns(rows, head=("at", "alert", "type", "acted"), right=(3,), grow=2)
    return paragraphs(table, more or total)
