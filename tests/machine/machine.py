"""Hypothesis plays all writing verbs in any order, on real repositories and on the model beside them."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

import mlver
from mlver.errors import Conflict, NegativeAnswer, UnknownRevision
from tests.kit import START
from tests.machine import compare, verbs
from tests.machine.files import PATHS, Files, content
from tests.machine.plain import Change, Id, Plan, Slot, View
from tests.machine.world import HUB, PEOPLE, Side, Violation, World, quick

ANY = st.sampled_from((*PEOPLE, HUB))
WHO = st.sampled_from(PEOPLE)
BRANCH = st.sampled_from(("main", "a", "b"))
TYPE = st.sampled_from(("branch", "tag"))
TAG = st.sampled_from(("t1", "t2"))
SLOT = st.sampled_from((("prod", ""), ("prod", "clinic=C"), ("canary", "")))
PICK = st.integers(0, 40)
NUMBERS = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)) | st.tuples(
    st.integers(1, 3), st.integers(1, 3)
)
SOME = st.lists(st.sampled_from(PATHS), max_size=2, unique=True).map(tuple)
# of a dozen commands one dies; small numbers of calls are those that do harm
KILL = st.integers(0, 11).flatmap(lambda n: st.integers(1, 60) if n == 11 else st.none())
STEPS = 40


class Machine(RuleBasedStateMachine):
    """Two people and a hub; every rule is one command of one of them."""

    folder: Path
    counts: ClassVar[Counter[str]] = Counter()  # of all runs together

    def __init__(self) -> None:
        super().__init__()
        self.patch = quick()
        self.patch.__enter__()
        self.world = World(self.folder / "run")

    def teardown(self) -> None:
        """Look at everything, once."""
        try:
            if sys.exc_info()[0] is None:  # a step that failed says more
                for side in self.world.sides.values():
                    check_all(self.world, side)
            self.counts["killed"] += self.world.killed
        finally:
            self.patch.__exit__(None, None, None)
            self.world.close()

    # -- helpers -------------------------------------------------------------------------------

    def _side(self, who: str, name: str) -> Side:
        self.counts[name] += 1
        self.counts["steps"] += 1
        return self.world.sides[who]

    def _commit(self, side: Side, pick: int, *, anything: bool = False) -> Id:
        """A commit: any that is named here, the newest first; or any that is stored."""
        copy = side.copy
        known = copy.ancestors(copy.view.heads())
        if anything:
            known |= {id for id in copy.commits if side.repo.repository.store.has(id)}
        order = [id for id in reversed(copy.commits) if id in known]
        return order[pick % len(order)] if order else None

    def _do(self, side: Side, act: Any, plan: Plan, kill: int | None = None) -> None:
        before = side.copy.view, side.copy.work
        self.world.play(side, act, plan, kill)
        self.counts["recorded"] += side.copy.view is not before[0]
        check_now(side, before)

    # -- files ---------------------------------------------------------------------------------

    @rule(who=WHO, path=st.sampled_from(PATHS), numbers=NUMBERS, more=SOME)
    def write(self, who: str, path: str, numbers: tuple[int, ...], more: tuple[str, ...]) -> None:
        side = self._side(who, "write")
        for one in (path, *more):
            side.write(one, content(one, numbers))

    @rule(who=WHO, path=st.sampled_from(PATHS))
    def delete(self, who: str, path: str) -> None:
        self._side(who, "delete").write(path, None)

    @rule(who=WHO, back=st.booleans())
    def move(self, who: str, back: bool) -> None:
        side = self._side(who, "move a file")
        old, new = ("models/m.bin", "models/n.bin")[:: -1 if back else 1]
        if (data := side.copy.work.get(old)) is not None:
            side.write(old, None)
            side.write(new, data)

    @rule(who=WHO)
    def status(self, who: str) -> None:
        side = self._side(who, "status")
        compare.status(side.copy, side.repo)

    # -- commits and names ---------------------------------------------------------------------

    @rule(what=st.tuples(WHO, st.sampled_from(PATHS), NUMBERS, KILL))
    def change(self, what: tuple[str, str, tuple[int, ...], int | None]) -> None:
        """Write and commit. Hypothesis falls back to the rule with the fewest arguments and the first name: to this."""
        who, path, numbers, kill = what
        self.world.sides[who].write(path, content(path, numbers))
        self.commit(who, (), kill)

    @rule(who=WHO, paths=SOME, kill=KILL)
    def commit(self, who: str, paths: tuple[str, ...], kill: int | None) -> None:
        side, text = self._side(who, "commit"), self.world.text()
        self._do(side, lambda repo: repo.commit(text, paths=paths), verbs.commit(side.copy, paths), kill)

    @rule(who=WHO, type=TYPE, branch=BRANCH, tag=TAG, pick=PICK, force=st.booleans(), kill=KILL)
    def set_ref(self, who: str, type: str, branch: str, tag: str, pick: int, force: bool, kill: int | None) -> None:
        side, name = self._side(who, f"set {type}"), branch if type == "branch" else tag
        if (id := self._commit(side, pick, anything=True)) is not None:
            plan = verbs.set_ref(side.copy, type, name, id, force)
            self._do(side, lambda repo: repo.set_ref(type, name, id.hex(), force=force), plan, kill)

    @rule(who=WHO, type=TYPE, branch=BRANCH, tag=TAG, kill=KILL)
    def delete_ref(self, who: str, type: str, branch: str, tag: str, kill: int | None) -> None:
        side, name = self._side(who, f"delete {type}"), branch if type == "branch" else tag
        plan = verbs.delete_ref(side.copy, type, name)
        self._do(side, lambda repo: repo.delete_ref(type, name), plan, kill)

    @rule(who=WHO, name=BRANCH, kill=KILL)
    def switch(self, who: str, name: str, kill: int | None) -> None:
        side = self._side(who, "switch")
        if name in side.copy.view.branches:
            plan = verbs.switch(side.copy, name, side.copy.view.branches[name])
            self._do(side, lambda repo: repo.switch(name), plan, kill)
        else:
            plan = verbs.create_branch(side.copy, name)
            self._do(side, lambda repo: repo.switch(name, create=True), plan, kill)

    @rule(who=WHO, pick=PICK, kill=KILL)
    def detach(self, who: str, pick: int, kill: int | None) -> None:
        side = self._side(who, "switch --detach")
        if (id := self._commit(side, pick)) is not None:
            plan = verbs.switch(side.copy, None, id)
            self._do(side, lambda repo: repo.switch(id.hex(), detach=True), plan, kill)

    @rule(who=WHO, pick=PICK, paths=SOME, force=st.booleans(), kill=KILL)
    def restore(self, who: str, pick: int, paths: tuple[str, ...], force: bool, kill: int | None) -> None:
        side = self._side(who, "restore")
        if (id := self._commit(side, pick)) is not None:
            plan = verbs.restore(side.copy, id, paths, force)
            self._do(side, lambda repo: repo.restore(paths, rev=id.hex(), force=force), plan, kill)

    # -- merges --------------------------------------------------------------------------------

    @rule(who=WHO, name=BRANCH, no_commit=st.sampled_from((False, False, False, True)), kill=KILL)
    def merge(self, who: str, name: str, no_commit: bool, kill: int | None) -> None:
        side = self._side(who, "merge")
        target = side.copy.view.branches.get(name)
        if target is not None and side.copy.view.head is not None:
            plan = verbs.merge_in(side.copy, target, no_commit)
            self._do(side, lambda repo: repo.merge(name, no_commit=no_commit), plan, kill)

    @rule(who=WHO, pick=st.integers(0, 5), no_commit=st.sampled_from((False, False, False, True)), kill=KILL)
    def revert(self, who: str, pick: int, no_commit: bool, kill: int | None) -> None:
        side = self._side(who, "revert")
        if side.copy.view.head is not None:
            id = self._commit(side, pick)
            plan = verbs.revert(side.copy, id, no_commit)
            self._do(side, lambda repo: repo.revert(id.hex(), no_commit=no_commit), plan, kill)

    @precondition(lambda self: any(self.world.sides[who].copy.view.merging for who in PEOPLE))
    @rule(how=st.sampled_from(("ours", "theirs", "commit", "continue", "abort", "theirs")), kill=KILL)
    def end_merge(self, how: str, kill: int | None) -> None:
        who = next(who for who in PEOPLE if self.world.sides[who].copy.view.merging)
        side = self._side(who, f"merge, {how}")
        copy = side.copy
        if how == "commit":
            self._do(side, lambda repo: repo.commit("by hand"), verbs.commit(copy, ()), kill)
        elif how == "abort":
            self._do(side, lambda repo: repo.abort_merge(), verbs.abort(copy), kill)
        elif how == "continue":
            plan = verbs.commit(copy, ())
            if plan.error is not None and plan.error is not NegativeAnswer:
                plan = Plan()  # what is left is returned
            plan.maybe = bool(plan.may)
            self._do(side, lambda repo: repo.continue_merge(), plan, kill)
        else:
            self._do(side, lambda repo: repo.resolve(**{how: ["."]}), verbs.resolve(copy, how), kill)

    # -- stages --------------------------------------------------------------------------------

    @rule(who=WHO, slot=SLOT, pick=st.integers(0, 6), percent=st.sampled_from((100, 100, 25)), kill=KILL)
    def promote(self, who: str, slot: Slot, pick: int, percent: int, kill: int | None) -> None:
        side, reason = self._side(who, "promote"), self.world.text()
        if (id := self._commit(side, pick)) is not None:
            plan = verbs.promote(side.copy, slot, id, percent, reason)
            stage, scope = slot
            self._do(
                side,
                lambda repo: repo.promote(stage, id.hex(), scope=scope, percent=percent, reason=reason),
                plan,
                kill,
            )

    @rule(who=WHO, slot=SLOT, pick=st.integers(0, 6), only=st.sampled_from((None, None, "config")), kill=KILL)
    def rollback_to(self, who: str, slot: Slot, pick: int, only: str | None, kill: int | None) -> None:
        side, reason = self._side(who, f"rollback --{only or 'to'}"), self.world.text()
        if (id := self._commit(side, pick)) is not None:
            foresee = verbs.rollback_only if only else verbs.rollback_to
            stage, scope = slot
            self._do(
                side,
                lambda repo: repo.rollback(stage, to=id.hex(), scope=scope, only=only, reason=reason),
                foresee(side.copy, slot, id, reason),
                kill,
            )

    @rule(who=WHO, slot=SLOT)
    def rollback(self, who: str, slot: Slot) -> None:
        """To the last good one: the model says only what it must not be, and when there must be one."""
        side, reason = self._side(who, "rollback"), self.world.text()
        copy, (stage, scope) = side.copy, slot
        result, error = self.world.run(side, lambda repo: repo.rollback(stage, scope=scope, reason=reason))
        live = copy.view.stages.get(slot) or copy.view.stages.get((stage, ""))
        plan = Plan(error=UnknownRevision) if live is None else Plan(may=(NegativeAnswer,))
        if live is not None and error is None:
            plan = verbs.rollback_to(copy, slot, result.new, reason)
            verbs.check_last_good(copy, slot, live, result.new)
        if live is not None and isinstance(error, NegativeAnswer) and verbs.surely_good(copy, slot, live):
            raise Violation(f"no good one was found: {error}")
        self.world.follow(side, plan, error)
        check_now(side, (copy.view, copy.work))

    # -- what is learned -----------------------------------------------------------------------

    @rule(who=WHO, pick=PICK, mark=st.sampled_from((None, None, "good", "bad")), kill=KILL)
    def note(self, who: str, pick: int, mark: str | None, kill: int | None) -> None:
        side, text = self._side(who, "note"), self.world.text()
        if (id := self._commit(side, pick)) is not None:
            fact = ("mark" if mark else "note", id, text, mark)
            plan = Plan([Change(side.copy.view.learned(fact))])
            self._do(side, lambda repo: repo.notes.add(id.hex(), text, mark=mark), plan, kill)

    @rule(who=WHO, pick=PICK, kill=KILL)
    def metrics(self, who: str, pick: int, kill: int | None) -> None:
        side = self._side(who, "metrics")
        self.world.text()
        n, value = self.world.texts, 0.5 + pick / 100
        if (id := self._commit(side, pick)) is not None:
            plan = Plan([Change(side.copy.view.learned(("metric", id, "recall", value, n)))])
            self._do(side, lambda repo: repo.metrics.add(id.hex(), {"recall": value}, n=n), plan, kill)

    @rule(who=WHO, slot=SLOT, severity=st.sampled_from(("warn", "critical")), kill=KILL)
    def alert(self, who: str, slot: Slot, severity: str, kill: int | None) -> None:
        side, id = self._side(who, "alert"), self.world.text().replace(" ", "-")
        stage, scope = slot
        live = side.copy.served(stage, scope, self.world.clock.moment)
        fact = ("alert", live.commit if live else None, id, severity)
        plan = Plan([Change(side.copy.view.learned(fact))])
        words = {"id": id, "stage": stage, "scope": scope, "severity": severity}
        self._do(side, lambda repo: repo.alerts.add("t", **words), plan, kill)

    @rule(who=WHO, pick=PICK, outcome=st.sampled_from(("acked", "false-positive", "resolved")), kill=KILL)
    def settle_alert(self, who: str, pick: int, outcome: str, kill: int | None) -> None:
        side, reason = self._side(who, "alert outcome"), self.world.text()
        known = sorted((fact for fact in side.copy.view.facts if fact[0] == "alert"), key=lambda fact: str(fact[2]))
        if known:
            _, commit, id, _ = known[pick % len(known)]
            plan = Plan([Change(side.copy.view.learned(("action", commit, id, outcome, reason)))])
            self._do(side, lambda repo: repo.alerts.settle([id], outcome, reason=reason), plan, kill)

    @rule(who=WHO, id=st.sampled_from(("INC-1", "INC-2")), close=st.booleans(), kill=KILL)
    def incident(self, who: str, id: str, close: bool, kill: int | None) -> None:
        side, text = self._side(who, "incident"), self.world.text()
        events = [fact for fact in side.copy.view.facts if fact[0] == "incident" and fact[2] == id]
        last = max(events, key=lambda fact: int(fact[4].split()[1]), default=None)
        is_open = last is not None and last[3] == "open"
        plan = Plan([Change(side.copy.view.learned(("incident", None, id, "close" if close else "open", text)))])
        if close and not is_open:
            plan = Plan(error=UnknownRevision if last is None else Conflict)
        elif not close and is_open:
            plan = Plan(error=Conflict)
        verb = "close" if close else "open"
        self._do(side, lambda repo: getattr(repo.incidents, verb)(id, reason=text), plan, kill)

    # -- undo ----------------------------------------------------------------------------------

    @rule(who=WHO, back=st.sampled_from((None, None, None, 0, 1, 2, 5)), kill=KILL)
    def undo(self, who: str, back: int | None, kill: int | None) -> None:
        side = self._side(who, "undo" if back is None else "undo N")
        copy, store = side.copy, side.repo.repository.store
        number = None if back is None else copy.number - back
        if number is not None and number <= copy.first:
            return
        at = number if number is not None else copy.last_standing()
        gone: frozenset[Id] = frozenset()
        if at is not None and at > copy.first:
            before = copy.before(at)
            named = before.heads() | {before.log} - {None}
            gone = frozenset(id for id in named - copy.view.heads() - {copy.view.log, None} if not store.has(id))
        plan = verbs.undo(copy, number, gone)
        self._do(side, lambda repo: repo.undo(None if number is None else str(number)), plan, kill)

    # -- keeping -------------------------------------------------------------------------------

    @rule(
        who=ANY,
        grace=st.sampled_from(("0", "0", None)),
        keep=st.sampled_from((None, "measured", "days:1")),
        full=st.booleans(),
        kill=KILL,
    )
    def gc(self, who: str, grace: str | None, keep: str | None, full: bool, kill: int | None) -> None:
        side = self._side(who, "gc")
        copy = side.copy
        held = set(copy.commits) if grace is None else copy.needed()
        store = side.repo.repository.store
        held = {id for id in held if store.has(id)}
        plan = Plan([Change(copy.view, gc=True)], maybe=True)
        self._do(side, lambda repo: repo.gc(grace=grace, keep=keep, full=full), plan, kill)
        lost = {id.short for id in held if not side.repo.repository.store.has(id)}
        assert not lost, f"gc has removed {lost}"

    @rule(who=ANY, clone=st.integers(0, 9))
    def reopen(self, who: str, clone: int) -> None:
        self._side(who, "reopen").reopen()
        if clone == 9:
            self._clone(bare=who == HUB)

    @rule(who=ANY, seed=st.integers(0, 999), how=st.sampled_from(("gone", "cut", "garbage")))
    def lose_caches(self, who: str, seed: int, how: str) -> None:
        """The folder of caches goes, or one file in it is cut off or overwritten in the middle."""
        side = self._side(who, f"cache {how}")
        side.repo.close()
        damage_cache(side.root / ("cache" if who == HUB else ".mlver/cache"), how, seed)
        side.reopen()
        if who != HUB:
            compare.status(side.copy, side.repo)

    # -- sharing -------------------------------------------------------------------------------

    @rule(who=WHO, kill=KILL)
    def push(self, who: str, kill: int | None) -> None:
        side, hub = self._side(who, "push"), self.world.sides[HUB]
        here, there = verbs.push(side.copy, hub.copy)
        _, error = self.world.run(side, lambda repo: repo.push(), kill)
        hub.repo.repository.refresh()
        if here.error is not None:
            self.world.follow(side, here, error)
            self.world.follow(hub, Plan(), None)
            return
        died = not isinstance(error, mlver.errors.MlverError) and error is not None
        self.world.follow(hub, there, error if died else None)
        self.world.follow(side, verbs.remembered(side.copy, hub.copy), error)
        compare.facts(hub.copy, hub.repo.repository)

    @rule(who=WHO, kill=KILL)
    def fetch(self, who: str, kill: int | None) -> None:
        side, hub = self._side(who, "fetch"), self.world.sides[HUB]
        plan = verbs.fetch(side.copy, hub.copy)
        self._do(side, lambda repo: repo.fetch(), plan, kill)

    @rule(who=WHO, kill=KILL)
    def pull(self, who: str, kill: int | None) -> None:
        """A fetch and a merge: two plans, one after the other."""
        side, hub = self._side(who, "pull"), self.world.sides[HUB]
        copy = side.copy
        if copy.view.merging is not None or copy.view.branch is None or copy.view.head is None:
            return
        self._do(side, lambda repo: repo.fetch(), verbs.fetch(copy, hub.copy), kill)
        target = hub.copy.view.branches.get(copy.view.branch)
        if copy.view.remotes.get("origin", (0, {}))[1].get(copy.view.branch) != target or kill is not None:
            return
        plan = Plan() if target in (None, copy.view.head) else verbs.merge_in(copy, target, False)
        self._do(side, lambda repo: repo.pull(), plan)

    def _clone(self, *, bare: bool) -> None:
        """A third copy has everything; then it goes."""
        hub = self._side(HUB, "clone")
        where = self.world.folder / "third"
        with mlver.Repo.clone(hub.root, where, bare=bare, author="cy", clock=self.world.clock) as repo:
            view, copy = repo.repository.refresh(), hub.copy
            assert (dict(view.branches), dict(view.tags)) == (dict(copy.view.branches), dict(copy.view.tags))
            compare.history(copy, repo)
            compare.facts(copy, repo.repository)
            assert repo.fsck().ok
        shutil.rmtree(where)

    # -- questions -----------------------------------------------------------------------------

    @rule(who=WHO, slot=SLOT, back=st.integers(0, 400))
    def deployed(self, who: str, slot: Slot, back: int) -> None:
        side = self._side(who, "deployed --at")
        at = max(START, self.world.clock.moment - timedelta(minutes=back))
        compare.served_at(side.copy, side.repo, *slot, at)


def check_now(side: Side, before: tuple[View, Files]) -> None:
    """After each step: views are compared already; now the links of stages, and `status` if it may have changed."""
    copy, (view, work) = side.copy, before
    if side.repo.repository.bare:
        return
    compare.stages(copy, side.repo.repository, read=copy.view.stages != view.stages)
    if copy.work != work or (copy.view.head, copy.view.merging) != (view.head, view.merging):
        compare.status(copy, side.repo)


def check_all(world: World, side: Side) -> None:
    """At the end: everything."""
    side.reopen()
    copy, real = side.copy, side.repo.repository
    problems = side.repo.fsck().problems
    assert not problems, problems
    compare.history(copy, side.repo)
    compare.facts(copy, real)
    compare.operations(copy, side.repo)
    rnd = random.Random(copy.number)
    for slot in copy.lines:
        at = START + timedelta(seconds=rnd.uniform(0, (world.clock.moment - START).total_seconds()))
        compare.served_at(copy, side.repo, *slot, at)
    if real.bare:
        return
    compare.status(copy, side.repo)
    compare.stages(copy, real, read=True)
    for path in ("config/app.json", "data/table.csv"):
        compare.blame(copy, side.repo, path)


def damage_cache(folder: Path, how: str, seed: int) -> None:
    """Remove the folder of caches, or damage one file in it."""
    rnd = random.Random(seed)
    found = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    if how == "gone":
        shutil.rmtree(folder, ignore_errors=True)
    elif found:
        path = rnd.choice(found)
        data = bytearray(path.read_bytes())
        if how == "cut":
            del data[rnd.randrange(len(data) + 1) :]
        elif data:
            at = rnd.randrange(len(data))
            data[at : at + 200] = rnd.randbytes(min(200, len(data) - at))
        path.write_bytes(data)


def new_folder() -> Path:
    """Return a folder for runs, in memory where there is a place for that."""
    shm = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="machine-", dir=shm if shm.is_dir() else None))
