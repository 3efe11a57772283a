"""What `report` returns."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.incident_facts import Incident
from mlver.repo.slo_state import SloTenure
from mlver.verbs.alert_stats import AlertTypeStats
from mlver.verbs.common import MetricDelta

Number = float | int | None


@frozen
class Release:
    """One commit that was live on a stage for a scope from `since` until `until` (None: it serves)."""

    stage: str
    scope: str
    commit: CommitId
    subject: str
    since: datetime
    until: datetime | None
    actor: str
    reason: str
    action: str
    rolled_back: bool
    percent: int = 100


@frozen
class Measure:
    """One metric on one slice and dataset; `lower` when less is better, `product` when the product is judged by it."""

    name: str
    slice: str
    dataset: str | None
    lower: bool
    product: bool


@frozen
class Cell:
    """The value of a measure for a release, as known now; `value` None is unknown."""

    value: Number = None
    n: int | None = None
    known: datetime | None = None


@frozen
class ReleaseRow:
    """A release with its values, one per measure, in the order of `ReportResult.measures`."""

    commit: CommitId
    subject: str
    since: datetime
    until: datetime | None
    rolled_back: bool
    live: bool
    cells: tuple[Cell, ...]


@frozen
class CurvePoint:
    """A value, from the moment it was known."""

    known: datetime
    value: float
    n: int | None


@frozen
class Curve:
    """What was known of a measure of one release, oldest first."""

    measure: Measure
    commit: CommitId
    subject: str
    points: tuple[CurvePoint, ...]


@frozen
class ReportResult(Result):
    """The state of things at `at`, for people who do not type commands.

    `marked` is false when no metric of mlver.toml is a product metric, so that others lead. `problems` say what
    could not be read.
    """

    schema: ClassVar[str] = "mlver.report/v1"
    at: datetime
    since: datetime | None
    stage: str
    releases: tuple[Release, ...]
    measures: tuple[Measure, ...]
    marked: bool
    rows: tuple[ReleaseRow, ...]
    curves: tuple[Curve, ...]
    slos: tuple[SloTenure, ...]
    slo_states: tuple[tuple[str, str], ...]
    alerts: tuple[AlertTypeStats, ...]
    open_alerts: int
    incidents: tuple[Incident, ...]
    regressions: tuple[MetricDelta, ...]
    compared: tuple[CommitId, CommitId] | None
    problems: tuple[str, ...] = ()
