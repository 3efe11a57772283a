"""Moving a stage: the one path that promote and rollback share.

Every object present -> the release written beside the old one -> the operation recorded -> the link
swapped. docs/design/releases.md says why in this order.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import field, replace
from datetime import datetime
from typing import ClassVar

from mlver.errors import Conflict, Damaged, MlverError, Redacted, Refused
from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.ids import CommitId
from mlver.objects.result import Result, jsonable
from mlver.objects.state import EVERYONE, Fact, Live, View
from mlver.repo.facts import append_facts
from mlver.repo.ledger import live_at
from mlver.repo.metric_facts import metric_values
from mlver.repo.refs import STAGE, check_free, check_scope
from mlver.repo.release_store import Release, ensure, is_whole, redacted_in, release_of
from mlver.repo.releases import confirm, link_path, prune, serve, settle, settle_after, slot_name
from mlver.repo.repository import Repository
from mlver.repo.signing import Judge, sign_commit, sign_move
from mlver.repo.snapshot import Snapshot
from mlver.repo.tenures import ROLLBACK, Health, last_good
from mlver.repo.transaction import recorded, transact
from mlver.verbs.common import MetricDelta, Progress
from mlver.verbs.diff import DiffResult, diff


@frozen
class MoveResult(Result):
    """One move of a stage, made or (dry run) previewed.

    `old` is what was live before, None the first time. `changed` is false when it was live already.
    `path` is the folder the stage now serves from; `files` and `bytes` describe the release, of
    which `bytes_written` had to be written. `undo` is the command that takes the move back, empty
    when there is nothing to take back. `mixed` says plainly when `--only` made a bundle that was
    never committed together. `unhealthy` tells why each newer ledger entry was passed over. `hint`
    is the next command, when there is an obvious one. `percent` is its share of the traffic, `refused`
    (dry run) what the gate of the stage would not let through.
    """

    schema: ClassVar[str] = "mlver.move/v1"
    action: str
    stage: str
    scope: str
    old: CommitId | None
    new: CommitId
    old_subject: str | None
    new_subject: str
    changed: bool
    since: datetime
    actor: str
    reason: str
    path: str
    files: int
    bytes: int
    bytes_written: int
    seconds: float
    undo: str
    diff: DiffResult | None = None
    metrics: tuple[MetricDelta, ...] = ()
    mixed: str | None = None
    unhealthy: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    dry_run: bool = False
    hint: str | None = None
    percent: int = 100
    refused: tuple[str, ...] = ()


@frozen
class Move:
    """A move about to be made; `evidence` is kept in the ledger beside the metrics known now.

    `sign` asks for a signature, which is refused if it `must_count` and does not; a `mixture` is a commit that this
    move made, and is signed with it.
    """

    action: str
    stage: str
    scope: str
    commit: CommitId
    command: str
    reason: str | None
    started: float
    evidence: Mapping[str, Value] = field(default_factory=dict)
    mixed: str | None = None
    unhealthy: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    hint: str | None = None
    percent: int = 100
    sign: bool = False
    must_count: bool = False
    mixture: bool = False


def check_target(view: View, stage: str, scope: str) -> None:
    """Raise UsageError or Refused when a stage or scope may not be called so."""
    check_free(view, STAGE, stage)
    check_scope(scope)


def preview(
    repo: Repository, move: Move, snapshot: Snapshot | None = None, refused: tuple[str, ...] = ()
) -> MoveResult:
    """Return what the move would do; `snapshot` is what it would serve when that is not committed yet.

    `refused` is why it would not be let through. Changes nothing.
    """
    release = _preflight(repo, move, snapshot)
    written = 0 if is_whole(repo, release) else release.bytes
    result = _result(repo, move, repo.view, release, written)
    difference = None
    if snapshot is None and result.old and result.old != move.commit:
        difference = diff(repo, str(result.old), str(move.commit))
    metrics = difference.metrics if difference else ()
    return replace(result, diff=difference, metrics=metrics, dry_run=True, refused=refused)


def make(repo: Repository, move: Move, progress: Progress | None) -> MoveResult:
    """Make the move; nothing has moved when this raises, but for OutcomeUnknown.

    Raises Damaged when an object of the release is missing or broken, Conflict when somebody else
    moved the stage meanwhile.
    """
    repo.settings.check()
    view = repo.view
    release = _preflight(repo, move)
    slot = (move.stage, move.scope)
    trouble = [
        f"what {slot_name(*other)} serves could not be put right: {error.message}"
        for other, error in settle(repo).problems
        if other != slot
    ]
    written = ensure(repo, release, progress)
    serve(repo, move.stage)
    changes = _changes(view, move)
    if changes:
        _record(repo, move, _own(view, move), release)
    with recorded() if changes else nullcontext():
        settle_after(repo, only=slot, progress=progress)
        if not changes:
            confirm(repo, *slot)
        if move.action != ROLLBACK:  # going back is urgent, tidying up is not
            trouble += _tidied(repo)
        result = _result(repo, move, view, release, written)
    return replace(result, warnings=(*result.warnings, *trouble))


def _tidied(repo: Repository) -> list[str]:
    try:
        prune(repo)
    except MlverError as error:
        return [f"old releases were not removed: {error.message}"]
    return []


def _own(view: View, move: Move) -> Live | None:
    return view.stages.get(move.stage, {}).get(move.scope)


def _served(view: View, move: Move) -> Live | None:
    return live_at(view.stages.get(move.stage, {}), move.scope)


def _changes(view: View, move: Move) -> bool:
    """Whether there is anything to do. A promotion for a scope gives it an entry of its own, whatever everyone has."""
    live = _served(view, move) if move.action == ROLLBACK else _own(view, move)
    return live is None or live.commit != move.commit or (move.action != ROLLBACK and live.percent != move.percent)


def _preflight(repo: Repository, move: Move, snapshot: Snapshot | None = None) -> Release:
    """Return the release to serve; Damaged, naming it, when an object of it is not in the store, Redacted when gone."""
    release = release_of(snapshot or repo.snapshot(move.commit), move.stage)
    if gone := redacted_in(repo, release):
        choice = last_good(repo, move.stage, move.scope, Health(repo, move.stage))
        near = f"mlver rollback {move.stage} --to {choice.commit.short}" if choice.commit else "none here is whole"
        raise Redacted(f"{move.commit.short} cannot be served: {gone.paths[0]} was {gone.words}", hint=near)
    for artifact in release.artifacts:
        if not repo.store.has(artifact.id):
            what = f"{artifact.path} of commit {move.commit.short} ({artifact.id})"
            raise Damaged(f"{what} is missing in the store; nothing was moved", hint="mlver fsck")
    return release


def _record(repo: Repository, move: Move, before: Live | None, release: Release) -> None:
    live = Live(
        commit=move.commit,
        since=repo.now(),
        actor=repo.actor,
        reason=move.reason or "",
        action=move.action,
        release=release.name,
        evidence={"metrics": _metrics(repo, move.commit), **move.evidence},
        percent=move.percent,
    )
    seals = _seals(repo, move, live)

    def change(view: View) -> View:
        check_target(view, move.stage, move.scope)
        found = _own(view, move)
        if found != before:
            where = slot_name(move.stage, move.scope)
            what = f"{found.commit.short} by {found.actor}" if found else "nothing"
            raise Conflict(f"{where} was moved to {what} meanwhile", hint=f"mlver deployed {move.stage}")
        scopes = {**view.stages.get(move.stage, {}), move.scope: live}
        facts = append_facts(repo.store, view.facts, seals) if seals else view.facts
        return replace(view, stages={**view.stages, move.stage: scopes}, facts=facts)

    transact(repo, move.command, change, reason=move.reason or None)


def _seals(repo: Repository, move: Move, live: Live) -> list[Fact]:
    """Return the signatures that the move is recorded with. Refused when one that must count does not."""
    if not move.sign:
        return []
    made = sign_move(repo, repo.state.id, move.stage, move.scope, live)
    if move.must_count and not (seal := Judge(repo).of_fact(made, live)).holds:
        where = slot_name(move.stage, move.scope)
        raise Refused(
            f"your signature does not count for {where}: {seal.why}", hint="mlver verify says whose keys count"
        )
    return [made, *([sign_commit(repo, move.commit, repo.commit(move.commit))] if move.mixture else [])]


def _metrics(repo: Repository, commit: CommitId) -> Value:
    """Return the metrics known of a commit now: what whoever moves the stage could see."""
    try:
        values = metric_values(repo, commit, files=True)
    except MlverError:  # a metrics file that cannot be read must not keep anybody from rolling back
        values = metric_values(repo, commit)
    names = ("name", "slice", "value", "dataset", "n", "as_of")
    rows = [{name: jsonable(getattr(value, name)) for name in names} for value in values]
    return [{name: item for name, item in row.items() if item not in (None, "") or name == "value"} for row in rows]


def _result(repo: Repository, move: Move, seen: View, release: Release, written: int) -> MoveResult:
    changed, before, served = _changes(seen, move), _own(seen, move), _served(seen, move)
    now = _served(repo.view, move)
    live = now if now is not None and now.commit == move.commit else None
    old = served.commit if served else None
    return MoveResult(
        action=move.action,
        stage=move.stage,
        scope=move.scope,
        old=old,
        new=move.commit,
        old_subject=repo.commit(old).subject if old else None,
        new_subject=repo.commit(move.commit).subject,
        changed=changed,
        since=live.since if live else repo.now(),
        actor=live.actor if live else repo.actor,
        reason=(live.reason if live else move.reason) or "",
        path=str(link_path(repo, move.stage, move.scope)),
        files=len(release.artifacts),
        bytes=release.bytes,
        bytes_written=written,
        seconds=time.monotonic() - move.started,
        undo=_undo(move, before) if changed else "",
        mixed=move.mixed,
        unhealthy=move.unhealthy,
        warnings=(*move.warnings, *_warnings(repo.view, move, release)),
        hint=move.hint,
        percent=move.percent,
    )


def _undo(move: Move, before: Live | None) -> str:
    if before is None:
        return "mlver undo"
    scope = f" --scope {shlex.quote(move.scope)}" if move.scope else ""
    # going forward again after a rollback is no rollback: the ledger must not read as if the good release was left
    if move.action == ROLLBACK or before.commit == move.commit:
        share = "" if before.percent == 100 else f" --percent {before.percent}"
        return f"mlver promote {move.stage} {before.commit.short}{scope}{share}"
    return f"mlver rollback {move.stage} --to {before.commit.short}{scope}"


def _warnings(view: View, move: Move, release: Release) -> list[str]:
    found = []
    if not release.artifacts:
        found.append(f"{move.commit.short} holds nothing that {move.stage} serves (models, rules, config, code)")
    if move.scope == EVERYONE:
        for scope, live in sorted(view.stages.get(move.stage, {}).items()):
            if scope != EVERYONE and live.commit != move.commit:
                found.append(f"{scope} keeps {live.commit.short}: its own entry comes first")
    return found
