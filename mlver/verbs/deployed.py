"""`deployed`: what is or was live, where, for whom, by whom and why."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from mlver.errors import NegativeAnswer, UnknownRevision
from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.objects.time import format_time
from mlver.repo.ledger import LedgerEntry, entry_at, ledger_of
from mlver.repo.move_log import recorded_moves
from mlver.repo.release_store import store_folder
from mlver.repo.releases import link_path, linked, settle, slot_name, unsettled
from mlver.repo.repository import Repository
from mlver.repo.signing import Judge, Moves, Seal

_CHECKED = 30  # signatures of a long ledger: each takes some hundredths of a second


@frozen
class DeployedResult(Result):
    """What one stage serves one scope at one time. `until` None means it still does.

    `scope` is the scope of the entry that answers: the most specific one that applies. `percent` is its share
    of the traffic; what was live before keeps the rest. `evidence` is what whoever moved it saw: `metrics`,
    the rows of the `gate`, and `override` when they were passed over. `signed` says what the signature of the move is
    worth, None without one.
    """

    schema: ClassVar[str] = "mlver.deployed/v1"
    stage: str
    scope: str
    commit: CommitId
    subject: str
    since: datetime
    until: datetime | None
    actor: str
    reason: str
    action: str
    path: str | None = None
    evidence: Value = None
    percent: int = 100
    signed: Seal | None = None


@frozen
class LedgerResult(Result):
    """The ledger of one stage, or what all stages serve now; newest first."""

    schema: ClassVar[str] = "mlver.deployed-list/v1"
    entries: tuple[DeployedResult, ...]


def deployed(repo: Repository, stage: str, *, scope: str = "", at: datetime | None = None) -> DeployedResult:
    """Return what `stage` serves `scope` now, or served at the moment `at`.

    Raises NegativeAnswer when nothing was live there then, UnknownRevision for a stage there never was.
    """
    repo.refresh()
    _settle(repo)
    entries = ledger_of(repo, stage)
    if not entries:
        known = sorted(repo.view.stages)
        hint = f"stages are {', '.join(known)}" if known else f"mlver promote {stage}"
        raise UnknownRevision(f"no stage {stage!r}", hint=hint)
    entry = entry_at(entries, scope, at)
    if entry is None:
        when = f"at {format_time(at)}" if at else "now"
        begins = f"its ledger begins {entries[0].since:%Y-%m-%d %H:%MZ}"
        raise NegativeAnswer(f"nothing was live on {slot_name(stage, scope)} {when}", hint=begins)
    return _result(repo, entry, _signatures(repo, stage))


def ledger(repo: Repository, stage: str | None = None, *, scope: str | None = None) -> LedgerResult:
    """Return the whole ledger of a stage (of one scope), or without a stage what every stage serves now."""
    repo.refresh()
    _settle(repo)
    entries = ledger_of(repo, stage)
    if stage is not None and not entries:
        raise UnknownRevision(f"no stage {stage!r}", hint="mlver deployed lists them")
    if stage is None:
        entries = [entry for entry in entries if entry.until is None]
    wanted = [entry for entry in entries if scope is None or entry.scope == scope]
    signatures = _signatures(repo, stage)
    return LedgerResult(tuple(_result(repo, entry, signatures) for entry in reversed(wanted)))


def _signatures(repo: Repository, stage: str | None) -> Moves:
    return Judge(repo, most=_CHECKED).moves(recorded_moves(repo, stage))


def _settle(repo: Repository) -> None:
    """Finish a move that a crash cut short. Where nothing can be written, the question is answered all the same."""
    if unsettled(repo):
        settle(repo)


def _result(repo: Repository, entry: LedgerEntry, signatures: Moves) -> DeployedResult:
    live = entry.live
    return DeployedResult(
        stage=entry.stage,
        scope=entry.scope,
        commit=live.commit,
        subject=repo.commit(live.commit).subject,
        since=entry.since,
        until=entry.until,
        actor=live.actor,
        reason=live.reason,
        action=live.action,
        path=_path(repo, entry),
        evidence=live.evidence,
        percent=live.percent,
        signed=signatures.known(entry.move),
    )


def _path(repo: Repository, entry: LedgerEntry) -> str | None:
    """Return the folder of the release: the stage's link for what is live, its own name for what was."""
    if entry.until is None and linked(repo, entry.stage, entry.scope) == entry.live.release:
        return str(link_path(repo, entry.stage, entry.scope))
    folder = store_folder(repo) / entry.live.release if entry.live.release else None
    return str(folder) if folder is not None and folder.is_dir() else None
