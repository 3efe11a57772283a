"""Clocks that are wrong: order never rests on them, and gc drops nothing for them that could not be brought back."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.objects.ids import CommitId
from mlver.verbs.branch import delete_ref, set_ref
from mlver.verbs.deployed import ledger
from mlver.verbs.fsck import fsck
from mlver.verbs.gc import gc, restore_trash
from mlver.verbs.log import log
from mlver.verbs.note import add_note, list_notes
from mlver.verbs.promote import promote, rollback
from mlver.verbs.switch import switch
from mlver.verbs.undo import undo
from tests.gc.beside import still
from tests.gc.world import noise
from tests.kit import Bench

MOMENTS = (
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    datetime(9999, 12, 30, tzinfo=UTC),
    datetime(2000, 2, 29, tzinfo=UTC),
    datetime(2024, 4, 22, 3, 7, tzinfo=UTC),
)
STEPS = st.tuples(st.sampled_from(("commit", "promote", "rollback", "note", "drop", "gc", "undo")), st.integers(0, 4))


class World:
    """A repository beside what it must say, in the order in which things were done."""

    def __init__(self, root: Path) -> None:
        self.bench = Bench(root)
        self.line: list[CommitId] = []
        self.live: list[CommitId] = []
        self.dropped: list[CommitId] = []
        self.notes = 0
        self.emptied = False
        self.commit()
        self.promote()

    def commit(self) -> None:
        """One more on main."""
        self.bench.write("models/m.bin", noise(len(self.line), 500))
        self.line.append(self.bench.commit(f"number {len(self.line)}"))

    def promote(self) -> None:
        """The newest goes live."""
        if self.live[-1:] != self.line[-1:]:
            promote(self.bench.repo, "prod")
            self.live.append(self.line[-1])

    def rollback(self) -> None:
        """Back to what was live before, which the ledger must know."""
        if len(self.live) > 1 and self.live[-2] != self.live[-1]:
            rollback(self.bench.repo, "prod", to=self.live[-2].hex())
            self.live.append(self.live[-2])

    def note(self) -> None:
        """One more note."""
        self.notes += 1
        add_note(self.bench.repo, "main", f"note {self.notes}")

    def drop(self) -> None:
        """An experiment that soon has no name any more."""
        repo = self.bench.repo
        set_ref(repo, "branch", "x", "main")
        switch(repo, "x")
        self.bench.write("models/m.bin", noise(1000 + len(self.dropped), 500))
        self.dropped.append(self.bench.commit("experiment"))
        switch(repo, "main")
        delete_ref(repo, "branch", "x")

    def undo(self) -> None:
        """Taken back at once: a tag, so that nothing else changes."""
        set_ref(self.bench.repo, "tag", "t", "main")
        undo(self.bench.repo)
        assert "t" not in self.bench.repo.view.tags

    def gc(self) -> None:
        """With the retention that is set: 90 days, by a clock that may be anywhere."""
        self.bench.repo.storage.age = lambda key: 1e6  # type: ignore[method-assign]
        result = gc(self.bench.repo, full=True)
        self.emptied = self.emptied or result.emptied > 0

    def judge(self) -> None:
        """Everything is in the order in which it was done."""
        repo = self.bench.repo
        assert [entry.id for entry in log(repo, ["main"]).commits] == self.line[::-1]
        assert [entry.commit for entry in ledger(repo, "prod").entries] == self.live[::-1]
        assert repo.resolve("prod") == self.live[-1]
        if len(self.live) > 1:
            assert repo.resolve("prod@{1}") == self.live[-2]
        if len(self.line) > 1:
            assert repo.resolve("main@{1}") == self.line[-2]
        numbers = [operation.number for _, operation in repo.operations()]
        assert numbers == list(range(len(numbers)))[::-1]
        assert len(list_notes(repo).notes) == self.notes
        assert fsck(repo).problems == ()


@settings(max_examples=8)
@given(st.lists(STEPS, min_size=4, max_size=9), st.integers(0, 4))
def test_whatever_the_clock_says_order_is_the_order_of_doing(steps: list[tuple[str, int]], last: int) -> None:
    with tempfile.TemporaryDirectory() as folder, still():
        world = World(Path(folder) / "repo")
        for name, moment in steps:
            world.bench.clock.moment = MOMENTS[moment]
            step: Callable[[], None] = getattr(world, name)
            step()
        world.judge()
        world.bench.clock.moment = MOMENTS[last]
        world.gc()
        world.judge()
        restore_trash(world.bench.repo)
        # What gc took for old, it took to the trash. That is emptied a fortnight later by the clock: one that jumps
        # forward twice, with a gc after each jump, cannot be told from one that is right.
        for id in (*world.line, *([] if world.emptied else world.dropped)):
            for path in world.bench.repo.snapshot(id).artifacts:
                assert world.bench.repo.snapshot(id).source(path).open().read()


def test_a_clock_that_runs_backwards_makes_nothing_old_for_gc() -> None:
    with tempfile.TemporaryDirectory() as folder, still():
        world = World(Path(folder) / "repo")
        rnd, now = random.Random(59), MOMENTS[-1]
        for number in range(12):
            world.bench.clock.moment = now - number * timedelta(days=rnd.randrange(1, 4000))
            world.drop()
            world.gc()
        world.bench.clock.moment = now + timedelta(days=80)
        assert gc(world.bench.repo, full=True).dropped == ()
        world.judge()
