"""Alerts in the fact log, and what became of them.

A fact of type `alert` has the subject `{alert, stage, scope, commit}`, where `commit` is what was live
on the stage for the scope when the alert fired (left out when nothing was), and the body

    type      what kind of alert it is, `null_fraction.worst_radius`
    severity  `warn`, `page` and so on, in lower case
    summary   one line for people; left out when there is none
    details   all other fields the pager sent; left out when there are none

A fact of type `action` has the subject `{alert, commit}` and the body

    outcome   `acted`, `acked`, `false-positive`, `ignored`, `resolved`
    did       what was done, `reason` (why it was false or ignored), `ticket`, `commit` (the one it
              produced): each left out when there is none
    by        who did it, null for nobody known; left out when the one who recorded the fact did

`at` is when the alert fired or the action was taken. An alert recorded twice is one alert. That nobody
did anything for a while (`alert_policy`) is no fact: it is found out when the alert is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mlver.frozen import frozen
from mlver.objects.encoding import Plain
from mlver.objects.ids import CommitId
from mlver.objects.state import Fact
from mlver.repo.alert_files import ActionDraft, AlertDraft
from mlver.repo.subjects import subject, subject_commit

ALERT, ACTION = "alert", "action"
OPEN, ACTED, ACKED, FALSE, IGNORED, RESOLVED = "open", "acted", "acked", "false-positive", "ignored", "resolved"
OUTCOMES = (ACTED, ACKED, FALSE, IGNORED, RESOLVED)
UNRESOLVED = (OPEN, ACKED)
CRITICAL = frozenset({"page", "critical", "error", "fatal", "emergency"})


@frozen
class Action:
    """What somebody did about an alert: `outcome` is `acted`, `acked`, `false-positive`, `ignored` or `resolved`.

    `by` is empty when nobody knows. `commits` are what the action produced: named when it was recorded,
    or naming the alert or ticket. `automatic`: nobody took it; the alert was left alone for so long.
    """

    outcome: str
    by: str
    at: datetime
    did: str | None = None
    ticket: str | None = None
    commits: tuple[CommitId, ...] = ()
    reason: str | None = None
    automatic: bool = False


@frozen
class Alert:
    """One alert. `live` is the commit that was live on `stage` (and `scope`) when it fired.

    `state` is `open` or the outcome of its last action. `muted`: its type was muted when it fired.
    """

    id: str
    type: str
    at: datetime
    severity: str
    state: str
    stage: str | None
    scope: str | None
    live: CommitId | None
    summary: str | None = None
    actions: tuple[Action, ...] = ()
    muted: bool = False


@dataclass(slots=True)
class AlertRecord:
    """One alert as folded from its facts; cheap, for there may be many. Actions are in the order they were taken."""

    id: str
    type: str
    at: datetime
    severity: str
    summary: str | None
    about: Mapping[str, str]
    known: datetime
    actions: list[Action] = field(default_factory=list)
    details: Mapping[str, Plain] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """`open`, or the outcome of the last action."""
        return self.actions[-1].outcome if self.actions else OPEN

    @property
    def live(self) -> CommitId | None:
        """The commit that was live when it fired."""
        return subject_commit(self.about)

    @property
    def critical(self) -> bool:
        """Whether somebody is to be woken and nobody has settled it yet."""
        return self.severity in CRITICAL and self.state in UNRESOLVED


def alert_fact(
    draft: AlertDraft, stage: str | None, scope: str | None, live: CommitId | None, *, known: datetime, by: str
) -> Fact:
    """Return an alert as a fact."""
    body: dict[str, Plain] = {"type": draft.type, "severity": draft.severity}
    body |= {key: value for key, value in (("summary", draft.summary), ("details", dict(draft.details))) if value}
    about = subject(alert=draft.id, stage=stage, scope=scope, commit=live)
    return Fact(ALERT, about, body, draft.at, known, by)


def action_fact(
    alert: str,
    live: CommitId | None,
    draft: ActionDraft,
    *,
    known: datetime,
    by: str,
    commit: CommitId | None = None,
    imported: bool = False,
) -> Fact:
    """Return an action as a fact; `imported` if `by`, who records it, is not the one who acted."""
    parts = {"did": draft.did, "reason": draft.reason, "ticket": draft.ticket, "commit": commit and commit.hex()}
    body: dict[str, Plain] = {"outcome": draft.outcome} | {name: text for name, text in parts.items() if text}
    if imported:
        body["by"] = draft.by
    return Fact(ACTION, subject(alert=alert, commit=live), body, draft.at, known, by)


def fold(facts: Iterable[Fact]) -> dict[str, AlertRecord]:
    """Return alerts by id, with their actions, from the facts about them.

    Of an alert recorded several times the first record counts; actions without their alert wait for it.
    """
    found: dict[str, AlertRecord] = {}
    actions: dict[str, list[Fact]] = {}
    for fact in facts:
        id = fact.subject["alert"]
        if fact.type == ACTION:
            actions.setdefault(id, []).append(fact)
        elif id not in found or fact.known < found[id].known:
            found[id] = _record(id, fact)
    for id in actions.keys() & found.keys():
        found[id].actions = _in_order(actions[id])
    return found


def _record(id: str, fact: Fact) -> AlertRecord:
    body = fact.body
    return AlertRecord(
        id=id,
        type=body["type"],
        at=fact.at,
        severity=body["severity"],
        summary=body.get("summary"),
        about=fact.subject,
        known=fact.known,
        details=body.get("details") or {},
    )


def _in_order(facts: Iterable[Fact]) -> list[Action]:
    """Return actions by time; the same action recorded twice is one."""
    return list(dict.fromkeys(map(_action, sorted(facts, key=lambda fact: (fact.at, fact.known)))))


def _action(fact: Fact) -> Action:
    body = fact.body
    by = body.get("by", fact.by) or ""
    commit = body.get("commit")
    named = (CommitId.parse(commit),) if commit else ()
    return Action(body["outcome"], by, fact.at, body.get("did"), body.get("ticket"), named, body.get("reason"))


def to_alert(
    record: AlertRecord, finish: Callable[[AlertRecord, Action], Action] | None = None, *, muted: bool = False
) -> Alert:
    """Return the alert as results show it; `finish` fills in the commits of its actions."""
    actions = tuple(finish(record, action) if finish else action for action in record.actions)
    return Alert(
        id=record.id,
        type=record.type,
        at=record.at,
        severity=record.severity,
        state=record.state,
        stage=record.about.get("stage"),
        scope=record.about.get("scope", ""),
        live=record.live,
        summary=record.summary,
        actions=actions,
        muted=muted,
    )
