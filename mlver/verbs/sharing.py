"""What `push`, `fetch`, `pull` and `clone` have in common: what went over, what moved, what is in conflict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from functools import partial

from mlver.errors import Conflict
from mlver.frozen import frozen
from mlver.objects.ids import CommitId, FactBatchId
from mlver.objects.state import FactBatch, Move, View
from mlver.repo.joining import SlotConflict
from mlver.repo.reach import Shipment
from mlver.repo.refs import BRANCH, STAGE, TAG, check_free
from mlver.repo.releases import slot_name
from mlver.store.object_store import ObjectStore
from mlver.store.transfer import Moved, Transfer
from mlver.verbs.common import Progress


@frozen
class KindCount:
    """Files of one kind that are new on the other side: how many, and their bytes as they are in a work tree."""

    files: int
    bytes: int


@frozen
class Delivery:
    """What went over. `bytes` were written there, packed; `objects` are those that went, by type.

    `facts` counts by type, `kinds` by the kind of the artifact. A clone takes all there is and counts objects alone.
    """

    bytes: int = 0
    commits: int = 0
    facts: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, KindCount] = field(default_factory=dict)
    objects: Mapping[str, int] = field(default_factory=dict)


@frozen
class RefChange:
    """A branch, tag or stage that moved; `name` of a stage has its scope: `prod/clinic=C`."""

    type: str
    name: str
    old: CommitId | None
    new: CommitId | None


@frozen
class MoveInfo:
    """One move of a stage: what it made live (None: nothing any more), by whom, when and why."""

    commit: CommitId | None
    actor: str
    time: datetime
    reason: str


@frozen
class StageConflict:
    """A stage (with its scope) that was moved on both sides since they last met; the last move of each."""

    name: str
    ours: MoveInfo
    theirs: MoveInfo


def stage_conflict(conflict: SlotConflict) -> StageConflict:
    """Return a conflict as results show it."""
    return StageConflict(slot_name(conflict.stage, conflict.scope), _info(conflict.ours), _info(conflict.theirs))


def _info(move: Move) -> MoveInfo:
    return MoveInfo(
        move.live.commit if move.live else None,
        move.actor,
        move.time,
        "undone" if move.undo else move.live.reason if move.live else "",
    )


def conflict_error(conflicts: tuple[StageConflict, ...], remote: str) -> Conflict:
    """Return the error that names both sides of a stage that was moved in two places."""
    one = conflicts[0]
    sides = " and ".join(
        f"{who} to {side.commit.short if side.commit else 'nothing'} by {side.actor} at {side.time:%Y-%m-%d %H:%MZ}"
        for who, side in (("here", one.ours), (f"on {remote}", one.theirs))
    )
    more = f" (and {len(conflicts) - 1} more)" if len(conflicts) > 1 else ""
    return Conflict(
        f"{one.name} was moved {sides}{more}",
        hint=f"mlver pull {remote} --stage {one.name}=ours, or =theirs, says which is live",
    )


def ref_changes(old: View, new: View) -> tuple[RefChange, ...]:
    """Return the branches, tags and stages that differ between two views."""
    found: list[RefChange] = []
    for type, before, after in (
        (BRANCH, old.branches, new.branches),
        (TAG, old.tags, new.tags),
        (STAGE, _stages(old), _stages(new)),
    ):
        names = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
        found += [RefChange(type, name, before.get(name), after.get(name)) for name in names]
    return tuple(found)


def _stages(view: View) -> dict[str, CommitId]:
    return {
        slot_name(stage, scope): live.commit for stage, scopes in view.stages.items() for scope, live in scopes.items()
    }


def check_new_names(old: View, new: View) -> None:
    """Raise Refused when a name that is new in a view would mean two things there."""
    for type, before, after in (
        (BRANCH, old.branches, new.branches),
        (TAG, old.tags, new.tags),
        (STAGE, old.stages, new.stages),
    ):
        for name in sorted(set(after) - set(before)):
            check_free(new, type, name)


def join_facts(store: ObjectStore, a: FactBatchId, b: FactBatchId) -> FactBatchId:
    """Return the head of both fact logs together, stored durably: the same whoever joins them."""
    first, second = sorted((a, b))
    with store.session() as session:
        head = session.put_object(FactBatch((first, second), ()))
        session.finish()
    return head


def delivered(shipment: Shipment, moved: Moved) -> Delivery:
    """Return what a shipment came to."""
    kinds = {kind: KindCount(*counts) for kind, counts in sorted(shipment.kinds.items())}
    facts = dict(sorted(shipment.facts.items()))
    return Delivery(moved.bytes, len(shipment.commits), facts, kinds, moved.objects)


def run_transfer(transfer: Transfer, progress: Progress | None, label: str) -> Moved:
    """Move what a transfer was asked for, telling `progress` of it."""
    return transfer.run(partial(_report, progress, label) if progress else None)


def _report(progress: Progress, label: str, done: int, total: int) -> None:
    progress(done, total, label)
