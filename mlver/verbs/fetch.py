"""`fetch`: bring what is new in another repository here; branches here stay where they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import ClassVar

from mlver.frozen import frozen
from mlver.objects.ids import CommitId, FactBatchId
from mlver.objects.result import Result
from mlver.objects.state import Operation, View
from mlver.repo.head import Head
from mlver.repo.history import view_heads
from mlver.repo.joining import Choice, Joined, join_stages, parse_choice
from mlver.repo.moves import Slot, identity
from mlver.repo.reach import Before, Shipment, fact_reach
from mlver.repo.releases import settle_after, unsettled
from mlver.repo.remote import Remote, both_lines, remote_of, tracked
from mlver.repo.repository import Repository
from mlver.repo.settings import ASKED, write_setting
from mlver.repo.transaction import again, next_operation, record, recorded
from mlver.store.transfer import Transfer
from mlver.verbs.common import Progress
from mlver.verbs.sharing import (
    Delivery,
    RefChange,
    StageConflict,
    check_new_names,
    delivered,
    join_facts,
    ref_changes,
    run_transfer,
    stage_conflict,
)


@frozen
class FetchResult(Result):
    """What came, and what moved here: tags and stages (`refs`), and branches there (`branches_moved`).

    `branches` are where those are now. `conflicts` are stages that were moved on both sides: they are as they
    were here. `tags_kept` are tags that name another commit there, `followed` stages that are served from here
    and now serve what was moved elsewhere.
    """

    schema: ClassVar[str] = "mlver.fetch/v1"
    remote: str
    where: str
    changed: bool = False
    branches: Mapping[str, CommitId] = field(default_factory=dict)
    branches_moved: tuple[RefChange, ...] = ()
    refs: tuple[RefChange, ...] = ()
    conflicts: tuple[StageConflict, ...] = ()
    tags_kept: tuple[str, ...] = ()
    followed: tuple[str, ...] = ()
    delivery: Delivery = field(default_factory=Delivery)
    dry_run: bool = False


def fetch(
    repo: Repository,
    remote: str | None = None,
    *,
    stages: tuple[str, ...] = (),
    reason: str | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> FetchResult:
    """Bring commits, tags, facts and the moves of stages here; `origin/main` then names what main is there.

    `stages` (`prod=ours`, `prod/clinic=C=theirs`) say which release a stage keeps that was moved on both sides;
    that is recorded as one more move, with `reason`. Stages that are served from here follow; OutcomeUnknown when
    they could not. Everything is checked before the head here moves; a remote
    that is damaged (Damaged), gone (RemoteError) or older than it was (Refused) changes nothing.
    """
    choices = dict(map(parse_choice, stages))
    return again(lambda: _fetch(repo, remote, choices, reason, dry_run, progress))


def _fetch(
    repo: Repository,
    remote: str | None,
    choices: Mapping[Slot, str],
    reason: str | None,
    dry_run: bool,
    progress: Progress | None,
) -> FetchResult:
    repo.refresh()
    with remote_of(repo, remote) as there:
        head, delivery = _bring(repo, there, dry_run, progress)
        result = FetchResult(there.name, there.where, delivery=delivery, dry_run=dry_run)
        result = replace(result, branches=dict(head.operation.view.branches))
        made = {slot: Choice(side, repo.actor, repo.now(), reason) for slot, side in choices.items()}

        def build(here: Head) -> Operation | None:
            nonlocal result
            before, theirs = here.operation.view, head.operation.view
            joined = _joined(repo, here, there, head, made)
            view = replace(
                before,
                stages=joined.stages,
                tags={**theirs.tags, **before.tags},
                remotes={**before.remotes, there.name: tracked(head)},
            )
            check_new_names(before, view)
            if not dry_run:
                view = replace(view, facts=_facts(repo, before, theirs))
            result = replace(
                result,
                changed=view != before or bool(joined.moves),
                refs=ref_changes(before, view),
                branches_moved=_moved(before, view, there.name),
                conflicts=tuple(map(stage_conflict, joined.conflicts)),
                tags_kept=tuple(sorted(n for n, id in theirs.tags.items() if before.tags.get(n, id) != id)),
            )
            if dry_run or not result.changed:
                return None
            if joined.moves:
                _only_when_asked(repo)
            return next_operation(repo, here, f"fetch {there.name}", view, reason=reason, joined=joined.moves)

        repo.state = record(repo.store, build)
    followed: tuple[str, ...] = ()
    if result.changed and not dry_run:
        with recorded():
            if followed := unsettled(repo):
                settle_after(repo, progress=progress)
    return replace(result, followed=followed)


def _bring(repo: Repository, there: Remote, dry_run: bool, progress: Progress | None) -> tuple[Head, Delivery]:
    """Bring every object here that the newest view there leads to, each checked; return its head."""
    head = there.head()
    view, mine = head.operation.view, repo.view
    heads = [*view.branches.values(), *view.tags.values()]
    heads += [live.commit for scopes in view.stages.values() for live in scopes.values()]
    with there.reading(head):
        ours, theirs = both_lines(repo, repo.state, there, head)
        known_moves = {identity(move) for line in ours.values() for move in line}
        new_moves = [move for line in theirs.values() for move in line if identity(move) not in known_moves]
        heads += [move.live.commit for move in new_moves if move.live is not None]
        transfer = Transfer(there.store, repo.store)
        shipment = Shipment(transfer)
        known = fact_reach(repo, mine.facts)
        shipment.add_commits(heads, Before(repo.store, view_heads(mine)), known)
        if view.facts is not None:
            shipment.add_facts(view.facts, known)
        if dry_run:
            moved = transfer.planned
            transfer.close()
        else:
            moved = run_transfer(transfer, progress, f"fetch from {there.name}")
    return head, delivered(shipment, moved)


def _only_when_asked(repo: Repository) -> None:
    """Let stages that were moved elsewhere not be written to disk here, unless somebody has set it otherwise."""
    if repo.settings.origin("releases.write") == "default":
        write_setting(repo.dot / "config.toml", "releases.write", ASKED)
        repo.settings = repo.settings.reloaded(repo.dot / "config.toml")


def _moved(before: View, after: View, remote: str) -> tuple[RefChange, ...]:
    old, new = (view.remotes[remote].branches if remote in view.remotes else {} for view in (before, after))
    return ref_changes(View(branches=old), View(branches=new))


def _joined(repo: Repository, here: Head, there: Remote, head: Head, choices: Mapping[Slot, Choice]) -> Joined:
    ours, theirs = both_lines(repo, here, there, head)
    return join_stages(here.operation.view, ours, theirs, choices)


def _facts(repo: Repository, mine: View, theirs: View) -> FactBatchId | None:
    """Return the head of both fact logs together; what it needs is here."""
    if theirs.facts is None or mine.facts == theirs.facts:
        return mine.facts
    if mine.facts is None or bytes(mine.facts) in fact_reach(repo, theirs.facts):
        return theirs.facts
    if bytes(theirs.facts) in fact_reach(repo, mine.facts):
        return mine.facts
    return join_facts(repo.store, mine.facts, theirs.facts)
