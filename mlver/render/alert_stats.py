"""The page of `alerts stats`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.alerts import did
from mlver.render.lines import Columns, Part, line, paragraphs
from mlver.render.values import day, lasted, many, when

if TYPE_CHECKING:
    from mlver.render.layout import Line, Piece
    from mlver.verbs.alert_stats import AlertStatsResult, AlertTypeStats
    from mlver.verbs.alert_truth import TypeTruth


def stats_page(result: AlertStatsResult) -> Piece:
    """Types most worth looking at first: how often they fired and mattered, what was done last."""
    if not result.types:
        return line("no alerts" + (f" since {when(result.since)}" if result.since else ""))
    grouped = any(stats.group is not None for stats in result.types)
    rows: list[list[Part | None] | Line] = []
    for stats in result.types:
        rows.append(_row(stats, grouped))
        if stats.last_action:
            rows.append(_last_action(stats))
        if stats.to_action is not None:
            rows.append(line((f"    acted on after {lasted(stats.to_action)}, in the median", "quiet")))
    head = ["type", *([""] if grouped else []), "fired", "acted", "share", "95 %", "false", "ignored", "open"]
    table = Columns(rows, head=head, right=range(len(head) - 7, len(head)), grow=0)
    share = f" ({result.acted / result.fired:.0%})" if result.fired else ""
    total = f"{many(result.fired, 'alert')}, {result.acted} acted on{share}"
    total += f" since {when(result.since)}" if result.since else ""
    if (automatic := sum(stats.automatic for stats in result.types)) > 0:
        total += f"; {automatic} ignored automatically"
    return paragraphs(table, line((total, "quiet")), _truth(result))


def _row(stats: AlertTypeStats, grouped: bool) -> list[Part | None]:
    label = "good" if stats.share >= 0.5 else "" if stats.acted else "quiet"
    row: list[Part | None] = [(stats.type, label)]
    row += [(stats.group or "", "stage")] if grouped else []
    row += [str(stats.fired), str(stats.acted), (f"{stats.share:.0%}", label)]
    row += [(f"{stats.low:.0%}–{stats.high:.0%}", "quiet"), (str(stats.false), "quiet"), (str(stats.ignored), "quiet")]
    return [*row, (str(stats.open), "warning" if stats.open else "quiet")]


def _last_action(stats: AlertTypeStats) -> Line:
    action = stats.last_action
    assert action is not None
    parts: list[Part] = [("    last: ", "quiet")]
    parts += [(f"{stats.last_action_alert} " if stats.last_action_alert else "", "unit"), f"{day(action.at)} "]
    parts += [
        did(action),
        (f" → {' '.join(commit.short for commit in action.commits)}" if action.commits else "", "id"),
    ]
    return line(*parts)


def _truth(result: AlertStatsResult) -> list[Piece]:
    """Each type against what the metrics now say."""
    if not result.against:
        return []
    rows: list[list[Part | None] | Line] = []
    for stats in result.types:
        if stats.against is not None:
            rows.append([stats.type, *_truth_cells(stats.fired, stats.against)])
            rows += _evidence(stats.against)
    drops = many(result.drops or 0, "real drop")
    title = line("a real drop is ", (" or ".join(result.against), "head"), f": {drops} known", wrap=True)
    head = ("type", "true", "false", "unknown", "precision", "95 %", "caught")
    return [title, Columns(rows, head=head, right=range(1, 7), grow=0)]


def _evidence(truth: TypeTruth) -> list[Line]:
    """On what evidence alerts count as true, below them."""
    said = ((truth.by_action, "acted on"), (truth.by_metric, "on a release that dropped"))
    found = ", ".join(f"{count} {what}" for count, what in said if count)
    return [line((f"    true: {found}", "quiet"))] if found else []


def _truth_cells(fired: int, truth: TypeTruth) -> list[Part | None]:
    unknown = truth.precision is None
    return [
        f"{truth.true}/{fired}",
        str(truth.false),
        str(truth.unknown),
        ("unknown", "quiet") if unknown else f"{truth.precision:.0%}",
        ("", "quiet") if unknown else (f"{truth.low:.0%}–{truth.high:.0%}", "quiet"),
        f"{truth.caught}/{truth.drops}" if truth.drops else ("none", "quiet"),
    ]
