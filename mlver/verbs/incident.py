"""`incident`: open one, write down what happened, tie to it what belongs to it, close it, list them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from mlver.errors import Conflict, UnknownRevision, UsageError
from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.objects.state import Fact
from mlver.repo.alert_book import AlertBook
from mlver.repo.incident_facts import (
    AFFECTED,
    ALERT,
    CAUSE,
    CLOSE,
    CLOSED,
    COMMIT,
    DONE,
    FOLLOW_UP,
    LINK,
    NOTE,
    OPEN,
    TICKET,
    Incident,
    incident_fact,
    incidents,
)
from mlver.repo.refs import check_scope
from mlver.repo.repository import Repository
from mlver.repo.revisions import parse_target
from mlver.repo.transaction import record_facts, recorded
from mlver.verbs.alert_outcomes import known_alerts
from mlver.verbs.commit_story import changed_lines, last_changed

_LONGEST = 60  # characters of an id


@frozen
class IncidentsResult(Result):
    """Incidents: open ones first, then the newest."""

    schema: ClassVar[str] = "mlver.incidents/v1"
    incidents: tuple[Incident, ...]


@frozen
class IncidentResult(Result):
    """One incident as it stands after what was recorded."""

    schema: ClassVar[str] = "mlver.incident/v1"
    incident: Incident


def open_incident(
    repo: Repository,
    id: str,
    *,
    reason: str,
    alerts: Sequence[str] = (),
    stage: str | None = None,
    scope: str = "",
    at: datetime | None = None,
) -> IncidentResult:
    """Open an incident, or open one again that was closed. `at` is when it began, now if None.

    Raises UsageError without a reason, Conflict when it is open already, UnknownRevision for an alert that is none.
    """
    _check_id(id)
    _said(reason, "an incident needs a reason")
    if (before := incidents(repo).get(id)) is not None and before.state == OPEN:
        raise Conflict(f"{id} is open since {before.opened:%Y-%m-%d %H:%MZ}", hint=f"mlver incident show {id}")
    known = _after(before, repo.now())
    facts = [
        incident_fact(
            id, OPEN, text=reason.strip(), stage=stage, scope=check_scope(scope), at=at, known=known, by=repo.actor
        )
    ]
    facts += [_alert_link(repo, id, alert, known) for alert in _known(repo, alerts)]
    return _record(repo, id, OPEN, facts, reason)


def note_incident(repo: Repository, id: str, text: str, *, at: datetime | None = None) -> IncidentResult:
    """Write down what happened or was found out. Raises UnknownRevision when there is no such incident."""
    _find(repo, id)
    _said(text, "the note is empty")
    return _record(repo, id, NOTE, [incident_fact(id, NOTE, text=text.strip(), at=at, known=repo.now(), by=repo.actor)])


def link_incident(
    repo: Repository,
    id: str,
    *,
    alerts: Sequence[str] = (),
    commits: Sequence[str] = (),
    causes: Sequence[str] = (),
    tickets: Sequence[str] = (),
    follow_ups: Sequence[str] = (),
    affected: Sequence[str] = (),
    done: Sequence[int] = (),
    text: str | None = None,
) -> IncidentResult:
    """Tie things to an incident. A cause is `REV`, `PATH#UNIT@REV` or `PATH#UNIT`; `text` says more of causes.

    `done` are numbers of follow-ups that are finished. Raises UnknownRevision for what does not exist, UsageError
    when nothing is named.
    """
    incident, known = _find(repo, id), repo.now()
    facts = [_alert_link(repo, id, alert, known) for alert in _known(repo, alerts)]
    by = repo.actor

    def link(about: str, **parts: object) -> Fact:
        return incident_fact(id, LINK, about=about, known=known, by=by, **parts)  # type: ignore[arg-type]

    facts += [link(COMMIT, commit=repo.resolve(rev)) for rev in commits]
    for cause in causes:
        commit, path, unit = _cause(repo, cause)
        facts.append(link(CAUSE, commit=commit, path=path, unit=unit, text=text))
    facts += [link(TICKET, ticket=_said(ticket, "a ticket needs a name")) for ticket in tickets]
    facts += [link(FOLLOW_UP, text=_said(follow, "a follow-up needs a text")) for follow in follow_ups]
    if affected:
        facts.append(link(AFFECTED, affected=[_said(one, "an id is empty") for one in affected], text=text))
    for number in done:
        if not 1 <= number <= len(incident.follow_ups):
            raise UnknownRevision(f"{id} has no follow-up {number}", hint=f"mlver incident show {id}")
        facts.append(incident_fact(id, DONE, number=number, known=known, by=by))
    if not facts:
        raise UsageError("nothing to link", hint="--alert, --commit, --cause, --ticket, --follow-up, --affected")
    return _record(repo, id, LINK, facts)


def close_incident(repo: Repository, id: str, *, reason: str) -> IncidentResult:
    """Close an incident. Follow-ups that are left stay open. Raises Conflict when it is closed already."""
    incident = _find(repo, id)
    _said(reason, "closing needs a reason")
    if incident.state == CLOSED:
        raise Conflict(f"{id} is closed already", hint=f"mlver incident open {id} opens it again")
    known = _after(incident, repo.now())
    fact = incident_fact(id, CLOSE, text=reason.strip(), known=known, by=repo.actor)
    return _record(repo, id, CLOSE, [fact], reason)


def list_incidents(repo: Repository, *, state: str | None = None) -> IncidentsResult:
    """Return every incident (`state` keeps `open` or `closed` ones), open ones first, then the newest."""
    if state not in (None, OPEN, CLOSED):
        raise UsageError(f"not a state of incidents: {state!r}", hint="open or closed")
    found = [one for one in incidents(repo).values() if state in (None, one.state)]
    found.sort(key=lambda one: (one.opened, one.id), reverse=True)
    return IncidentsResult(tuple(sorted(found, key=lambda one: one.state != OPEN)))


def find_incident(repo: Repository, id: str, as_of: datetime | None = None) -> Incident:
    """Return one incident, as known now or at `as_of`; UnknownRevision naming those there are otherwise."""
    known = incidents(repo, as_of)
    if id not in known:
        listed = ", ".join(known) or "none"
        raise UnknownRevision(f"no incident {id!r}", hint=f"known are {listed}; mlver incident open {id} --reason WHY")
    return known[id]


_find = find_incident


def _after(incident: Incident | None, now: datetime) -> datetime:
    """Return `now`, or just after the last event when the clock of whoever recorded that one is ahead."""
    return max([now, *(event.known + timedelta(microseconds=1) for event in (incident.events if incident else ()))])


def _record(repo: Repository, id: str, event: str, facts: list[Fact], reason: str | None = None) -> IncidentResult:
    record_facts(repo, f"incident {event} {id}", facts, reason=reason)
    with recorded():
        return IncidentResult(incidents(repo)[id])


def _check_id(id: str) -> None:
    if not id or len(id) > _LONGEST or not id.isprintable() or any(c.isspace() for c in id):
        raise UsageError(f"not an id of an incident: {id[:80]!r}", hint="one word, such as INC-1")


def _said(text: str, missing: str) -> str:
    if not text.strip():
        raise UsageError(missing, hint="mlver incident --help")
    return text.strip()


def _known(repo: Repository, ids: Sequence[str]) -> list[str]:
    return [record.id for record in known_alerts(AlertBook(repo), ids)] if ids else []


def _alert_link(repo: Repository, id: str, alert: str, known: datetime) -> Fact:
    return incident_fact(id, LINK, about=ALERT, alert=alert, known=known, by=repo.actor)


def _cause(repo: Repository, text: str) -> tuple[CommitId | None, str | None, str | None]:
    """Read a cause; UnknownRevision when the commit (or, without one, any commit) did not change that part."""
    commit, path, unit = _named(repo, text)
    if path is not None:
        if commit is not None and not changed_lines(repo, commit, path, unit):
            raise UnknownRevision(
                f"{commit.short} did not change {text.rpartition('@')[0]}", hint=f"mlver blame {shlex.quote(path)}"
            )
        if commit is None and last_changed(repo, path, unit, []) is None:
            raise UnknownRevision(f"no commit changed {text[:80]!r}", hint="REV, PATH#UNIT@REV or PATH#UNIT")
    return commit, path, unit


def _named(repo: Repository, text: str) -> tuple[CommitId | None, str | None, str | None]:
    """Split `REV`, `PATH#UNIT`, `PATH#UNIT@REV`, `PATH@REV#UNIT`, `PATH@REV`; a unit may be one the commit removed."""
    before, mark, unit = text.partition("#")
    for at in (i for i, c in enumerate(unit) if c == "@" and i):
        if repo.is_revision(unit[at + 1 :]):
            return repo.resolve(unit[at + 1 :]), repo.tree_path(before), unit[:at]
    if not mark and repo.is_revision(text):
        return repo.resolve(text), None, None
    named = parse_target(repo, text)
    return (repo.resolve(named.rev) if named.rev else None), named.path, named.unit
