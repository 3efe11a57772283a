"""`check`: would a commit pass the gate of a stage? Asks, and changes nothing."""

from __future__ import annotations

from typing import ClassVar

from mlver.errors import UnknownRevision
from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.objects.state import EVERYONE
from mlver.repo.conditions import BROKEN, MET, UNKNOWN
from mlver.repo.dataset_use import uses
from mlver.repo.project import PROJECT_FILE
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Snapshot
from mlver.repo.stage_policy import stage_policy
from mlver.verbs.gate import Asked, GateRow, gate, live_now


@frozen
class Used:
    """How often values measured on one version of a dataset decided a promotion: each time tells a little about it."""

    dataset: str
    times: int


@frozen
class CheckResult(Result):
    """What a stage asks for and whether a commit has it. `state` is `met`, `broken` or `unknown`.

    `baseline` is what is live there now, `policy` the commit whose mlver.toml counts (None: the work tree's).
    `used` says how often each dataset has decided before.
    """

    schema: ClassVar[str] = "mlver.check/v1"
    commit: CommitId
    subject: str
    stage: str
    scope: str
    state: str
    rows: tuple[GateRow, ...]
    baseline: CommitId | None = None
    policy: CommitId | None = None
    used: tuple[Used, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything asked for holds."""
        return self.state == MET


def check(
    repo: Repository,
    rev: str = "HEAD",
    *,
    against: str = "prod",
    scope: str = EVERYONE,
    percent: int = 100,
    policy: str | None = None,
) -> CheckResult:
    """Return whether the commit `rev` would pass the gate of the stage `against`.

    What counts is the gate of today: the mlver.toml of HEAD, or of the revision `policy`. Raises UsageError
    naming file, line and entry of a gate that makes no sense, and UnknownRevision for a stage that nobody knows:
    a name that is mistyped lets nothing through.
    """
    repo.refresh()
    commit = repo.resolve(rev)
    asked = ask(repo, commit, against, scope, percent, policy)
    _known(repo, asked.today, against)
    rows = gate(repo, asked)
    live = live_now(repo, against, scope)
    datasets = {row.dataset_id: row.dataset for row in rows if row.dataset_id and row.dataset}
    return CheckResult(
        commit=commit,
        subject=repo.commit(commit).subject,
        stage=against,
        scope=scope,
        state=state_of(rows),
        rows=rows,
        baseline=live.commit if live else None,
        policy=asked.today.commit,
        used=tuple(Used(path, uses(repo, id)) for id, path in datasets.items()),
        warnings=_warnings(repo, asked.today, policy),
    )


def ask(repo: Repository, commit: CommitId, stage: str, scope: str, percent: int, policy: str | None = None) -> Asked:
    """Return the question whether `commit` may go live, by the gate of HEAD or of the revision `policy`."""
    today = repo.snapshot(repo.resolve(policy)) if policy else repo.head_snapshot()
    return Asked(stage_policy(today.project, stage), commit, scope, percent, repo.actor, today)


def state_of(rows: tuple[GateRow, ...]) -> str:
    """Return `met` when every row is, `broken` when one is, else `unknown`."""
    states = {row.state for row in rows}
    return BROKEN if BROKEN in states else UNKNOWN if UNKNOWN in states else MET


def _known(repo: Repository, today: Snapshot, stage: str) -> None:
    """Refuse a stage that nobody knows where others have gates; where none has, none is asked for."""
    written = today.project.tables.get("stages", {})
    before = {section.entries.get("after") for section in written.values()}
    known = sorted({*written, *repo.view.stages, *(name for name in before if isinstance(name, str))})
    if written and stage not in known:
        hint = f"stages: {', '.join(known)}"
        raise UnknownRevision(f"no stage {stage}: {PROJECT_FILE} has no [stages.{stage}], nothing is live there", hint)


def _warnings(repo: Repository, today: Snapshot, policy: str | None) -> tuple[str, ...]:
    if policy is not None or not repo.in_work_tree(PROJECT_FILE):
        return ()
    here, there = repo.project().tables.get("stages", {}), today.project.tables.get("stages", {})
    plain = [{name: dict(section.entries) for name, section in tables.items()} for tables in (here, there)]
    return () if plain[0] == plain[1] else (f"{PROJECT_FILE} here has another gate than HEAD; that of HEAD counts",)
