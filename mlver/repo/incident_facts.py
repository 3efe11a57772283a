"""Incidents in the fact log: what went wrong, as people took it down; the rest is worked out from other facts.

A fact of type `incident` is one event. Its subject is what the event ties to the incident: `{stage, scope}` of an
opening, `{alert}`, `{commit}`, `{commit, path, unit}` of a link; empty for the others. Its body is

    incident  its id, `INC-1`
    event     `open`, `note`, `link`, `close`, `done`
    text      the reason of an opening or a closing, a note, a follow-up, what to say of a cause
    as        of a link: `alert`, `commit`, `cause`, `ticket`, `follow-up`, `affected`
    ticket    of a link to a ticket
    affected  of a link: ids of the rows, patients or customers concerned, a list of texts
    number    of `done`: which follow-up, counted from 1 in the order in which they were recorded

each left out when there is none. An incident opened again after it was closed is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.frozen import frozen
from mlver.objects.encoding import Plain
from mlver.objects.ids import CommitId
from mlver.objects.state import Fact
from mlver.repo.subjects import subject, subject_commit

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

INCIDENT = "incident"
OPEN, NOTE, LINK, CLOSE, DONE = "open", "note", "link", "close", "done"
CLOSED = "closed"
ALERT, COMMIT, CAUSE, TICKET, FOLLOW_UP, AFFECTED = "alert", "commit", "cause", "ticket", "follow-up", "affected"


@frozen
class Happened:
    """One event of an incident. `about` is what a link is to: `alert`, `commit` and so on, else empty."""

    event: str
    at: datetime
    known: datetime
    by: str
    text: str = ""
    about: str = ""
    alert: str | None = None
    commit: CommitId | None = None
    path: str | None = None
    unit: str | None = None
    ticket: str | None = None
    affected: tuple[str, ...] = ()


@frozen
class FollowUp:
    """Something that is to be done because of an incident. `number` counts from 1; `done` when and by whom it was."""

    number: int
    text: str
    by: str
    at: datetime
    done: datetime | None = None
    done_by: str | None = None


@frozen
class Incident:
    """One incident as its events tell it. `state` is `open` or `closed`; `events` are in the order they happened."""

    id: str
    state: str
    reason: str
    opened: datetime
    by: str
    stage: str | None = None
    scope: str = ""
    closed: datetime | None = None
    closed_by: str | None = None
    outcome: str | None = None
    events: tuple[Happened, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()

    def linked(self, about: str) -> tuple[Happened, ...]:
        """Return the links to things of one sort: `alert`, `cause` ..."""
        return tuple(event for event in self.events if event.event == LINK and event.about == about)

    @property
    def alerts(self) -> tuple[str, ...]:
        """Ids of the alerts people linked, in that order."""
        return tuple(dict.fromkeys(event.alert for event in self.linked(ALERT) if event.alert))

    @property
    def tickets(self) -> tuple[str, ...]:
        """The incident's own id, and the tickets people linked: what commits and notes may name."""
        return tuple(dict.fromkeys((self.id, *(event.ticket for event in self.linked(TICKET) if event.ticket))))

    @property
    def affected(self) -> tuple[str, ...]:
        """Ids of all that people said was concerned, each once."""
        return tuple(dict.fromkeys(id for event in self.linked(AFFECTED) for id in event.affected))

    @property
    def open_follow_ups(self) -> tuple[FollowUp, ...]:
        """What is still to be done."""
        return tuple(one for one in self.follow_ups if one.done is None)


def incident_fact(
    id: str,
    event: str,
    *,
    known: datetime,
    by: str,
    at: datetime | None = None,
    text: str | None = None,
    about: str | None = None,
    ticket: str | None = None,
    affected: Sequence[str] = (),
    number: int | None = None,
    alert: str | None = None,
    commit: CommitId | None = None,
    path: str | None = None,
    unit: str | None = None,
    stage: str | None = None,
    scope: str = "",
) -> Fact:
    """Return one event of an incident as a fact; what is None or empty is left out."""
    parts: dict[str, Plain] = {"text": text, "as": about, "ticket": ticket, "number": number}
    parts["affected"] = list(affected) or None
    body = {"incident": id, "event": event} | {name: value for name, value in parts.items() if value}
    about_ = subject(commit=commit, path=path, unit=unit, stage=stage, scope=scope, alert=alert)
    return Fact(INCIDENT, about_, body, at or known, known, by)


def incidents(repo: Repository, as_of: datetime | None = None) -> dict[str, Incident]:
    """Return every incident by id, in the order they were opened, as known now or at the moment `as_of`."""
    found: dict[str, list[Fact]] = {}
    for fact in repo.facts.of(INCIDENT, as_of=as_of):
        found.setdefault(str(fact.body["incident"]), []).append(fact)
    whole = {id: one for id, facts in found.items() if (one := _fold(id, facts)) is not None}
    return dict(sorted(whole.items(), key=lambda item: (item[1].opened, item[0])))


def _fold(id: str, facts: list[Fact]) -> Incident | None:
    ordered = sorted(facts, key=lambda fact: (fact.at, fact.known))
    first = next((fact for fact in ordered if fact.body["event"] == OPEN), None)
    if first is None:
        return None  # its opening has not arrived here yet
    one = Incident(
        id=id,
        state=OPEN,
        reason=str(first.body.get("text", "")),
        opened=first.at,
        by=first.by,
        stage=first.subject.get("stage"),
        scope=first.subject.get("scope", ""),
        events=tuple(map(_happened, ordered)),
        follow_ups=_follow_ups(facts),
    )
    for fact in sorted(facts, key=lambda fact: (fact.known, fact.at)):  # as people said it, whenever it was
        if fact.body["event"] == CLOSE:
            text = fact.body.get("text")
            one = replace(one, state=CLOSED, closed=fact.at, closed_by=fact.by, outcome=text)
        elif fact.body["event"] == OPEN and one.state == CLOSED:
            one = replace(one, state=OPEN, closed=None, closed_by=None, outcome=None)
    return one


def _happened(fact: Fact) -> Happened:
    body, about = fact.body, fact.subject
    return Happened(
        event=str(body["event"]),
        at=fact.at,
        known=fact.known,
        by=fact.by,
        text=str(body.get("text", "")),
        about=str(body.get("as", "")),
        alert=about.get("alert"),
        commit=subject_commit(about),
        path=about.get("path"),
        unit=about.get("unit"),
        ticket=body.get("ticket"),
        affected=tuple(map(str, body.get("affected", ()))),
    )


def _follow_ups(facts: list[Fact]) -> tuple[FollowUp, ...]:
    """Return follow-ups in the order they were recorded, each once, with what is done of them."""
    asked = sorted((f for f in facts if f.body.get("as") == FOLLOW_UP), key=lambda fact: fact.known)
    texts: dict[str, Fact] = {}
    for fact in asked:
        texts.setdefault(str(fact.body.get("text", "")), fact)
    found = [FollowUp(n, text, fact.by, fact.at) for n, (text, fact) in enumerate(texts.items(), 1)]
    for fact in facts:
        number = fact.body.get("number")
        if fact.body["event"] == DONE and isinstance(number, int) and 1 <= number <= len(found):
            found[number - 1] = replace(found[number - 1], done=fact.at, done_by=fact.by)
    return tuple(found)
