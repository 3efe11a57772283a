"""Pages of `exp best` and `exp frontier`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.exp import LABELS, left_out_lines
from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.values import day, many, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlver.render.layout import Piece
    from mlver.verbs.exp_best import BestResult
    from mlver.verbs.exp_frontier import FrontierResult, TriedAxis

_TRAITS = 12
_CHANCE = 0.05  # what is likelier than this by chance is shown quietly
_VALUES = 10


def best_page(result: BestResult) -> Piece:
    """The best, and what they share."""
    rows: list[list[Part | None]] = [
        [
            number(one.value),
            (one.commit.short, "id"),
            (day(one.time), "quiet"),
            (one.idea, "ref"),
            one.varied,
            (one.outcome, LABELS.get(one.outcome, "")),
        ]
        for one in result.experiments
    ]
    way = "higher" if result.higher else "lower"
    head = line((result.metric, "unit"), (f"  {way} is better, of {many(result.ranked, 'experiment')}", "quiet"))
    blocks: list[Piece] = [head, Columns(rows, right=(0,), grow=4), *left_out_lines(result.left_out)]
    return paragraphs(blocks, _traits(result) if result.traits is not None else None)


def _traits(result: BestResult) -> list[Piece]:
    if not result.traits:
        return [line("the top shares nothing that the rest lacks")]
    rows: list[list[Part | None]] = [
        [
            trait.name,
            (trait.value, "changed" if trait.chance <= _CHANCE else "quiet"),
            f"{trait.top} of {trait.of_top}",
            f"{trait.rest} of {trait.of_rest}",
            (_chance(trait.chance), "quiet"),
        ]
        for trait in result.traits[:_TRAITS]
    ]
    left = len(result.traits) - _TRAITS
    more: list[Piece] = [line((f"… {left} more (--json lists all)", "quiet"))] if left > 0 else []
    head = ("what the top shares", "", "top", "rest", "by chance")
    return [Columns(rows, head=head, right=(2, 3, 4), grow=1), *more]


def _chance(chance: float) -> str:
    return f"{chance:.0%}" if chance >= 0.01 else "< 1%"


def frontier_page(result: FrontierResult) -> Piece:
    """What was tried of each parameter, the best, and the cells nobody tried."""
    if not result.experiments:
        return line("no experiments: none was made off the main line, or by mlver exp run")
    if not result.axes:
        return line(f"nothing varied among {many(result.experiments, 'experiment')}")
    tried: list[list[Part | None]] = [
        [(axis.name, "unit"), _values(axis), (axis.best or "", "good")] for axis in result.axes
    ]
    agreed = any(axis.best for axis in result.axes)
    blocks: list[Piece] = [
        line(f"tried in {many(result.experiments, 'experiment')}"),
        indented(Columns(tried, head=("", "values × times", "best" if agreed else ""), wrap=(1,), grow=1)),
    ]
    tied = [f"{', '.join(axis.also)} always with {axis.name}" for axis in result.axes if axis.also]
    blocks += [indented(line((text, "quiet"))) for text in tied]
    return paragraphs(blocks, _best(result), _untried(result), left_out_lines(result.left_out))


def _values(axis: TriedAxis) -> str:
    told = [f"{value} ×{count}" for value, count in zip(axis.values, axis.counts, strict=True)]
    if len(told) <= _VALUES:
        return "  ".join(told)
    return f"{axis.values[0]} … {axis.values[-1]}, {len(told)} values" + ("" if axis.gridded else ", not in the grid")


def _best(result: FrontierResult) -> list[Piece]:
    if not result.best:
        return [line(("no metric to rank them by (--metric)", "warning"))]
    several = len(result.metrics) > 1
    rows: list[list[Part | None]] = [
        [(one.commit.short, "id"), *(number(one.values[name]) for name in result.metrics), _settings(one.settings)]
        for one in result.best
    ]
    title = "beaten by none" if several else "best so far"
    head = (title, *result.metrics, "")
    return [Columns(rows, head=head, right=range(1, len(result.metrics) + 1), wrap=(len(result.metrics) + 1,))]


def _settings(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _untried(result: FrontierResult) -> list[Piece]:
    if not result.untried:
        return [line(f"all {number(result.cells)} cells of the grid of these values were tried")]
    page: list[Piece] = [line(f"untried: {number(result.untried)} of {many(result.cells, 'cell')}")]
    for cell in result.cells_listed:
        main: list[Part] = [("  as on the main line", "quiet")] if cell.main else []
        page.append(indented(line(_settings(cell.settings), *main, wrap=True)))
    left = result.untried - len(result.cells_listed)
    return page + ([indented(line((f"… {number(left)} more (-n N)", "quiet")))] if left > 0 else [])
