"""`exp frontier`: what was tried, the best so far, and which cells of the tried values nobody has tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import product
from math import prod
from typing import ClassVar

from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.experiments import Experiment
from mlver.repo.repository import Repository
from mlver.verbs.exp_list import common_metric
from mlver.verbs.exp_scores import Scores, scores
from mlver.verbs.exp_settings import Axis, at, axes
from mlver.verbs.exp_trials import Lab

_LISTED = 50
_GRID = 200_000  # cells that are looked through
_VALUES = 20  # of a parameter with more, no grid can be meant


@frozen
class TriedAxis:
    """Something that varied: the values tried, how often each, and the `best` of them. `gridded`: part of the grid."""

    name: str
    kind: str
    values: tuple[str, ...]
    counts: tuple[int, ...]
    also: tuple[str, ...]
    best: str | None
    gridded: bool


@frozen
class Point:
    """One experiment with its settings and what it reached: metric -> value."""

    commit: CommitId
    time: datetime
    settings: dict[str, str]
    values: dict[str, float]


@frozen
class Cell:
    """A combination of values that were each tried, but never together. `main` marks the one the main line has."""

    settings: dict[str, str]
    main: bool = False


@frozen
class FrontierResult(Result):
    """The tried region. `untried` of `cells` are left, `cells_listed` names the first of them; nothing is proposed.

    `best` are the experiments no other beats: one by one metric, by several those on their Pareto front.
    """

    schema: ClassVar[str] = "mlver.exp-frontier/v1"
    metrics: tuple[str, ...]
    experiments: int
    axes: tuple[TriedAxis, ...]
    best: tuple[Point, ...]
    cells: int
    untried: int
    cells_listed: tuple[Cell, ...]
    left_out: dict[str, int]


def frontier(
    repo: Repository,
    metrics: Sequence[str] = (),
    *,
    idea: str | None = None,
    on: str | None = None,
    limit: int = _LISTED,
) -> FrontierResult:
    """Return the region that experiments tried: config keys, run parameters, columns of tables.

    The best by one metric (the commonest, when none is named), the Pareto front by several. The grid is that of all
    values tried of everything that varied, but for seeds and for what has more than twenty values.
    """
    repo.refresh()
    lab = Lab(repo, on)
    found = lab.experiments(idea)
    named = list(metrics)
    if not named and found:
        common = common_metric([lab.trial(one) for one in found], repo)
        named = [common] if common else []
    by_metric = [scores(lab, found, name) for name in named] if found else []
    lines, settings = axes(lab, found)
    front = _front(by_metric, found)
    both = zip(found, settings, strict=True)
    points = [_point(repo, one, row, by_metric) for one, row in both if one.commit in front]
    grid = [axis for axis in lines if len(axis.values) <= _VALUES]
    cells = prod(len(axis.values) for axis in grid) if grid else 0
    tried = {tuple(row[axis.name] for axis in grid) for row in settings}
    here = _main_cell(lab, grid)
    return FrontierResult(
        metrics=tuple(one.metric for one in by_metric),
        experiments=len(found),
        axes=tuple(_tried(axis, settings, points, axis in grid) for axis in lines),
        best=tuple(points),
        cells=cells,
        untried=cells - len(tried) if grid else 0,
        cells_listed=tuple(_untried(grid, tried, here, limit)) if cells <= _GRID else (),
        left_out=dict(Counter(why for one in by_metric for why in one.left_out.values())),
    )


def _front(by_metric: Sequence[Scores], found: Sequence[Experiment]) -> set[CommitId]:
    """Return the commits that no other beats in one metric without being beaten in another."""
    if not by_metric:
        return set()
    whole = [one.commit for one in found if all(one.commit in score.values for score in by_metric)]

    def beats(a: CommitId, b: CommitId) -> bool:
        return any(s.better(a, b) for s in by_metric) and not any(s.better(b, a) for s in by_metric)

    return {one for one in whole if not any(beats(other, one) for other in whole)}


def _point(repo: Repository, one: Experiment, row: Mapping[str, str], by_metric: Sequence[Scores]) -> Point:
    values = {score.metric: score.values[one.commit] for score in by_metric}
    return Point(one.commit, repo.commit(one.commit).time, dict(row), values)


def _tried(axis: Axis, settings: Sequence[Mapping[str, str]], points: Sequence[Point], gridded: bool) -> TriedAxis:
    counts = Counter(row[axis.name] for row in settings)
    best = {point.settings[axis.name] for point in points}
    told = best.pop() if len(best) == 1 else None
    return TriedAxis(axis.name, axis.kind, axis.values, tuple(counts[v] for v in axis.values), axis.also, told, gridded)


def _main_cell(lab: Lab, grid: Sequence[Axis]) -> dict[str, str]:
    head = lab.repo.view.branches.get(lab.found.main_line or "")
    return at(lab, head, grid) if head else {}


def _untried(grid: Sequence[Axis], tried: set[tuple[str, ...]], main: Mapping[str, str], limit: int) -> list[Cell]:
    found: list[Cell] = []
    for values in product(*(axis.values for axis in grid)) if grid else ():
        if values not in tried:
            settings = dict(zip((axis.name for axis in grid), values, strict=True))
            found.append(Cell(settings, settings == main))
            if len(found) == limit:
                break
    return found
