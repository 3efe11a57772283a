"""What `oncall guide` returns."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.alert_facts import Action, Alert

UNCHANGED, CHANGED, ADDED, REMOVED, ELSEWHERE = "unchanged", "changed", "added", "removed", "elsewhere"


@frozen
class Change:
    """The commit that last changed something: who, when and why. `mine`: by who asks."""

    commit: CommitId
    author: str
    time: datetime
    why: str
    mine: bool = False


@frozen
class UnitFate:
    """What became of something that an action brought: a unit, or (`unit` None) a whole artifact.

    The action `did` it (`added`, `changed`, `removed`); `now` it is `unchanged`, `changed`, `removed` or
    `added` (again) in the release in question, by `change`. `elsewhere`: the release was not made from the
    action's commit, and does not have what it did.
    """

    path: str
    unit: str | None
    kind: str
    did: str
    now: str
    text: str | None = None
    change: Change | None = None


@frozen
class LastTime:
    """The last alert of the type that somebody acted on, what they did, and what became of that."""

    alert: str
    action: Action
    fates: tuple[UnitFate, ...]

    @property
    def undone(self) -> tuple[UnitFate, ...]:
        """What is no longer as the action left it."""
        return tuple(fate for fate in self.fates if fate.now not in (UNCHANGED, ELSEWHERE))


@frozen
class Mention:
    """A rule, bound or setting that speaks of a `name` in the alert, and whether it changed since the release before.

    `columns_of` are the tables that have a column of this name, then `path` and `unit` are None.
    """

    name: str
    path: str | None
    unit: str | None
    kind: str
    now: str
    text: str | None = None
    change: Change | None = None
    columns_of: tuple[str, ...] = ()


@frozen
class GuidedAlert:
    """One alert that waits for somebody.

    `settled` alerts of its type are behind us, `acted` of them were acted on (`low` to `high`, Wilson 95 %),
    usually after `to_action` seconds. `advice` puts that into a few words. `served` is the commit it fired on,
    live since `served_since`; `now` what is live there now. `next` is what to type.
    """

    alert: Alert
    advice: str
    first: bool
    settled: int
    acted: int
    low: float
    high: float
    to_action: float | None
    subject: str | None
    served_since: datetime | None
    served_by: str | None
    now: CommitId | None
    last: LastTime | None
    mentions: tuple[Mention, ...]
    next: tuple[str, ...] = ()


@frozen
class KindChange:
    """What differs in one kind between two releases, in one line, and who changed it; `commits` oldest first."""

    kind: str
    summary: str
    paths: tuple[str, ...]
    authors: tuple[str, ...]
    commits: tuple[CommitId, ...]


@frozen
class ReleaseChanges:
    """What lies between the last healthy release and the one that alerts fired on.

    `live` says whether it still is live. `good` is None when there is no healthy one; `passed` says which were
    passed over, and why.
    """

    stage: str
    scope: str
    good: CommitId | None
    good_name: str
    good_subject: str
    bad: CommitId
    live: bool
    changes: tuple[KindChange, ...]
    passed: tuple[str, ...] = ()


@frozen
class Silenced:
    """Alerts that wait too, but are muted: of one type, how many, until when and why."""

    type: str
    count: int
    until: datetime
    reason: str


@frozen
class GuideResult(Result):
    """The alerts that wait for somebody, most important first, and what to know about each.

    `more` counts those that were left out, `next` is what to type, as (command, what it does). `unread` names
    files of alerts that are malformed, and why: what fired may stand there.
    """

    schema: ClassVar[str] = "mlver.oncall-guide/v1"
    at: datetime
    alerts: tuple[GuidedAlert, ...]
    more: int
    muted: tuple[Silenced, ...]
    releases: tuple[ReleaseChanges, ...]
    next: tuple[tuple[str, str], ...]
    unread: tuple[str, ...] = ()
