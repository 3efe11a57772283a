"""Hypothesis plays all writing verbs in any order, on real repositories and on the model beside them."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.machine.checks import check_all
from tests.machine.files import PATHS
from tests.machine.plain import Slot
from tests.machine.steps import Steps
from tests.machine.world import HUB, PEOPLE, quick

STEPS = 40
ANY = st.sampled_from((*PEOPLE, HUB))
WHO = st.sampled_from(PEOPLE)
BRANCH = st.sampled_from(("main", "a", "b"))
TAG = st.sampled_from(("t1", "t2"))
SLOT = st.sampled_from((("prod", ""), ("prod", "clinic=C"), ("canary", "")))
PICK = st.integers(0, 40)
NUMBERS = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)) | st.tuples(
    st.integers(1, 3), st.integers(1, 3)
)
PATH = st.sampled_from(PATHS)
CHANGE = st.tuples(PATH, NUMBERS)
SOME = st.lists(PATH, max_size=2, unique=True).map(tuple)
GRACE = st.sampled_from(("0", "0", None))
RARELY = st.integers(0, 3).map(lambda n: n == 3)
# of a dozen commands one dies
KILL = st.integers(0, 11).flatmap(lambda n: st.integers(1, 60) if n == 11 else st.none())


class Machine(RuleBasedStateMachine):
    """Two people and a hub. `folder` is set by whoever plays it."""

    folder: Path
    counts: ClassVar[Counter[str]] = Counter()  # of all runs together

    def __init__(self) -> None:
        super().__init__()
        self.patch = quick()
        self.patch.__enter__()
        self.steps = Steps(self.folder / "run", self.counts)

    def teardown(self) -> None:
        """Look at everything, once."""
        world = self.steps.world
        try:
            if sys.exc_info()[0] is None:  # a step that failed says more
                for side in world.sides.values():
                    check_all(world, side)
            self.counts["killed"] += world.killed
            self.counts["runs"] += 1
        finally:
            self.patch.__exit__(None, None, None)
            world.close()

    @rule(what=st.tuples(WHO, PATH, NUMBERS, KILL))
    def change(self, what: tuple[str, str, tuple[int, ...], int | None]) -> None:
        """Write and commit. Hypothesis falls back to the rule with the fewest arguments and the first name: to this."""
        self.steps.change(*what)

    @rule(who=WHO, how=st.sampled_from(("write", "write", "delete", "move")), path=PATH, numbers=NUMBERS, more=SOME)
    def files(self, who: str, how: str, path: str, numbers: tuple[int, ...], more: tuple[str, ...]) -> None:
        if how == "write":
            self.steps.write(who, path, numbers, more)
        elif how == "delete":
            self.steps.delete(who, path)
        else:
            self.steps.move(who, len(more) > 0)

    @rule(who=WHO, paths=SOME, kill=KILL)
    def commit(self, who: str, paths: tuple[str, ...], kill: int | None) -> None:
        self.steps.commit(who, paths, kill)

    @rule(who=WHO, what=st.one_of(BRANCH, TAG), pick=PICK, force=st.booleans(), delete=RARELY, kill=KILL)
    def name(self, who: str, what: str, pick: int, force: bool, delete: bool, kill: int | None) -> None:
        type = "tag" if what.startswith("t") else "branch"
        if delete:
            self.steps.delete_ref(who, type, what, kill)
        else:
            self.steps.set_ref(who, type, what, pick, force, kill)

    @rule(who=WHO, name=BRANCH, detach=RARELY, pick=PICK, kill=KILL)
    def switch(self, who: str, name: str, detach: bool, pick: int, kill: int | None) -> None:
        if detach:
            self.steps.detach(who, pick, kill)
        else:
            self.steps.switch(who, name, kill)

    @rule(who=WHO, pick=PICK, paths=SOME, force=st.booleans(), kill=KILL)
    def restore(self, who: str, pick: int, paths: tuple[str, ...], force: bool, kill: int | None) -> None:
        self.steps.restore(who, pick, paths, force, kill)

    @rule(who=WHO, name=BRANCH, no_commit=RARELY, kill=KILL)
    def merge(self, who: str, name: str, no_commit: bool, kill: int | None) -> None:
        self.steps.merge(who, name, no_commit, kill)

    @rule(who=WHO, pick=st.integers(0, 5), no_commit=RARELY, kill=KILL)
    def revert(self, who: str, pick: int, no_commit: bool, kill: int | None) -> None:
        self.steps.revert(who, pick, no_commit, kill)

    @rule(how=st.sampled_from(("ours", "theirs", "commit", "continue", "abort", "theirs")), kill=KILL)
    def end_merge(self, how: str, kill: int | None) -> None:
        self.steps.end_merge(how, kill)

    @rule(who=WHO, name=BRANCH, one=CHANGE, other=CHANGE, kill=KILL, undo=st.sampled_from((0, 0, 1, 2)))
    def part(self, who: str, name: str, one: Any, other: Any, kill: int | None, undo: int) -> None:
        """Alone, the rules above seldom bring two branches that parted together."""
        self.steps.part(who, name, one, other, kill, undo)

    @rule(who=WHO, what=CHANGE, slot=SLOT, keep=st.sampled_from(Steps.KEEPS), kill=KILL, grace=GRACE)
    def experiment(self, who: str, what: Any, slot: Slot, keep: str, kill: int | None, grace: str | None) -> None:
        self.steps.experiment(who, what, slot, keep, kill, grace)

    @rule(who=WHO, slot=SLOT, pick=st.integers(0, 6), percent=st.sampled_from((100, 100, 25)), kill=KILL)
    def promote(self, who: str, slot: Slot, pick: int, percent: int, kill: int | None) -> None:
        self.steps.promote(who, slot, pick, percent, kill)

    @rule(who=WHO, slot=SLOT, how=st.sampled_from(("to", "good", "only")), pick=st.integers(0, 6), kill=KILL)
    def rollback(self, who: str, slot: Slot, how: str, pick: int, kill: int | None) -> None:
        if how == "good":
            self.steps.rollback(who, slot)
        else:
            self.steps.rollback_to(who, slot, pick, "config" if how == "only" else None, kill)

    @rule(who=WHO, how=st.sampled_from(Steps.LEARNED), pick=PICK, slot=SLOT, kill=KILL)
    def learn(self, who: str, how: str, pick: int, slot: Slot, kill: int | None) -> None:
        self.steps.learn(who, how, pick, slot, kill)

    @rule(who=WHO, back=st.sampled_from((None, None, None, 0, 1, 2, 5)), kill=KILL)
    def undo(self, who: str, back: int | None, kill: int | None) -> None:
        self.steps.undo(who, back, kill)

    @rule(who=ANY, grace=GRACE, keep=st.sampled_from((None, "measured", "days:1")), full=st.booleans(), kill=KILL)
    def gc(self, who: str, grace: str | None, keep: str | None, full: bool, kill: int | None) -> None:
        self.steps.gc(who, grace, keep, full, kill)

    @rule(who=ANY, how=st.sampled_from(("reopen", "gone", "cut", "garbage", "clone")), seed=st.integers(0, 999))
    def again(self, who: str, how: str, seed: int) -> None:
        if how == "reopen":
            self.steps.reopen(who)
        elif how == "clone":
            self.steps.clone(bare=seed % 2 == 1)
        else:
            self.steps.lose_caches(who, seed, how)

    @rule(who=WHO, how=st.sampled_from(("push", "push", "fetch", "pull", "ours", "theirs")), kill=KILL)
    def share(self, who: str, how: str, kill: int | None) -> None:
        if how in ("ours", "theirs"):
            self.steps.fetch(who, kill, how)
        else:
            getattr(self.steps, how)(who, kill)

    @rule(who=WHO, slot=SLOT, sides=st.lists(WHO, min_size=2, max_size=4), choice=st.sampled_from(("ours", "theirs")))
    def meet(self, who: str, slot: Slot, sides: list[str], choice: str) -> None:
        """Both move a stage and push; who comes second has to choose."""
        for one in sides:
            self.steps.promote(one, slot, len(sides), 100, None)
            self.steps.push(one, None)
        self.steps.fetch(who, None, choice)
        self.steps.push(who, None)

    @rule(who=WHO, slot=SLOT, back=st.none() | st.integers(0, 400))
    def ask(self, who: str, slot: Slot, back: int | None) -> None:
        if back is None:
            self.steps.status(who)
        else:
            self.steps.deployed(who, slot, back)
