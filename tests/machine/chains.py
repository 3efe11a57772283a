"""Chains of operations, all taken back: at each step view and what people see are byte for byte what they were.

Of a chain, `undo` without a number takes back the newest operation that stands; what it must bring back is what was
there just before that operation, whatever came after it.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlver.errors import NegativeAnswer
from mlver.objects.encoding import encode
from mlver.repo.releases import link_path
from tests.machine import compare, verbs
from tests.machine.files import PATHS
from tests.machine.plain import Change
from tests.machine.steps import Steps
from tests.machine.world import Side

SLOTS = (("prod", ""), ("prod", "clinic=C"), ("canary", ""))
BRANCHES = ("main", "a", "b")


@dataclass(frozen=True)
class Seen:
    """What a person sees: the bytes of the view, what each link serves, log, branches and tags."""

    view: bytes
    links: dict[str, str] = field(default_factory=dict)
    logs: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    refs: tuple[Any, ...] = ()


def look(side: Side) -> Seen:
    """Look at a repository, opened anew."""
    side.reopen()
    repo = side.repo
    real = repo.repository
    links = {}
    for slot in SLOTS:
        link = link_path(real, *slot)
        if os.path.lexists(link):
            links["/".join(slot)] = os.readlink(link)
    logs = {name: tuple(one.id for one in repo.log([name]).commits) for name in sorted(real.view.branches)}
    refs = tuple((type, one.name, one.commit) for type in ("branch", "tag") for one in repo.branches(type).refs)
    return Seen(encode(real.view), links, logs, refs)


def grow(steps: Steps, rnd: random.Random, start: int) -> None:
    """Do something that may be undone."""
    pick, slot, numbers = rnd.randrange(4), rnd.choice(SLOTS), tuple(rnd.randrange(1, 4) for _ in range(3))
    what = rnd.choice(
        ("change", "change", "promote", "promote", "rollback", "only", "branch", "delete", "tag", "untag", "switch",
         "part", "part", "revert", "end", "learn", "undo", "undo", "redo", "redo", "back", "gc", "detach")
    )  # fmt: skip
    name, side = rnd.choice(BRANCHES), steps.world.sides["ana"]
    if what == "change":
        steps.change("ana", rnd.choice(PATHS), numbers, None)
    elif what == "promote":
        steps.promote("ana", slot, pick, rnd.choice((100, 25)), None)
    elif what in ("rollback", "only"):
        steps.rollback_to("ana", slot, pick, "config" if what == "only" else None, None)
    elif what in ("branch", "tag"):
        steps.set_ref("ana", what, name if what == "branch" else "t1", pick, True, None)
    elif what in ("delete", "untag"):
        steps.delete_ref("ana", "branch" if what == "delete" else "tag", name if what == "delete" else "t1", None)
    elif what == "switch":
        steps.restore("ana", 0, (), True, None)
        steps.switch("ana", name, None)
    elif what == "detach":
        steps.detach("ana", pick, None)
    elif what == "part":
        steps.part("ana", name, (rnd.choice(PATHS[:3]), numbers), (rnd.choice(PATHS[:3]), numbers[::-1]), None, 0)
    elif what == "revert":
        steps.revert("ana", pick, rnd.random() < 0.3, None)
    elif what == "end":
        steps.end_merge(rnd.choice(("ours", "commit", "abort")), None)
    elif what == "learn":
        steps.learn("ana", rnd.choice(steps.LEARNED), pick, slot, None)
    elif what == "gc":
        steps.gc("ana", None, None, True, None)
    else:
        _undo(steps, side, what, rnd.randrange(4), start)


def _undo(steps: Steps, side: Side, what: str, back: int, start: int) -> None:
    """The last one, several, or an undo (`redo`); nothing of what was before the chain."""
    copy = side.copy
    numbers = range(copy.number, start, -1)
    if what == "redo":
        numbers = [number for number in numbers if copy.ops[number - copy.first].undoes is not None]
    if what == "undo" and (copy.last_standing() or 0) > start:
        steps.undo("ana", None, None)
    elif what != "undo" and numbers:
        steps.undo("ana", copy.number - numbers[back % len(numbers)], None)


def play(folder: Path, seed: int, counts: Counter[str]) -> None:
    """Play one chain of 5 to 15 operations, take all of it back step by step, and then redo it at once.

    Raises AssertionError where something is not as it was.
    """
    rnd = random.Random(seed)
    steps = Steps(folder, counts)
    try:
        for _ in range(rnd.randrange(3)):  # what was before the chain
            steps.change("ana", rnd.choice(PATHS), (rnd.randrange(4), 2, 3), None)
        side = steps.world.sides["ana"]
        start = side.copy.number
        seen = {start: look(side)}
        length = start + rnd.randrange(5, 16)
        for _ in range(60):
            before = side.copy.number
            grow(steps, rnd, start)
            for number in range(before + 1, side.copy.number):  # of steps that are several operations
                seen[number] = Seen(encode(_view(side, number)))
            if side.copy.number > before:
                seen[side.copy.number] = look(side)
            if side.copy.number >= length:
                break
        last = side.copy.number
        counts["chains"] += 1
        counts["operations"] += last - start
        _take_back(side, seen, start, counts)
        _redo(side, seen[last], last)
    finally:
        steps.world.close()


def _view(side: Side, number: int) -> Any:
    return side.repo.repository.operation(side.copy.ops[number - side.copy.first].id).view


def _take_back(side: Side, seen: dict[int, Seen], start: int, counts: Counter[str]) -> None:
    """Undo until nothing of the chain stands; each step must bring back what was before the operation it names."""
    while True:
        nearest = side.copy.last_standing()
        if nearest is None or nearest <= start:
            break
        undone = side.repo.undo().undone.number
        assert undone == nearest, f"took back {undone}, not {nearest}"
        _note(side)
        counts["undone"] += 1
        now, was = look(side), seen[undone - 1]
        assert now.view == was.view, f"after undo of {undone}: {now.view!r}, not {was.view!r}"
        assert not was.refs or now == was, f"after undo of {undone}: {now}, not {was}"
    assert look(side) == seen[start], "not as it was before the chain"


def _redo(side: Side, wanted: Seen, last: int) -> None:
    """Name the first undo that followed the chain: all of it is there again."""
    if side.copy.number > last:
        side.repo.undo(str(last + 1))
        _note(side)
        assert look(side) == wanted, "redo does not bring the chain back"
    try:
        side.repo.undo("0")
    except NegativeAnswer:
        return
    raise AssertionError("init was taken back")


def _note(side: Side) -> None:
    """Let the model know what was undone."""
    operation = side.repo.repository.state.operation
    undone = side.repo.op_log(limit=1).operations[0]
    number = int(undone.command.split()[1].rstrip(":"))
    plan = verbs.undo(side.copy, number, frozenset())
    change = Change(plan.changes[0].view, undoes=number)
    assert not compare.views(change.view, operation.view)
    side.copy.record(change, undone.id, operation.time)
