"""`status`: what changed in the work tree, what is stale, what is live."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.jobs import working
from mlver.repo.repository import Repository
from mlver.repo.snapshot import Snapshot
from mlver.repo.staleness import stale_in
from mlver.verbs.alert_waiting import OldAlert, WaitingAlerts, waiting_alerts
from mlver.verbs.common import FileChange
from mlver.verbs.file_changes import file_changes
from mlver.verbs.rule_concerns import RuleConcern, rule_concerns


@frozen
class Odd:
    """A name in the work tree that a commit would refuse, and why."""

    path: str
    reason: str


@frozen
class Stale:
    """An artifact made from inputs that have changed since."""

    path: str
    kind: str
    because: tuple[str, ...]


@frozen
class LiveNow:
    """What a stage serves now. `behind` counts the commits on this branch it does not have yet (None: unrelated)."""

    stage: str
    scope: str
    commit: CommitId
    subject: str
    since: datetime
    actor: str
    reason: str
    behind: int | None = None


@frozen
class SloLine:
    """An objective that is not met by what is live: `broken` or `unknown`, and why."""

    name: str
    state: str
    why: str


@frozen
class OpenMerge:
    """A merge or revert (`action`) that waits for its commit; conflicts as `PATH` or `PATH#UNIT`."""

    action: str
    name: str
    left: tuple[str, ...]
    resolved: tuple[str, ...]


@frozen
class StatusResult(Result):
    """The state of the repository and its work tree. `unsettled` names stages whose link waits to be moved.

    `old_alerts` are those of the open ones that have waited for a week; `muted_alerts` are open, and not listed.
    """

    schema: ClassVar[str] = "mlver.status/v1"
    root: str
    branch: str | None
    head: CommitId | None
    changes: tuple[FileChange, ...]
    odd: tuple[Odd, ...]
    stale: tuple[Stale, ...]
    stages: tuple[LiveNow, ...]
    open_alerts: tuple[str, ...]
    files: int
    bytes: int
    unsettled: tuple[str, ...] = ()
    slos: tuple[SloLine, ...] = ()
    old_alerts: tuple[OldAlert, ...] = ()
    muted_alerts: int = 0
    merging: OpenMerge | None = None
    rules: tuple[RuleConcern, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether a commit would have nothing to do."""
        return not self.changes


def status(repo: Repository, *, jobs: int | None = None) -> StatusResult:
    """Compare the work tree with HEAD. Reads only files whose stat data changed, with so many `jobs`."""
    repo.refresh()
    scan = repo.worktree.scan()
    with working(repo, jobs):
        repo.identify(scan)
    work = repo.snapshot_of_all(scan)
    waiting = _waiting(repo)
    return StatusResult(
        root=str(repo.root),
        branch=repo.view.branch,
        head=repo.view.head,
        changes=tuple(file_changes(repo.head_snapshot(), work)),
        odd=tuple(Odd(path, reason) for path, reason in scan.odd),
        stale=_stale(repo, work),
        stages=_stages(repo),
        open_alerts=waiting.open,
        old_alerts=waiting.old,
        muted_alerts=len(waiting.muted),
        files=scan.count,
        bytes=scan.size,
        unsettled=_unsettled(repo),
        slos=_slos(repo),
        merging=_merging(repo, work),
        rules=rule_concerns(repo, work),
    )


def _merging(repo: Repository, work: Snapshot) -> OpenMerge | None:
    merging = repo.view.merging
    if merging is None:
        return None
    from mlver.repo.open_merge import left_to_resolve

    left = {clash.target for clash in left_to_resolve(repo, merging, work)}
    done = tuple(clash.target for clash in merging.clashes if clash.target not in left)
    return OpenMerge(merging.action, merging.name, tuple(sorted(left)), done)


def _stale(repo: Repository, work: Snapshot) -> tuple[Stale, ...]:
    head = repo.view.head
    recorded = {**(repo.commit(head).derivations if head else {}), **repo.view.pending}
    return tuple(Stale(path, work[path].kind, why) for path, why in stale_in(repo, work, recorded).items())


def _stages(repo: Repository) -> tuple[LiveNow, ...]:
    head, found = repo.view.head, []
    reached = repo.graph.reach([head]) if head and repo.view.stages else None
    behind: dict[CommitId, int | None] = {}
    for stage, scopes in sorted(repo.view.stages.items()):
        for scope, live in sorted(scopes.items()):
            id, subject = live.commit, repo.commit(live.commit).subject
            if id not in behind:  # scopes by the hundred may serve one commit
                known = reached is not None and id in reached
                behind[id] = reached.beyond(repo.graph.reach([id])) if known and reached is not None else None
            found.append(LiveNow(stage, scope, id, subject, live.since, live.actor, live.reason, behind[id]))
    return tuple(found)


def _waiting(repo: Repository) -> WaitingAlerts:
    if repo.view.facts is None:
        return WaitingAlerts()
    return waiting_alerts(repo)


def _unsettled(repo: Repository) -> tuple[str, ...]:
    if not repo.view.stages:
        return ()
    from mlver.repo.releases import unsettled

    return unsettled(repo)


def _slos(repo: Repository) -> tuple[SloLine, ...]:
    if not repo.view.stages or not repo.project().sections("slo"):
        return ()
    from mlver.repo.conditions import MET, UNKNOWN
    from mlver.verbs.slo import check_slos

    try:
        slos = check_slos(repo).slos
    except UsageError as error:  # a malformed objective must not keep anybody from seeing the rest
        return (SloLine("slo", UNKNOWN, error.message),)
    lines = []
    for slo in slos:
        why = next((tenure.why for tenure in slo.live if tenure.state == slo.state and tenure.why), "nothing is live")
        lines.append(SloLine(slo.name, slo.state, why))
    return tuple(line for line in lines if line.state != MET)
