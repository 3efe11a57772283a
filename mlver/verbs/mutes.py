"""`alerts mute`: hear nothing of a type of alert for a while, with an end and a reason; and what that hid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from mlver.errors import NegativeAnswer, UsageError
from mlver.frozen import frozen
from mlver.index.facts import moment
from mlver.objects.result import Result
from mlver.objects.time import format_time
from mlver.repo.alert_book import AlertBook
from mlver.repo.alert_facts import CRITICAL
from mlver.repo.alert_policy import covers_type
from mlver.repo.ledger import ledger_of
from mlver.repo.mute_facts import Mute, mute_fact, mutes, unmute_fact
from mlver.repo.names import check_ref
from mlver.repo.refs import check_scope
from mlver.repo.repository import Repository
from mlver.repo.tenures import ROLLBACK
from mlver.repo.transaction import record_facts, recorded

NEAR = timedelta(hours=2)


@frozen
class MuteReport:
    """One mute and what it hid. `state` is `active`, `expired` or `lifted` (`lifted_by`).

    `hid` are the alerts that fired under it, oldest first; `critical` those of them that wake people,
    `near_rollback` those within two hours of a rollback of their stage, before or after it.
    """

    type: str
    stage: str | None
    scope: str
    since: datetime
    end: datetime
    by: str
    reason: str
    state: str
    lifted_by: str | None
    hid: tuple[str, ...]
    critical: tuple[str, ...]
    near_rollback: tuple[str, ...]


@frozen
class MutesResult(Result):
    """Mutes, those that hold first, then the newest. `known_type` is false for a type that has never fired."""

    schema: ClassVar[str] = "mlver.mutes/v1"
    mutes: tuple[MuteReport, ...]
    known_type: bool = True


def mute_alerts(
    repo: Repository,
    type: str,
    *,
    until: datetime | None = None,
    for_: timedelta | None = None,
    reason: str | None = None,
    stage: str | None = None,
    scope: str = "",
) -> MutesResult:
    """Mute a type of alert, and the types below it, until a moment or for a while from now.

    Raises UsageError, naming what is missing, without an end or a reason: a mute that nobody remembers hides
    the one alert that matters.
    """
    missing = ["an end"] if until is None and for_ is None else []
    missing += [] if reason and reason.strip() else ["a reason"]
    if missing:
        says = f"a mute needs {' and '.join(missing)}"
        raise UsageError(says, hint=f"mlver alerts mute {type} --for 24h --reason WHY")
    if until is not None and for_ is not None:
        raise UsageError("a mute has one end", hint="give --until or --for")
    if not type.strip():
        raise UsageError("a mute needs a type of alert", hint="mlver alerts stats lists them")
    if stage is not None:
        check_ref(stage, "stage")
    scope, now = check_scope(scope), repo.now()
    try:
        end = until or now + (for_ or timedelta())
    except OverflowError:
        raise UsageError("a mute must end", hint="--for 24h") from None
    if end <= now:
        raise UsageError(f"a mute cannot end at {format_time(end)}, which has passed", hint="--for 24h")
    fact = mute_fact(type, stage, scope, end, reason or "", at=now, known=now, by=repo.actor)
    record_facts(repo, f"alerts mute {type}", [fact], reason=reason)
    with recorded():
        result = list_mutes(repo, type=type)
        known = any(covers_type(type, row.type) for row in AlertBook(repo).briefs(type, placed=False))
        return MutesResult(result.mutes, known)


def unmute_alerts(
    repo: Repository, type: str, *, reason: str | None = None, stage: str | None = None, scope: str | None = None
) -> MutesResult:
    """End the mutes of a type that hold now (only those of `stage` and `scope`, if given).

    Raises NegativeAnswer when none holds.
    """
    now = repo.now()
    active = [m for m in mutes(repo) if m.since <= now < m.end]
    found = [m for m in active if m.type == type and stage in (None, m.stage) and scope in (None, m.scope)]
    if not found:
        names = sorted({m.type for m in active})
        raise NegativeAnswer(
            f"no mute of {type} holds now", hint=f"muted are {', '.join(names)}" if names else "mlver alerts mutes"
        )
    facts = {(m.type, m.stage, m.scope): unmute_fact(m, reason, known=now, by=repo.actor) for m in found}
    record_facts(repo, f"alerts unmute {type}", list(facts.values()), reason=reason)
    with recorded():
        return list_mutes(repo, type=type)


def list_mutes(
    repo: Repository, *, type: str | None = None, active: bool = False, as_of: datetime | None = None
) -> MutesResult:
    """Return every mute with what it hid; `active` those that hold now (or at `as_of`)."""
    now = as_of or repo.now()
    found = [m for m in mutes(repo, as_of) if type is None or m.type.startswith(type)]
    found = [m for m in found if not active or m.since <= now < m.end]
    if not found:
        return MutesResult(())
    book, rollbacks = AlertBook(repo, as_of), _rollbacks(repo)
    reports = [_report(book, rollbacks, one, now) for one in found]
    reports.sort(key=lambda report: (report.state == "active", report.since), reverse=True)
    return MutesResult(tuple(reports))


def _rollbacks(repo: Repository) -> Sequence[tuple[str, datetime]]:
    return [(entry.stage, entry.since) for entry in ledger_of(repo) if entry.live.action == ROLLBACK]


def _report(book: AlertBook, rollbacks: Sequence[tuple[str, datetime]], mute: Mute, now: datetime) -> MuteReport:
    rows = sorted(book.briefs(mute.type, mute.since, mute.end), key=lambda row: (row.at, row.id))
    hid = [row for row in rows if mute.covers(row.type, row.stage, row.scope, moment(row.at))]
    near = [
        row.id for row in hid if any(stage == row.stage and abs(at - moment(row.at)) <= NEAR for stage, at in rollbacks)
    ]
    state = "active" if now < mute.end else "lifted" if mute.lifted_by is not None else "expired"
    return MuteReport(
        type=mute.type,
        stage=mute.stage,
        scope=mute.scope,
        since=mute.since,
        end=mute.end,
        by=mute.by,
        reason=mute.reason,
        state=state,
        lifted_by=mute.lifted_by,
        hid=tuple(row.id for row in hid),
        critical=tuple(row.id for row in hid if row.severity in CRITICAL),
        near_rollback=tuple(near),
    )
