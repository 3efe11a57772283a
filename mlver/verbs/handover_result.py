"""What `handover` returns."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.handover_facts import Handover
from mlver.repo.incident_facts import FollowUp, Incident
from mlver.verbs.common import CommitInfo
from mlver.verbs.incident_result import TimelineEvent
from mlver.verbs.mutes import MuteReport
from mlver.verbs.rule_concerns import RuleConcern
from mlver.verbs.status import LiveNow, Stale


@frozen
class WaitingAlert:
    """An alert nobody has done anything about; `old` when it has waited for a week."""

    id: str
    type: str
    severity: str
    at: datetime
    days: int
    old: bool


@frozen
class Fired:
    """How many alerts of a type fired in the window, and how many of these were acted on."""

    type: str
    fired: int
    acted: int


@frozen
class SloChange:
    """An objective as it was known at the beginning of the window (None: nothing was live) and as it is known now."""

    name: str
    then: str | None
    now: str
    why: str


@frozen
class Learned:
    """A metric value that became known in the window, of a commit that is or was live; `before` what was known."""

    commit: CommitId
    subject: str
    name: str
    slice: str
    dataset: str | None
    value: float | int | None
    before: float | int | None
    n: int | None
    known: datetime


@frozen
class RuleChange:
    """A rule that is new, gone or different since the window began. `change` is `added`, `removed` or `changed`."""

    path: str
    rule: str
    change: str
    text: str
    commit: CommitId | None
    author: str | None
    why: str | None


@frozen
class OpenFollowUp:
    """Something an incident left to do."""

    incident: str
    follow_up: FollowUp


@frozen
class HandoverResult(Result):
    """What whoever is next on call has to know. `last` is the handover before; `watch` what to keep an eye on.

    `more_learned` counts metric values beyond those listed. `recorded` is true when this one was written down.
    """

    schema: ClassVar[str] = "mlver.handover/v1"
    since: datetime
    until: datetime
    by: str
    to: str | None
    text: str | None
    last: Handover | None
    live: tuple[LiveNow, ...]
    moves: tuple[TimelineEvent, ...]
    commits: tuple[CommitInfo, ...]
    waiting: tuple[WaitingAlert, ...]
    fired: tuple[Fired, ...]
    mutes: tuple[MuteReport, ...]
    incidents: tuple[Incident, ...]
    follow_ups: tuple[OpenFollowUp, ...]
    slos: tuple[SloChange, ...]
    learned: tuple[Learned, ...]
    more_learned: int
    rules: tuple[RuleChange, ...]
    concerns: tuple[RuleConcern, ...]
    stale: tuple[Stale, ...]
    watch: tuple[str, ...]
    problems: tuple[str, ...] = ()
    recorded: bool = False
