"""Pages of `fallback`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import indented, line, paragraphs
from mlver.render.metric_rows import slices_beside
from mlver.render.values import number, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.repo.drill_facts import Drill
    from mlver.verbs.fallback import DrillResult, Fallback, FallbackResult


def fallback_page(result: FallbackResult) -> Piece:
    """Each stage with its fallback, and what it was worth the last time."""
    if not result.stages:
        return line("no stage names a fallback ([stages.NAME] fallback in mlver.toml)", wrap=True)
    return paragraphs(*(_stage(one) for one in result.stages))


def _stage(one: Fallback) -> list[Piece]:
    lines: list[Piece] = [line((one.stage, "stage"), "  falls back to ", (one.path, "path"))]
    if one.id is None:
        lines.append(indented(line(("it is not there", "bad"))))
    if one.drill is None:
        return [*lines, indented(line(("never drilled", "warning"), f": mlver fallback drill {one.stage} -- COMMAND"))]
    if not one.drilled:
        lines.append(indented(line(("it has changed since its last drill", "warning"))))
    return [*lines, *_drill(one.drill)]


def drill_page(result: DrillResult) -> Piece:
    """What the fallback was worth, a row per metric."""
    head = line((result.drill.path, "path"), ", as in ", (result.commit.short, "id"), f" {result.subject}", wrap=True)
    return paragraphs(head, _drill(result.drill))


def _drill(drill: Drill) -> list[Piece]:
    on = f" on {drill.dataset}" if drill.dataset else ""
    cells = {}
    for shown, value in drill.values.items():
        name, _, slice = shown.partition("{")
        cells[name, slice.removesuffix("}")] = number(value)
    return [
        indented(line((f"drilled {when(drill.at)} by {who(drill.by)}{on}", "quiet"))),
        indented(slices_beside(cells), 4),
    ]
