"""Which metrics a report leads with, their values by release, and when they became known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from mlver.errors import UsageError
from mlver.kinds.directions import direction
from mlver.objects.ids import CommitId
from mlver.repo.metric_facts import MetricValue, metric_values, recorded_metrics
from mlver.repo.metric_policy import MetricPolicy, metric_policy
from mlver.repo.repository import Repository
from mlver.repo.slo_policy import objectives
from mlver.verbs.report_result import Cell, Curve, CurvePoint, Measure, Release, ReleaseRow

_CURVES = 12


def measures_of(
    repo: Repository, releases: Sequence[Release], at: datetime
) -> tuple[tuple[Measure, ...], bool, str | None]:
    """Return what to show of the releases: product metrics first, whole before slices, then what objectives ask of.

    Also whether any metric is marked `product`, and what kept the definitions from being read.
    """
    problem, policy, asked = None, MetricPolicy(), set[tuple[str, str]]()
    try:
        policy = metric_policy(repo.project())
        asked = {(condition.name, condition.slice) for one in objectives(repo.project()) for condition in one.require}
    except UsageError as error:
        problem = error.message
    product = {name for name, one in policy.metrics.items() if one.product}
    promised = {name for name, _ in asked}
    count: dict[tuple[str, str, str | None], int] = {}
    for commit in dict.fromkeys(release.commit for release in releases):
        for value in metric_values(repo, commit, at):
            key = (value.name, value.slice, value.dataset)
            count[key] = count.get(key, 0) + 1
    directions = repo.project().directions

    def rank(key: tuple[str, str, str | None]) -> tuple[bool, bool, bool, int, str, str, str]:
        name, slice, dataset = key
        return name not in product, name not in promised, bool(slice), -count[key], name, slice, dataset or ""

    kept = sorted(count, key=rank)
    if product or promised:
        kept = [key for key in kept if key[0] in product | promised] or kept
    found = tuple(
        Measure(name, slice, dataset, direction(name, directions) == "lower", name in product)
        for name, slice, dataset in kept
    )
    return found, bool(product), problem


def rows_of(
    repo: Repository, releases: Sequence[Release], measures: Sequence[Measure], at: datetime
) -> tuple[ReleaseRow, ...]:
    """Return a row per release, oldest first, each commit once: from the first time it served to the last."""
    rows = []
    for commit in dict.fromkeys(release.commit for release in releases):
        own = [release for release in releases if release.commit == commit]
        values = {(v.name, v.slice, v.dataset): v for v in metric_values(repo, commit, at)}
        cells = tuple(_cell(values.get((m.name, m.slice, m.dataset))) for m in measures)
        rows.append(
            ReleaseRow(
                commit,
                own[0].subject,
                own[0].since,
                own[-1].until,
                any(release.rolled_back for release in own),
                any(release.until is None for release in own),
                cells,
            )
        )
    return tuple(rows)


def _cell(value: MetricValue | None) -> Cell:
    return Cell() if value is None else Cell(value.value, value.n, value.known)


def curves_of(
    repo: Repository, releases: Sequence[Release], measures: Sequence[Measure], at: datetime
) -> tuple[Curve, ...]:
    """Return for each measure and release what was known of it when; measures whose values changed come first."""
    histories: dict[CommitId, list[MetricValue]] = {
        commit: [v for v in recorded_metrics(repo, commit, at) if not v.estimate]
        for commit in dict.fromkeys(release.commit for release in releases)
    }
    subjects = {release.commit: release.subject for release in releases}
    found: list[tuple[Measure, list[Curve]]] = []
    for measure in measures:
        curves = []
        for commit, values in histories.items():
            points = tuple(_points(measure, values))
            if points:
                curves.append(Curve(measure, commit, subjects[commit], points))
        if curves:
            found.append((measure, curves))
    found.sort(key=lambda item: -max(len(curve.points) for curve in item[1]))
    return tuple(curve for _, curves in found[:_CURVES] for curve in curves)


def _points(measure: Measure, values: Iterable[MetricValue]) -> Iterable[CurvePoint]:
    wanted = (measure.name, measure.slice, measure.dataset)
    for value in sorted(values, key=lambda value: value.known):
        if (value.name, value.slice, value.dataset) == wanted and value.value is not None:
            number = float(value.value)
            if number - number == 0:  # neither NaN nor infinite: those cannot be drawn
                yield CurvePoint(value.known, number, value.n)
