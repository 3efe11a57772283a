"""`alerts`: what fired, what was live then, what was done about it, and what ever mattered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import ClassVar

from blake3 import blake3

from mlver.errors import LocalIO, UnknownRevision, UsageError
from mlver.kinds.base import Unreadable
from mlver.objects.result import Result
from mlver.objects.state import Fact
from mlver.objects.time import format_time
from mlver.repo.alert_book import AlertBook
from mlver.repo.alert_facts import (
    ACTED,
    OPEN,
    OUTCOMES,
    Action,
    Alert,
    AlertRecord,
    action_fact,
    alert_fact,
    to_alert,
)
from mlver.repo.alert_files import ActionDraft, AlertDraft, outcome_word, read_alerts
from mlver.repo.live import LiveTimes
from mlver.repo.names import check_ref
from mlver.repo.produced import Produced
from mlver.repo.repository import Repository
from mlver.repo.snapshot import BlobSource
from mlver.repo.transaction import record_facts, recorded
from mlver.verbs.alert_stats import AlertStatsResult, AlertTypeStats, alert_stats

__all__ = [
    "Action",
    "Alert",
    "AlertStatsResult",
    "AlertTypeStats",
    "AlertsResult",
    "act_on_alert",
    "add_alert",
    "alert_stats",
    "import_alerts",
    "list_alerts",
]

_AT_ONCE = 500  # alerts read together
_COMPARED = 10_000  # ids among which a misspelt one is looked for


@dataclass(frozen=True)
class AlertsResult(Result):
    """Alerts, newest first; `added` counts those that were not known before (import)."""

    schema: ClassVar[str] = "mlver.alerts/v1"
    alerts: tuple[Alert, ...]
    added: int = 0
    known_before: int = 0


def add_alert(
    repo: Repository,
    type: str,
    *,
    id: str | None = None,
    at: datetime | None = None,
    severity: str = "warn",
    summary: str | None = None,
    stage: str | None = None,
    scope: str = "",
) -> AlertsResult:
    """Record an alert; the commit that was live on `stage` for `scope` at that moment is filled in.

    The stage is the one of setting `stage.default` when none is named.
    Without `id` one is made from what the alert says, so that the same alert twice is one alert.
    """
    if not type.strip():
        raise UsageError("an alert needs a type", hint="mlver alerts add null_fraction.worst_radius")
    moment, stage = at or repo.now(), _stage(repo, stage)
    named = id or _made_id(type, moment, stage, scope, summary)
    draft = AlertDraft(named, type, moment, severity.lower(), summary, None, None)
    known = AlertBook(repo, files=False).records([named]).get(named)
    if known is not None and (known.type != type or at not in (None, known.at)):
        said = f"alert {named} is known already: {known.type} at {format_time(known.at)}"
        raise UsageError(said, hint="give another id")
    return _record(repo, [draft], stage, scope, f"alerts add {type}")


def _made_id(type: str, at: datetime, stage: str, scope: str, summary: str | None) -> str:
    return blake3("\0".join([type, format_time(at), stage, scope, summary or ""]).encode()).hexdigest()[:10]


def import_alerts(repo: Repository, file: Path, *, stage: str | None = None, scope: str = "") -> AlertsResult:
    """Read alerts and their outcomes from a JSONL, CSV or JSON file; alerts known already are not doubled.

    Stage and scope that the file itself names count; the stage is else the one of setting `stage.default`.
    Raises UsageError naming file and line when the file is malformed; then nothing is recorded.
    """
    try:
        source = BlobSource(str(file), file.stat().st_size, lambda: file.open("rb"))
        drafts = read_alerts(source)
    except (FileNotFoundError, IsADirectoryError):
        raise UsageError(f"no such file: {file}") from None
    except OSError as error:
        raise LocalIO(f"cannot read {file}: {error.strerror}", hint="check its permissions") from None
    except Unreadable as error:
        raise UsageError(f"no alerts imported: {error}", hint="JSONL, CSV or JSON with id, type and at") from None
    return _record(repo, drafts, _stage(repo, stage), scope, f"alerts import {file.name}")


def _stage(repo: Repository, named: str | None) -> str:
    return str(repo.settings.get("stage.default")) if named is None else named


def _record(repo: Repository, drafts: Sequence[AlertDraft], stage: str, scope: str, command: str) -> AlertsResult:
    """Record what is not known yet, alerts and actions, as one operation."""
    check_ref(stage, "stage")
    ids = [draft.id for draft in drafts]
    before, live, now = AlertBook(repo, files=False).records(ids), LiveTimes(repo), repo.now()
    facts: list[Fact] = []
    for draft in drafts:
        on, part = draft.stage or stage, draft.scope if draft.scope is not None else scope
        known = before.get(draft.id)
        served = known.live if known else live.commit(on, part, draft.at)
        if known is None:
            facts.append(alert_fact(draft, on, part, served, known=now, by=repo.actor))
        done = {(a.outcome, a.at, a.by, a.did, a.ticket) for a in known.actions} if known else set()
        facts += [
            action_fact(draft.id, served, action, known=now, by=repo.actor, imported=True)
            for action in draft.actions
            if (action.outcome, action.at, action.by or "", action.did, action.ticket) not in done
        ]
    if facts:
        record_facts(repo, command, facts)
    added = sum(id not in before for id in ids)
    with recorded():
        after = AlertBook(repo, files=False).records(ids)
        return AlertsResult(_shown(repo, [after[id] for id in ids]), added, len(ids) - added)


def _shown(repo: Repository, records: Iterable[AlertRecord]) -> tuple[Alert, ...]:
    """Return alerts newest first, with the commits their actions produced."""
    produced = Produced(repo)
    newest = sorted(records, key=_age, reverse=True)
    return tuple(to_alert(record, produced.finish) for record in newest)


def _age(record: AlertRecord) -> tuple[datetime, str]:
    return record.at, record.id


def list_alerts(
    repo: Repository,
    *,
    type: str | None = None,
    state: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    ids: Sequence[str] = (),
    limit: int | None = None,
) -> AlertsResult:
    """List alerts, newest first. `type` matches by its start; `state` is `open` or an outcome."""
    if limit is not None and limit < 0:
        raise UsageError(f"a limit cannot be negative: {limit}")
    book = AlertBook(repo)
    word = outcome_word(state) if state and state != OPEN else state
    if ids:
        records = book.records(ids)
        if missing := [id for id in ids if id not in records]:
            raise _unknown(missing[0], book)
        wanted = set(book.chosen(type, since, until))
        found = [record for record in records.values() if record.id in wanted and word in (None, record.state)]
    else:
        found = list(islice(_in_state(book, book.chosen(type, since, until, open=word == OPEN), word), limit))
    newest = sorted(found, key=_age, reverse=True)
    return AlertsResult(_shown(repo, newest if limit is None else newest[:limit]))


def _in_state(book: AlertBook, ids: Sequence[str], state: str | None) -> Iterator[AlertRecord]:
    """Yield the alerts that are in a state (any, if None), reading no more of them than are asked for."""
    for start in range(0, len(ids), _AT_ONCE):
        records = book.records(ids[start : start + _AT_ONCE]).values()
        yield from (record for record in records if state in (None, record.state))


def act_on_alert(
    repo: Repository,
    id: str,
    *,
    did: str | None = None,
    outcome: str = ACTED,
    ticket: str | None = None,
    commit: str | None = None,
    at: datetime | None = None,
) -> AlertsResult:
    """Record what was done about an alert, and the commit it produced if there is one yet.

    Raises UnknownRevision, with the ids that come close, when there is no such alert.
    """
    word = outcome_word(outcome)
    if word not in OUTCOMES:
        raise UsageError(f"not an outcome: {outcome!r}", hint=f"one of {', '.join(OUTCOMES)}")
    book = AlertBook(repo)
    record = book.records([id]).get(id)
    if record is None:
        raise _unknown(id, book)
    made = repo.resolve(commit) if commit else None
    now = repo.now()
    draft = ActionDraft(word, at or now, did=did, ticket=ticket)
    facts = [action_fact(id, record.live, draft, known=now, by=repo.actor, commit=made)]
    if not AlertBook(repo, files=False).records([id]):
        facts.insert(0, _of_file(record, now, repo.actor))
    record_facts(repo, f"alerts act {id}", facts, reason=did)
    with recorded():
        return AlertsResult(_shown(repo, AlertBook(repo).records([id]).values()))


def _of_file(record: AlertRecord, now: datetime, by: str) -> Fact:
    """Return the fact of an alert that so far stands in a committed file alone: the log must make sense by itself."""
    stage, scope = record.about.get("stage", ""), record.about.get("scope", "")
    draft = AlertDraft(record.id, record.type, record.at, record.severity, record.summary, stage, scope)
    return alert_fact(draft, stage, scope, record.live, known=now, by=by)


def _unknown(id: str, book: AlertBook) -> UnknownRevision:
    from difflib import get_close_matches

    close = get_close_matches(id, book.chosen()[:_COMPARED], n=3)
    return UnknownRevision(
        f"no alert {id[:80]!r}", hint=f"did you mean {', '.join(close)}?" if close else "mlver alerts ls"
    )
