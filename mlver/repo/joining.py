"""Joining the histories of stages: what two repositories recorded of the same slots becomes one line each.

A slot (a stage and a scope) has a line of moves. When one side's line continues the other's, it is taken
over. When both have moves that the other has not, the slot was moved in two places at once: unless both
ended at the same commit, somebody has to choose. docs/design/sharing.md says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.state import Live, Move, View
from mlver.objects.time import format_time
from mlver.repo.moves import Slot, identity, put_live

OURS, THEIRS = "ours", "theirs"
Lines = Mapping[Slot, Sequence[Move]]


@frozen
class Choice:
    """Which side's release a slot keeps, said by `actor` at `time`."""

    side: str
    actor: str
    time: datetime
    reason: str | None = None


@frozen
class SlotConflict:
    """A slot that was moved on both sides: the last move of each, and the commits they made live (None: nothing)."""

    stage: str
    scope: str
    ours: Move
    theirs: Move


@frozen
class Joined:
    """What joining gives: the stages to go into the view, the moves that are new to it, and what is not settled."""

    stages: Mapping[str, Mapping[str, Live]]
    moves: tuple[Move, ...] = ()
    conflicts: tuple[SlotConflict, ...] = ()
    slots: tuple[Slot, ...] = field(default=())


def join_stages(view: View, ours: Lines, theirs: Lines, choices: Mapping[Slot, Choice] | None = None) -> Joined:
    """Return `view`, whose lines are `ours`, with what `theirs` adds; slots in conflict stay as they are.

    UsageError for a choice about a slot that is not in conflict.
    """
    stages = {stage: dict(scopes) for stage, scopes in view.stages.items()}
    found: list[Move] = []
    conflicts: list[SlotConflict] = []
    changed: list[Slot] = []
    left = dict(choices or {})
    for slot, their in sorted(theirs.items()):
        our = ours.get(slot, ())
        line, is_settled = _joined_line(our, their)
        choice = None if is_settled else left.pop(slot, None)
        if not is_settled and choice is None:
            conflicts.append(SlotConflict(*slot, our[-1], their[-1]))
            continue
        same = next((n for n, (a, b) in enumerate(zip(our, line, strict=False)) if a != b), min(len(our), len(line)))
        if line[same:]:
            found += line[same:]
            changed.append(slot)
            put_live(stages, slot, line[-1].live if choice is None else _chosen(our[-1], their[-1], choice))
    for stage, scope in left:
        raise UsageError(f"{stage}{'/' if scope else ''}{scope} was not moved on both sides", hint="leave it out")
    return Joined(stages, tuple(found), tuple(conflicts), tuple(changed))


def _joined_line(ours: Sequence[Move], theirs: Sequence[Move]) -> tuple[Sequence[Move], bool]:
    """Return both lines as one, and whether it is clear what is live at its end."""
    mine, other = {identity(move) for move in ours}, {identity(move) for move in theirs}
    if mine <= other:
        return theirs, True
    if other <= mine:
        return ours, True
    a, b = ours[-1].live, theirs[-1].live
    return _in_order(ours, theirs), (a.commit if a else None) == (b.commit if b else None)


def _in_order(ours: Sequence[Move], theirs: Sequence[Move]) -> list[Move]:
    """Return two lines as one: each keeps its own order, and between what both have they are in order of time."""
    shared = {identity(move) for move in ours} & {identity(move) for move in theirs}
    line: list[Move] = []
    done: set[object] = set()
    i = j = 0
    while i < len(ours):
        mine = ours[i]
        if identity(mine) in done:
            i += 1
            continue
        other = theirs[j] if j < len(theirs) else None
        if identity(mine) in shared:
            take_mine = False  # theirs come first, up to the one that both have
        elif other is None or identity(other) in shared:
            take_mine = True  # ours has that one, too, but later
        else:
            take_mine = (mine.time, mine.operation) <= (other.time, other.operation)
        if take_mine or other is None:
            i += 1
            line.append(mine)
        else:
            j += 1
            line.append(other)
            done.add(identity(other))
    return [*line, *theirs[j:]]


def _chosen(ours: Move, theirs: Move, choice: Choice) -> Live | None:
    kept, other = (ours, theirs) if choice.side == OURS else (theirs, ours)
    if kept.live is None:
        return None
    what = f"{other.live.commit.short}" if other.live else "nothing"
    reason = f"kept over {what} by {other.actor} at {format_time(other.time)}"
    if choice.reason:
        reason = f"{choice.reason} ({reason})"
    return replace(kept.live, since=choice.time, actor=choice.actor, reason=reason, action="promote")


def parse_choice(text: str) -> tuple[Slot, str]:
    """Return the slot and side in `prod=ours` or `prod/clinic=C=theirs`; UsageError when it is neither."""
    name, _, side = text.rpartition("=")
    if side not in (OURS, THEIRS) or not name:
        raise UsageError(f"not a choice: {text[:80]!r}", hint="write prod=ours or prod=theirs")
    stage, _, scope = name.partition("/")
    return (stage, scope), side
