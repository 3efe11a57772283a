"""`rollback`: move a stage back, during an incident: one command, recorded, and the same again does nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from mlver.errors import NegativeAnswer, UnknownRevision
from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.state import Live
from mlver.repo.conditions import MET
from mlver.repo.ledger import live_at
from mlver.repo.mixed import Mix, commit_mix, mix
from mlver.repo.refs import check_scope
from mlver.repo.releases import slot_name
from mlver.repo.repository import Repository
from mlver.repo.signing import PROMOTIONS, signing_key, wants_signature
from mlver.repo.snapshot import Snapshot
from mlver.repo.stage_policy import stage_policy
from mlver.repo.tenures import ROLLBACK, Health, last_good, tenures
from mlver.verbs.common import Progress
from mlver.verbs.diff import DiffResult, Side, diff_snapshots
from mlver.verbs.gate_models import judge_models
from mlver.verbs.move import Move, MoveResult, make, preview

LAST_GOOD = "last-good"


@frozen
class _Target:
    """Where to go back to; `commit` is what is live when it is there already."""

    commit: CommitId
    unhealthy: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    hint: str | None = None


def rollback(
    repo: Repository,
    stage: str,
    *,
    to: str | None = None,
    only: str | None = None,
    scope: str = "",
    reason: str | None = None,
    sign: bool | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> MoveResult:
    """Move `stage` back to the last healthy entry of its ledger, or to `to` (a revision or `last-good`).

    Healthy is a commit whose newest mark is not `bad`, that has no open critical alert, and that the
    stage was not rolled back from. `only` takes one kind from there and leaves the rest, as a real
    commit. A second identical rollback changes nothing. `sign` says whether to sign it (None: as the setting
    `promote.sign` has it; what a stage wants holds nobody up here). Raises NegativeAnswer when no healthy
    entry is left, and for a commit that was never live there and has models that the policy keeps out.
    """
    started = time.monotonic()
    signed = wants_signature(repo, sign, PROMOTIONS)
    if signed:
        signing_key(repo)  # without one, nothing is moved
    live = _live(repo, stage, check_scope(scope))
    if to is None or to == LAST_GOOD:
        target = _last_good(repo, stage, scope, live, only)
    else:
        target = _named(repo, stage, scope, repo.resolve(to))
    command = f"rollback {slot_name(stage, scope)}{f' --only {only}' if only else ''} to {target.commit.short}"
    move = Move(
        ROLLBACK, stage, scope, target.commit, command, reason, started,
        unhealthy=target.unhealthy, warnings=target.warnings, hint=target.hint, sign=signed,
    )  # fmt: skip
    if only is None:
        return preview(repo, move) if dry_run else make(repo, move, progress)
    mixture = mix(repo, live.commit, target.commit, only)
    move = replace(move, evidence={"only": only, "from": target.commit.hex()})
    if mixture.same_as is not None:
        move = replace(move, commit=mixture.same_as)
        return preview(repo, move) if dry_run else make(repo, move, progress)
    move = replace(move, mixed=mixture.says)
    if dry_run:
        return _preview_mix(repo, move, mixture, live)
    message = f"rollback {slot_name(stage, scope)} --only {only} to {target.commit.short}"
    return make(repo, replace(move, commit=commit_mix(repo, mixture, message, reason), mixture=True), progress)


def _live(repo: Repository, stage: str, scope: str) -> Live:
    stages = repo.refresh().stages
    live = live_at(stages.get(stage, {}), scope)
    if live is None:
        known = f"stages are {', '.join(sorted(stages))}" if stages else f"mlver promote {stage}"
        raise UnknownRevision(f"nothing is live on {slot_name(stage, scope)}", hint=known)
    return live


def _last_good(repo: Repository, stage: str, scope: str, live: Live, only: str | None) -> _Target:
    """Return the last good commit, which is the live one when a rollback like this has just been made."""
    health = Health(repo, stage)
    further = f"mlver rollback {stage} --to REV goes further back"
    if live.action == ROLLBACK and _only(live) in (None, only) and health.fault(live.commit) is None:
        return _Target(live.commit, hint=further)
    choice = last_good(repo, stage, scope, health)
    if choice.commit is None:
        reasons = f" ({'; '.join(choice.passed)})" if choice.passed else ""
        where = slot_name(stage, scope)
        raise NegativeAnswer(f"{where} has no earlier release that is known to be good{reasons}", hint=further)
    return _Target(choice.commit, choice.passed)


def _only(live: Live) -> str | None:
    return live.evidence.get("only") if isinstance(live.evidence, Mapping) else None


def _named(repo: Repository, stage: str, scope: str, commit: CommitId) -> _Target:
    warnings = []
    if fault := Health(repo, stage).fault(commit):
        warnings.append(f"{commit.short}: {fault}")
    if all(tenure.live.commit != commit for tenure in tenures(repo, stage, scope)):
        warnings.append(f"{commit.short} was never live on {slot_name(stage, scope)}")
        _refuse_models(repo, stage, commit)
    return _Target(commit, warnings=tuple(warnings))


def _refuse_models(repo: Repository, stage: str, commit: CommitId) -> None:
    """Refuse models that would run code where they may not: nobody goes back to what was never live."""
    policy = stage_policy(repo.head_snapshot().project, stage)
    state, why = judge_models(repo, commit, policy) if policy.models else (MET, "")
    if state != MET:
        asked = f"models are {' or '.join(policy.models)}"
        raise NegativeAnswer(
            f"{commit.short} was never live on {stage}, and may not: {asked}: {why}",
            hint=f"mlver promote {stage} {commit.short} --override --reason WHY",
        )


def _preview_mix(repo: Repository, move: Move, mixture: Mix, live: Live) -> MoveResult:
    """Preview a bundle that is not committed yet: `new` is the commit the one kind comes from."""
    after = Snapshot(mixture.artifacts, lambda artifact: repo.store.open_blob(artifact.id))
    commit = repo.commit(live.commit)
    difference = DiffResult(
        old=Side(move.stage, live.commit, commit.time, commit.author, commit.subject),
        new=Side(f"{move.stage} --only {mixture.kind}", None),
        artifacts=diff_snapshots(repo, repo.snapshot(live.commit), after),
    )
    return replace(preview(repo, move, after), diff=difference)
