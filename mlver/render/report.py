"""The page of `report`: what a head of department reads first comes first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from mlver.render.document import Block, Figure, Figures, Grid, Heading, Items, Line, Paragraph, Tiles, say
from mlver.render.html.charts import alert_bars, bars_by_release, known_curve, slo_lanes, stage_timeline
from mlver.render.incident import STATES, place
from mlver.render.metric_rows import metric_name
from mlver.render.values import lasted, many, number, signed, span, when, who

if TYPE_CHECKING:
    from mlver.verbs.report_result import Curve, Measure, ReportResult

_BARS = 4
_COLUMNS = 4
_CURVES = 6
_TYPES = 12
_LATE = timedelta(days=1)  # after going live: what is known then already is no news


def report_blocks(result: ReportResult) -> list[Block]:
    """Return the page: product metrics by release, stages, objectives, what was known when, alerts, incidents."""
    since = f" since {when(result.since)}" if result.since else ""
    blocks: list[Block] = [
        Heading(f"Releases on {result.stage}", 1),
        Paragraph(say((f"as of {when(result.at)}{since}", "quiet"))),
        Tiles(tuple(_tiles(result))),
        *_by_release(result),
        *_regressions(result),
        *_stages(result),
        *_slos(result),
        *_curves(result),
        *_alerts(result),
        *_incidents(result),
    ]
    if result.problems:
        blocks += [Heading("Could not be worked out"), Items(tuple(say((text, "warning")) for text in result.problems))]
    return blocks


def _tiles(result: ReportResult) -> Iterator[tuple[str, str, str]]:
    live = [row for row in result.rows if row.live]
    if live:
        row = live[-1]
        yield row.commit.short, f"live: {row.subject}", ""
        shown = [(m, c) for m, c in zip(result.measures, row.cells, strict=True) if not m.slice][:2]
        for measure, cell in shown:
            text = f"{metric_name(measure.name, measure.slice)}" + (f" on {measure.dataset}" if measure.dataset else "")
            yield number(cell.value), text, "warning" if cell.value is None else ""
    else:
        yield "nothing", f"is live on {result.stage}", "warning"
    for state, tone in (("broken", "bad"), ("unknown", "warning"), ("met", "good")):
        names = [name for name, one in result.slo_states if one == state]
        if names:
            yield state, f"{many(len(names), 'objective')}: {', '.join(names)}", tone
            break
    yield (
        str(result.open_alerts),
        "alert open" if result.open_alerts == 1 else "alerts open",
        "good" if not result.open_alerts else "bad",
    )
    going = sum(one.state == "open" for one in result.incidents)
    yield str(going), "incident open" if going == 1 else "incidents open", "bad" if going else "good"


def _name(measure: Measure) -> str:
    return metric_name(measure.name, measure.slice) + (f" on {measure.dataset}" if measure.dataset else "")


def _by_release(result: ReportResult) -> list[Block]:
    title = "Product metrics by release" if result.marked else "Metrics by release"
    if not result.rows or not result.measures:
        return [Heading(title), Paragraph(say("nothing was measured of any release"))]
    blocks: list[Block] = [Heading(title)]
    if not result.marked:
        blocks.append(
            Paragraph(say(("no metric of mlver.toml says product = true, so all that is known leads", "quiet")))
        )
    wanted = [n for n, one in enumerate(result.measures) if one.product] or list(range(len(result.measures)))
    whole = [n for n in wanted if not result.measures[n].slice] or wanted
    columns = (whole + [n for n in wanted if n not in whole])[:_COLUMNS]
    blocks.append(Figures(tuple(_bars(result, n) for n in columns[:_BARS])))
    rows = []
    for row in reversed(result.rows):
        state: Line = say(("live", "good")) if row.live else say(("rolled back", "bad")) if row.rolled_back else say("")
        rows.append(
            (
                say((row.commit.short, "id"), f" {row.subject}"),
                state,
                say((when(row.since), "quiet")),
                *(_value(row.cells[n].value, row.cells[n].n) for n in columns),
            )
        )
    head = ("release", "", "first live", *(_name(result.measures[n]) for n in columns))
    blocks.append(Grid(head, tuple(rows), right=tuple(range(3, len(head))), wrap=tuple(range(len(head)))))
    if len(wanted) > len(columns):
        blocks.append(
            Paragraph(say((f"{len(wanted) - len(columns)} more slices and datasets: mlver report --json", "quiet")))
        )
    return blocks


def _bars(result: ReportResult, n: int) -> Figure:
    better = "less is better" if result.measures[n].lower else "more is better"
    values = [abs(float(row.cells[n].value or 0)) for row in result.rows]
    top = max([v for v in values if v == v and v != float("inf")] or [1.0]) or 1.0
    return Figure(
        bars_by_release(result.measures[n], n, result.rows, top), title=f"{_name(result.measures[n])} ({better})"
    )


def _value(value: float | int | None, n: int | None) -> Line:
    if value is None:
        return say(("unknown", "warning"))
    return say(number(value), (f" n {n}", "quiet") if n is not None else "")


def _regressions(result: ReportResult) -> list[Block]:
    if result.compared is None:
        return []
    title = f"Worse in what is live than in the release before ({result.compared[0].short})"
    if not result.regressions:
        return [Heading(title), Paragraph(say(("nothing that can be compared is worse", "good")))]
    rows = tuple(
        (
            say(metric_name(one.name, one.slice)),
            say((one.dataset or "", "quiet")),
            say(number(one.old)),
            say((number(one.new), "bad")),
            say("" if one.delta is None else signed(one.delta)),
        )
        for one in result.regressions
    )
    return [Heading(title), Grid(("metric", "on", "before", "now", "change"), rows, right=(2, 3, 4))]


def _stages(result: ReportResult) -> list[Block]:
    if not result.releases:
        return []
    first = min(one.since for one in result.releases)
    first = max(first, result.since) if result.since else first
    rows = tuple(
        (
            say((place(one.stage, one.scope), "stage")),
            say((one.commit.short, "id"), f" {one.subject}"),
            say((span(one.since, one.until), "bad" if one.rolled_back else "quiet")),
            say((who(one.actor), "who"), f" {one.action}" + (f": {one.reason}" if one.reason else "")),
        )
        for one in reversed(result.releases)
    )
    return [
        Heading("What served when"),
        Figure(stage_timeline(result.releases, first, result.at), "Blue serves now; red was rolled back from."),
        Grid(("stage", "release", "served", "by and why"), rows, wrap=(1, 2, 3)),
    ]


def _slos(result: ReportResult) -> list[Block]:
    if not result.slos:
        return []
    rows = tuple(
        (
            say((one.slo, "head")),
            say((one.commit.short, "id"), f" {one.subject}"),
            say((span(one.since, one.until), "quiet")),
            say((one.at_the_time, STATES[one.at_the_time])),
            say((one.state, STATES[one.state])),
            say(one.why),
        )
        for one in result.slos
    )
    return [
        Heading("Objectives: as known then, and now"),
        Figure(
            slo_lanes(result.slos, result.at),
            "Green is met, red is broken, grey is unknown: labels that arrive weeks later judge the past again.",
        ),
        Grid(("objective", "release", "served", "then", "now", "why"), rows, wrap=(1, 2, 5)),
    ]


def _curves(result: ReportResult) -> list[Block]:
    groups: dict[Measure, list[Curve]] = {}
    for curve in result.curves:
        groups.setdefault(curve.measure, []).append(curve)
    # a single value known from the first moment is no curve; the table above has it
    began = {row.commit: row.since for row in result.rows}
    moved = [
        curves
        for curves in groups.values()
        if any(len(one.points) > 1 or one.points[0].known > began[one.commit] + _LATE for one in curves)
    ]
    if not moved:
        return []
    blocks: list[Block] = [
        Heading("What was known when"),
        Paragraph(say(("A value counts from the moment it became known. Dashed: live, and nobody knew.", "quiet"))),
    ]
    blocks += [
        Figure(known_curve(curves, began, result.at), title=_name(curves[0].measure)) for curves in moved[:_CURVES]
    ]
    return blocks


def _alerts(result: ReportResult) -> list[Block]:
    if not result.alerts:
        return [Heading("Alerts"), Paragraph(say("none fired"))]
    fired, acted = sum(one.fired for one in result.alerts), sum(one.acted for one in result.alerts)
    rows = tuple(
        (
            say(one.type),
            say(number(one.fired)),
            say(number(one.acted)),
            say(f"{one.share:.0%}", (f" ({one.low:.0%} to {one.high:.0%})", "quiet")),
            say((str(one.open), "warning" if one.open else "quiet")),
            say((when(one.last_fired), "quiet")),
        )
        for one in result.alerts[:_TYPES]
    )
    head = ("type", "fired", "acted on", "share (95 %)", "open", "last")
    return [
        Heading("Alerts by type"),
        Paragraph(say(f"{many(fired, 'alert')}, {acted} acted on ({acted / fired:.0%}).")),
        Figure(alert_bars(result.alerts[:_TYPES])),
        Grid(head, rows, right=(1, 2, 3, 4)),
    ]


def _incidents(result: ReportResult) -> list[Block]:
    if not result.incidents:
        return []
    rows = []
    for one in reversed(result.incidents):
        took = lasted((one.closed - one.opened).total_seconds()) if one.closed else ""
        rows.append(
            (
                say((one.id, "head")),
                say((one.state, STATES[one.state])),
                say((when(one.opened), "quiet")),
                say(took),
                say(one.reason),
                say(str(len(one.affected)) if one.affected else ""),
                say("; ".join(follow.text for follow in one.open_follow_ups)),
            )
        )
    head = ("incident", "state", "opened", "took", "what", "affected", "left to do")
    return [Heading("Incidents"), Grid(head, tuple(rows), right=(5,), wrap=(4, 6))]
