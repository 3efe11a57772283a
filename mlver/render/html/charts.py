"""The figures of `report`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mlver.render.html.page import text_of
from mlver.render.html.svg import SERIES, WIDTH, TimeAxis, drawing, line_between, num, rect, text
from mlver.render.incident import place
from mlver.render.metric_rows import metric_name
from mlver.render.values import many, number, span, when

if TYPE_CHECKING:
    from mlver.objects.ids import CommitId
    from mlver.repo.slo_state import SloTenure
    from mlver.verbs.alert_stats import AlertTypeStats
    from mlver.verbs.report_result import Curve, Measure, Release, ReleaseRow

STATE_FILL = {"met": "var(--good)", "broken": "var(--bad)", "unknown": "var(--rule)"}
_LEFT = 150.0
_ROW = 34.0


def bars_by_release(measure: Measure, index: int, rows: Sequence[ReleaseRow], axis_top: float) -> str:
    """Return one bar per release for one measure; what is unknown is written, never drawn as zero."""
    name = metric_name(measure.name, measure.slice)
    width, left = 460.0, 200.0
    parts: list[str] = []
    y = 6.0
    for row in rows:
        cell = row.cells[index]
        label = f"{row.subject[:27]}…" if len(row.subject) > 28 else row.subject
        parts.append(text(left - 8, y + 15, label, "end"))
        if cell.value is None:
            parts.append(text(left, y + 15, "unknown", "soft"))
        else:
            fill = "var(--bad)" if row.rolled_back else "var(--a)" if row.live else "var(--bar)"
            value = float(cell.value) if cell.value == cell.value else 0.0
            wide = max(2.0, min(1.0, abs(value) / axis_top) * (width - left - 90))
            shown = number(cell.value) + (f" (n {cell.n})" if cell.n is not None else "")
            parts += [rect(left, y, wide, 20, fill, f"{row.subject}: {shown}"), text(left + wide + 6, y + 15, shown)]
        y += 27
    about = "; ".join(f"{row.subject}: {number(row.cells[index].value)}" for row in rows)
    return drawing(f"{name} by release", about, y + 2, parts, width)


def stage_timeline(releases: Sequence[Release], first: datetime, last: datetime) -> str:
    """Return a lane per stage and scope with what served when; what was rolled back from is red."""
    lanes = list(dict.fromkeys((one.stage, one.scope) for one in releases))
    axis = TimeAxis(first, last, _LEFT, WIDTH - 10)
    bottom = len(lanes) * _ROW + 6
    parts = axis.ticks(0, bottom)
    for n, lane in enumerate(lanes):
        y = n * _ROW + 6
        parts.append(text(0, y + 17, place(*lane)))
        own = [one for one in releases if (one.stage, one.scope) == lane]
        for one in sorted(own, key=lambda one: one.rolled_back):  # the short red ones lie on top
            x1, x2 = axis.x(one.since), axis.x(one.until or last)
            wide = max(x2 - x1 - 1, 4.0)
            fill = "var(--bad)" if one.rolled_back else "var(--a)" if one.until is None else "var(--bar)"
            parts.append(rect(x1, y, wide, 24, fill, f"{one.subject}, {span(one.since, one.until)}, {one.actor}"))
            room = int((wide - 10) / 7)
            if room >= 4:
                label = one.subject if len(one.subject) <= room else one.subject[: room - 1] + "…"
                inside = ' style="fill:var(--card)"' if one.until is None or one.rolled_back else ""
                parts.append(text(x1 + 6, y + 16, label).replace("<text ", f"<text{inside} ", 1))
    about = "; ".join(f"{place(r.stage, r.scope)} served {r.subject} {span(r.since, r.until)}" for r in releases)
    return drawing("What served when", about, bottom + 22, parts)


def known_curve(curves: Sequence[Curve], began: Mapping[CommitId, datetime], last: datetime) -> str:
    """Return what was known of one measure, a step line per release: a value holds until the next is known.

    Where a release was live (from `began` on) and nothing was known of it the line is dashed.
    """
    measure = curves[0].measure
    moments = [point.known for curve in curves for point in curve.points]
    values = [point.value for curve in curves for point in curve.points]
    first = min(*moments, *(began[curve.commit] for curve in curves))
    last = max(last, first + timedelta(hours=1))
    counted = all(value == int(value) for value in values)
    low, high = min([0.0, *values]), max([*values, 1.0 if max(values) <= 1 else max(values)])
    high = high if high > low else low + 1
    axis, top, bottom = TimeAxis(first, last, 52, WIDTH - 10), 10.0, 150.0
    parts = axis.ticks(top, bottom)
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * (bottom - top)
        parts += [
            line_between(52, y, WIDTH - 10, y),
            text(46, y + 4, _shown(low + share * (high - low), counted), "soft end"),
        ]
    for n, curve in enumerate(curves):
        parts += _steps(
            curve,
            began[curve.commit],
            counted,
            axis,
            SERIES[n % len(SERIES)],
            lambda v: bottom - (v - low) / (high - low) * (bottom - top),
        )
    rows = -(-len(curves) // 2)
    for n, curve in enumerate(curves):
        x, y = (n % 2) * WIDTH / 2, 188 + 18 * (n // 2)
        label = f"{curve.subject[:44]}: {_shown(curve.points[-1].value, counted)}"
        parts += [rect(x, y - 10, 12, 12, SERIES[n % len(SERIES)]), text(x + 18, y, label)]
    about = "; ".join(
        f"{curve.subject}: " + ", ".join(f"{_shown(p.value, counted)} known {when(p.known)}" for p in curve.points)
        for curve in curves
    )
    return drawing(f"{metric_name(measure.name, measure.slice)} as it became known", about, 188 + 18 * rows, parts)


def _shown(value: float, counted: bool) -> str:
    """Return a value for people; what is counted is whole."""
    return f"{value:g}" if counted else number(value)


def slo_lanes(tenures: Sequence[SloTenure], last: datetime) -> str:
    """Return two lanes per objective: its state as one could know it at the time, and as it is known now."""
    names = list(dict.fromkeys(tenure.slo for tenure in tenures))
    axis = TimeAxis(min(tenure.since for tenure in tenures), last, _LEFT + 60, WIDTH - 10)
    bottom = len(names) * 62.0 + 2
    parts = axis.ticks(0, bottom)
    for n, name in enumerate(names):
        y = n * 62.0 + 4
        parts += [text(0, y + 16, name[:20]), text(_LEFT + 52, y + 16, "known then", "soft end")]
        parts.append(text(_LEFT + 52, y + 41, "known now", "soft end"))
        own = sorted((t for t in tenures if t.slo == name), key=lambda t: "broken" in (t.state, t.at_the_time))
        for tenure in own:
            x1, x2 = axis.x(tenure.since), axis.x(tenure.until or last)
            for down, state in ((0, tenure.at_the_time), (25, tenure.state)):
                title = f"{tenure.subject}: {state}, {span(tenure.since, tenure.until)}"
                parts.append(rect(x1, y + down, max(x2 - x1 - 1, 4.0), 20, STATE_FILL[state], title))
    about = "; ".join(f"{t.slo}, {t.subject}: {t.at_the_time} then, {t.state} now" for t in tenures)
    return drawing("Objectives over time", about, bottom + 22, parts)


def alert_bars(types: Sequence[AlertTypeStats]) -> str:
    """Return a bar per type of alert as long as it fired, the part that was acted on filled."""
    most = max(one.fired for one in types)
    left, room = 250.0, WIDTH - 250.0 - 190
    parts = []
    for n, one in enumerate(types):
        y = n * 26.0 + 4
        label = one.type if len(one.type) <= 34 else one.type[:33] + "…"
        wide = max(3.0, one.fired / most * room)
        parts += [text(left - 10, y + 14, label, "end"), rect(left, y, wide, 18, "var(--bar)")]
        if one.acted:
            parts.append(rect(left, y, max(3.0, one.acted / most * room), 18, "var(--a)", f"{one.acted} acted on"))
        parts.append(text(left + wide + 8, y + 14, f"{one.acted} of {one.fired} acted on ({one.share:.0%})", "soft"))
    about = "; ".join(f"{one.type}: {many(one.fired, 'alert')}, {one.acted} acted on" for one in types)
    return drawing("Alerts by type", about, len(types) * 26.0 + 6, parts)


def _steps(
    curve: Curve, since: datetime, counted: bool, axis: TimeAxis, colour: str, y: Callable[[float], float]
) -> list[str]:
    path, parts = [], []
    before: float | None = None
    if since < curve.points[0].known:
        ends = axis.x(since), axis.x(curve.points[0].known)
        level = num(y(curve.points[0].value))
        parts.append(
            f'<line x1="{num(ends[0])}" y1="{level}" x2="{num(ends[1])}" y2="{level}" stroke="{colour}" '
            f'stroke-width="1.5" stroke-dasharray="2 5"><title>live, and not known</title></line>'
        )
    for point in curve.points:
        x, at = axis.x(point.known), y(point.value)
        path += [f"{num(x)},{num(before)}"] if before is not None else []
        path.append(f"{num(x)},{num(at)}")
        title = f"{curve.subject}: {_shown(point.value, counted)}, known {when(point.known)}"
        about = f"<title>{text_of(title)}</title>"
        parts.append(f'<circle cx="{num(x)}" cy="{num(at)}" r="3.5" fill="{colour}">{about}</circle>')
        before = at
    path.append(f"{num(axis.right)},{num(before or 0)}")
    return [f'<polyline points="{" ".join(path)}" fill="none" stroke="{colour}" stroke-width="2"/>', *parts]
