"""`promote`: make a commit live, all kinds together, recorded; through the gate of the stage."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from mlver.errors import NegativeAnswer, UsageError
from mlver.kinds.base import Value
from mlver.repo.conditions import MET
from mlver.repo.metric_policy import metric_policy
from mlver.repo.project import PROJECT_FILE
from mlver.repo.refusal_facts import refusal_fact
from mlver.repo.releases import slot_name
from mlver.repo.repository import Repository
from mlver.repo.signing import KEY, PROMOTIONS, signing_key, wants_signature
from mlver.repo.stage_policy import StagePolicy
from mlver.repo.tenures import PROMOTE
from mlver.repo.transaction import record_facts
from mlver.verbs.check import ask
from mlver.verbs.common import Progress
from mlver.verbs.gate import ORDER, Asked, GateRow, gate
from mlver.verbs.move import Move, MoveResult, check_target, make, preview
from mlver.verbs.rollback import rollback

__all__ = ["MoveResult", "NotLetThrough", "promote", "rollback"]


class NotLetThrough(NegativeAnswer):
    """The commit does not have what the stage asks for."""

    code = "gate"


def promote(
    repo: Repository,
    stage: str,
    rev: str = "HEAD",
    *,
    scope: str = "",
    reason: str | None = None,
    percent: int = 100,
    skip: bool = False,
    override: bool = False,
    sign: bool | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> MoveResult:
    """Make `rev` live on `stage` for `scope` (empty: everyone) and `percent` of its traffic.

    Pre-flight (every object of the release is there and whole, the gate of the stage holds) comes before
    anything moves; raises Damaged naming what is missing, NotLetThrough naming what does not hold, which
    is recorded. `skip` leaves out the stage before, `override` the whole gate; both need a reason, and
    what they passed over stays in the ledger beside the metrics known now. `sign` says whether to sign it (None: when
    the setting `promote.sign` or the stage wants it).
    """
    started = time.monotonic()
    if not 1 <= percent <= 100:
        raise UsageError(f"not a share of the traffic: {percent} %", hint="from 1 to 100; mlver rollback ends it")
    if (skip or override) and not reason:
        raise UsageError(f"{'--override' if override else '--skip'} needs a reason", hint='--reason "..."')
    view = repo.refresh()
    check_target(view, stage, scope)
    commit = repo.resolve(rev)
    asked = ask(repo, commit, stage, scope, percent)
    rows = gate(repo, asked)
    failed = [row for row in rows if row.state != MET]
    passed_over = [row for row in failed if override or (skip and row.name == ORDER)]
    share = "" if percent == 100 else f" --percent {percent}"
    move = Move(
        action=PROMOTE,
        stage=stage,
        scope=scope,
        commit=commit,
        command=f"promote {slot_name(stage, scope)} {commit.short}{share}",
        reason=reason,
        started=started,
        percent=percent,
        evidence=_evidence(rows, passed_over, skip=skip and not override),
        sign=_signs(repo, asked.policy, sign, override=override),
        must_count=asked.policy.require_signed and not override,
        warnings=(*(f"passed over: {_told(row)}" for row in passed_over), *_no_product(asked)),
    )
    standing = [row for row in failed if row not in passed_over]
    if dry_run:
        return preview(repo, move, refused=tuple(map(_told, standing)))
    if standing:
        _refuse(repo, move, standing)
    return make(repo, move, progress)


def _no_product(asked: Asked) -> Iterator[str]:
    """Say so when the last stage asks for metrics, and none of those defined says how the product does."""
    stages = asked.today.project.sections("stages")
    if not asked.policy.require or any(one.text("after") == asked.policy.stage for one in stages.values()):
        return
    try:
        metrics = metric_policy(asked.today.project).metrics.values()
    except UsageError:  # whoever measures is told; a definition nobody asks for here must not be in the way
        return
    if not any(metric.product for metric in metrics):
        yield f"no metric in {PROJECT_FILE} is marked product = true: how the product does will not be in reports"


def _evidence(rows: Sequence[GateRow], passed_over: Sequence[GateRow], *, skip: bool) -> dict[str, Value]:
    """Return what the ledger keeps of a gate; nothing where there was none."""
    if not rows:
        return {}
    found: dict[str, Value] = {"gate": [row.plain() for row in rows]}
    if passed_over:
        found["override"] = "skip" if skip else "override"
    return found


def _signs(repo: Repository, policy: StagePolicy, asked: bool | None, *, override: bool) -> bool:
    """Whether to sign: also where the stage wants it and there is a key (without one, the gate does not hold)."""
    if wants_signature(repo, asked, PROMOTIONS):
        signing_key(repo)  # without one, nothing is moved
        return True
    if asked is False and policy.require_signed and not override:
        raise UsageError(f"{policy.stage} wants every promotion signed", hint=f"{policy.where}.require_signed")
    return asked is None and policy.require_signed and repo.settings.get(KEY) is not None


def _told(row: GateRow) -> str:
    where = f" ({row.slice})" if row.slice and "*" in row.requirement else ""
    return f"{row.requirement}{where}: {row.why}" if row.why else f"{row.requirement}{where}: {row.state}"


def _refuse(repo: Repository, move: Move, standing: Sequence[GateRow]) -> None:
    where = slot_name(move.stage, move.scope)
    rows = [row.plain() for row in standing]
    now = repo.now()
    record_facts(
        repo,
        f"refused: {move.command}",
        [refusal_fact(move.commit, move.stage, move.scope, rows, at=now, by=repo.actor)],
        reason=move.reason or None,
    )
    more = f", and {len(standing) - 1} more" if len(standing) > 1 else ""
    raise NotLetThrough(
        f"{move.commit.short} may not go live on {where}: {_told(standing[0])}{more}",
        hint=f"mlver check {move.commit.short} --against {where}",
    )
