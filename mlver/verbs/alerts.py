"""`alerts`: what fired, what was live then, what was done about it, and what ever mattered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from blake3 import blake3

from mlver.errors import LocalIO, UsageError
from mlver.kinds.base import Unreadable
from mlver.objects.state import Fact
from mlver.objects.time import format_time
from mlver.repo.alert_book import AlertBook
from mlver.repo.alert_facts import Action, Alert, action_fact, alert_fact
from mlver.repo.alert_files import AlertDraft, read_alerts
from mlver.repo.live import LiveTimes
from mlver.repo.names import check_ref
from mlver.repo.repository import Repository
from mlver.repo.snapshot import BlobSource
from mlver.repo.transaction import record_facts, recorded
from mlver.verbs.alert_lists import AlertHistoryResult, AlertsResult, PastAction, alert_history, list_alerts, shown
from mlver.verbs.alert_outcomes import act_on_alert, settle_alerts
from mlver.verbs.alert_stats import AlertStatsResult, AlertTypeStats, alert_stats

__all__ = [
    "Action",
    "Alert",
    "AlertHistoryResult",
    "AlertStatsResult",
    "AlertTypeStats",
    "AlertsResult",
    "PastAction",
    "act_on_alert",
    "add_alert",
    "alert_history",
    "alert_stats",
    "import_alerts",
    "list_alerts",
    "settle_alerts",
]


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
    if not severity.strip():
        raise UsageError("the severity is empty", hint="info, warn, page or critical")
    moment, stage = at or repo.now(), _stage(repo, stage)
    named = id or _made_id(type, moment, stage, scope, summary)
    draft = AlertDraft(named, type, moment, severity.strip().lower(), summary, None, None)
    known = AlertBook(repo, files=False).records([named]).get(named)
    if known is not None and (known.type != type or at not in (None, known.at)):
        said = f"alert {named} is known already: {known.type} at {format_time(known.at)}"
        raise UsageError(said, hint="give another id")
    return _record(repo, [draft], stage, scope, f"alerts add {type}")


def _made_id(type: str, at: datetime, stage: str, scope: str, summary: str | None) -> str:
    said = "\0".join([type, format_time(at), stage, scope, summary or ""])
    return blake3(said.encode("utf-8", "surrogatepass")).hexdigest()[:10]  # what is no text is refused where it is kept


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
        return AlertsResult(shown(repo, [after[id] for id in ids]), added, len(ids) - added)
