"""What `incident report` returns."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.incident_facts import Incident


@frozen
class TimelineEvent:
    """One line of the story. `sort` is `alert`, `action`, `move`, `commit`, `metrics`, `note` or `incident`.

    `at` is when it happened; of metrics, when they became known. `commit` and `alert` are what it is about.
    """

    at: datetime
    sort: str
    by: str
    text: str
    commit: CommitId | None = None
    alert: str | None = None


@frozen
class BadRelease:
    """A release that the incident is about, and one interval in which it served; `until` None means it still does.

    `seconds` is how long, `found` why it is here: an alert fired on it, somebody rolled back from it naming the
    incident, or it was linked. `next` replaced it by the action `ended`, `ended_by` and `ended_reason` of whom and why.
    """

    stage: str
    scope: str
    commit: CommitId
    subject: str
    author: str
    since: datetime
    until: datetime | None
    seconds: float
    actor: str
    reason: str
    found: str
    next: CommitId | None = None
    ended: str | None = None
    ended_by: str | None = None
    ended_reason: str | None = None


@frozen
class CommitStory:
    """A commit with its author, stated reason, and what it changed: `lines`, each a unit or an artifact.

    `said` is what somebody said of it when linking it, `by` who linked it; empty when nobody did. `part` is
    `PATH#UNIT` when only that was named. `missing` says what could not be found.
    """

    commit: CommitId | None
    subject: str
    author: str
    time: datetime | None
    why: str
    tickets: tuple[str, ...]
    lines: tuple[str, ...]
    part: str | None = None
    said: str = ""
    by: str = ""
    missing: str | None = None


@frozen
class SloThenNow:
    """An objective and a bad release: its state when the release was taken down, and as known now."""

    slo: str
    stage: str
    scope: str
    commit: CommitId
    then: str
    now: str
    learned: datetime | None
    why: str


@frozen
class IncidentReportResult(Result):
    """Everything known of an incident. `served_seconds` is how long bad releases served, overlaps counted once.

    `causes` are those people named; `came_with` are the other commits between the last good release and the bad
    one, on which nobody has passed judgement; `named` are commits whose trailers name the incident, its tickets
    or alerts. `problems` say what could not be worked out.
    """

    schema: ClassVar[str] = "mlver.incident-report/v1"
    incident: Incident
    releases: tuple[BadRelease, ...]
    served_seconds: float
    timeline: tuple[TimelineEvent, ...]
    causes: tuple[CommitStory, ...]
    came_with: tuple[CommitStory, ...]
    named: tuple[CommitStory, ...]
    slos: tuple[SloThenNow, ...]
    problems: tuple[str, ...] = ()
