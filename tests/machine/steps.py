"""Every command as a step: played on a real repository and on its model, and compared."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import mlver
from mlver.errors import Conflict, NegativeAnswer, UnknownRevision
from tests.kit import START
from tests.machine import compare, verbs
from tests.machine.checks import check_now, damage_cache
from tests.machine.files import content
from tests.machine.plain import Change, Id, Plan, Slot
from tests.machine.world import HUB, PEOPLE, Side, Violation, World


class Steps:
    """Two people and a hub in `folder`. Each method is one command of one of them; some are what people do in a row.

    `kill` is the system call at which the command dies, if it comes so far. `pick` chooses among the commits.
    """

    KEEPS = ("promote", "note", "measure", "push", "nothing", "undo")
    LEARNED = ("note", "mark", "metrics", "alert", "outcome", "incident")

    def __init__(self, folder: Path, counts: Counter[str]) -> None:
        self.world = World(folder)
        self.counts = counts

    # -- helpers -------------------------------------------------------------------------------

    def side(self, who: str, name: str) -> Side:
        self.counts[name] += 1
        self.counts["steps"] += 1
        return self.world.sides[who]

    def pick(self, side: Side, pick: int, *, anything: bool = False) -> Id:
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

    def write(self, who: str, path: str, numbers: tuple[int, ...], more: tuple[str, ...]) -> None:
        side = self.side(who, "write")
        for one in (path, *more):
            side.write(one, content(one, numbers))

    def delete(self, who: str, path: str) -> None:
        self.side(who, "delete").write(path, None)

    def move(self, who: str, back: bool) -> None:
        side = self.side(who, "move a file")
        old, new = ("models/m.bin", "models/n.bin")[:: -1 if back else 1]
        if (data := side.copy.work.get(old)) is not None:
            side.write(old, None)
            side.write(new, data)

    def status(self, who: str) -> None:
        side = self.side(who, "status")
        compare.status(side.copy, side.repo)

    # -- commits and names ---------------------------------------------------------------------

    def change(self, who: str, path: str, numbers: tuple[int, ...], kill: int | None) -> None:
        """Write and commit."""
        self.world.sides[who].write(path, content(path, numbers))
        self.commit(who, (), kill)

    def commit(self, who: str, paths: tuple[str, ...], kill: int | None) -> None:
        side, text = self.side(who, "commit"), self.world.text()
        self._do(side, lambda repo: repo.commit(text, paths=paths), verbs.commit(side.copy, paths), kill)

    def set_ref(self, who: str, type: str, name: str, pick: int, force: bool, kill: int | None) -> None:
        side = self.side(who, f"set {type}")
        if (id := self.pick(side, pick, anything=True)) is not None:
            plan = verbs.set_ref(side.copy, type, name, id, force)
            self._do(side, lambda repo: repo.set_ref(type, name, id.hex(), force=force), plan, kill)

    def delete_ref(self, who: str, type: str, name: str, kill: int | None) -> None:
        side = self.side(who, f"delete {type}")
        plan = verbs.delete_ref(side.copy, type, name)
        self._do(side, lambda repo: repo.delete_ref(type, name), plan, kill)

    def switch(self, who: str, name: str, kill: int | None) -> None:
        side = self.side(who, "switch")
        if name in side.copy.view.branches:
            plan = verbs.switch(side.copy, name, side.copy.view.branches[name])
            self._do(side, lambda repo: repo.switch(name), plan, kill)
        else:
            plan = verbs.create_branch(side.copy, name)
            self._do(side, lambda repo: repo.switch(name, create=True), plan, kill)

    def detach(self, who: str, pick: int, kill: int | None) -> None:
        side = self.side(who, "switch --detach")
        if (id := self.pick(side, pick)) is not None:
            plan = verbs.switch(side.copy, None, id)
            self._do(side, lambda repo: repo.switch(id.hex(), detach=True), plan, kill)

    def restore(self, who: str, pick: int, paths: tuple[str, ...], force: bool, kill: int | None) -> None:
        side = self.side(who, "restore")
        if (id := self.pick(side, pick)) is not None:
            plan = verbs.restore(side.copy, id, paths, force)
            self._do(side, lambda repo: repo.restore(paths, rev=id.hex(), force=force), plan, kill)

    # -- merges --------------------------------------------------------------------------------

    def merge(self, who: str, name: str, no_commit: bool, kill: int | None) -> None:
        side = self.side(who, "merge")
        target = side.copy.view.branches.get(name)
        if target is not None and side.copy.view.head is not None:
            plan = verbs.merge_in(side.copy, target, no_commit)
            self._do(side, lambda repo: repo.merge(name, no_commit=no_commit), plan, kill)

    def revert(self, who: str, pick: int, no_commit: bool, kill: int | None) -> None:
        side = self.side(who, "revert")
        if side.copy.view.head is not None:
            id = self.pick(side, pick)
            plan = verbs.revert(side.copy, id, no_commit)
            self._do(side, lambda repo: repo.revert(id.hex(), no_commit=no_commit), plan, kill)

    def part(self, who: str, name: str, one: Any, other: Any, kill: int | None, undo: int) -> None:
        """Two branches part, and are merged: alone, the rules above seldom come so far."""
        copy = self.world.sides[who].copy
        home = copy.view.branch
        if name == home or home is None or copy.view.head is None or copy.view.merging is not None:
            return
        if copy.work != copy.head_files:
            self.restore(who, 0, (), True, None)
            self.commit(who, (), None)
        if name in copy.view.branches:
            self.delete_ref(who, "branch", name, None)
        self.switch(who, name, None)
        self.change(who, *one, None)
        self.switch(who, home, None)
        if copy.view.branch == home:
            self.change(who, *other, None)
            self.merge(who, name, False, kill)
        for _ in range(undo):
            self.undo(who, None, None)

    def experiment(self, who: str, what: Any, slot: Slot, keep: str, kill: int | None, grace: str | None) -> None:
        """A commit whose branch goes again; what was done with it meanwhile keeps it from gc, or not."""
        copy = self.world.sides[who].copy
        name, home = "b", copy.view.branch
        if home in (None, name) or copy.view.head is None or copy.view.merging is not None:
            return
        if name in copy.view.branches:
            self.delete_ref(who, "branch", name, None)
        self.switch(who, name, None)
        self.change(who, *what, None)
        if keep == "promote":
            self.promote(who, slot, 0, 100, None)
            self.promote(who, slot, 1, 100, None)
        elif keep == "note":
            self.note(who, 0, None, None)
        elif keep == "measure":
            self.metrics(who, 0, None)
        elif keep == "push":
            self.push(who, None)
        self.restore(who, 1, (), True, None)
        self.switch(who, home, None)
        self.delete_ref(who, "branch", name, None)
        if keep != "undo":
            self.gc(who, grace, None, True, kill)
        else:
            self.undo(who, None, kill)

    def end_merge(self, how: str, kill: int | None) -> None:
        who = next((who for who in PEOPLE if self.world.sides[who].copy.view.merging), None)
        if who is None:
            return
        side = self.side(who, f"merge, {how}")
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

    def promote(self, who: str, slot: Slot, pick: int, percent: int, kill: int | None) -> None:
        side, reason = self.side(who, "promote"), self.world.text()
        if (id := self.pick(side, pick)) is not None:
            plan = verbs.promote(side.copy, slot, id, percent, reason)
            stage, scope = slot
            self._do(
                side,
                lambda repo: repo.promote(stage, id.hex(), scope=scope, percent=percent, reason=reason),
                plan,
                kill,
            )

    def rollback_to(self, who: str, slot: Slot, pick: int, only: str | None, kill: int | None) -> None:
        side, reason = self.side(who, f"rollback --{only or 'to'}"), self.world.text()
        if (id := self.pick(side, pick)) is not None:
            foresee = verbs.rollback_only if only else verbs.rollback_to
            stage, scope = slot
            self._do(
                side,
                lambda repo: repo.rollback(stage, to=id.hex(), scope=scope, only=only, reason=reason),
                foresee(side.copy, slot, id, reason),
                kill,
            )

    def rollback(self, who: str, slot: Slot) -> None:
        """To the last good one: the model says only what it must not be, and when there must be one."""
        side, reason = self.side(who, "rollback"), self.world.text()
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

    def learn(self, who: str, how: str, pick: int, slot: Slot, kill: int | None) -> None:
        if how in ("note", "mark"):
            self.note(who, pick, ("good", "bad")[pick % 2] if how == "mark" else None, kill)
        elif how == "metrics":
            self.metrics(who, pick, kill)
        elif how == "alert":
            self.alert(who, slot, ("warn", "critical")[pick % 2], kill)
        elif how == "outcome":
            self.settle_alert(who, pick, ("acked", "false-positive", "resolved")[pick % 3], kill)
        else:
            self.incident(who, f"INC-{pick % 2}", pick % 3 == 0, kill)

    def note(self, who: str, pick: int, mark: str | None, kill: int | None) -> None:
        side, text = self.side(who, "note"), self.world.text()
        if (id := self.pick(side, pick)) is not None:
            fact = ("mark" if mark else "note", id, text, mark)
            plan = Plan([Change(side.copy.view.learned(fact))])
            self._do(side, lambda repo: repo.notes.add(id.hex(), text, mark=mark), plan, kill)

    def metrics(self, who: str, pick: int, kill: int | None) -> None:
        side = self.side(who, "metrics")
        self.world.text()
        n, value = self.world.texts, 0.5 + pick / 100
        if (id := self.pick(side, pick)) is not None:
            plan = Plan([Change(side.copy.view.learned(("metric", id, "recall", value, n)))])
            self._do(side, lambda repo: repo.metrics.add(id.hex(), {"recall": value}, n=n), plan, kill)

    def alert(self, who: str, slot: Slot, severity: str, kill: int | None) -> None:
        side, id = self.side(who, "alert"), self.world.text().replace(" ", "-")
        stage, scope = slot
        live = side.copy.served(stage, scope, self.world.clock.moment)
        fact = ("alert", live.commit if live else None, id, severity)
        plan = Plan([Change(side.copy.view.learned(fact))])
        words = {"id": id, "stage": stage, "scope": scope, "severity": severity}
        self._do(side, lambda repo: repo.alerts.add("t", **words), plan, kill)

    def settle_alert(self, who: str, pick: int, outcome: str, kill: int | None) -> None:
        side, reason = self.side(who, "alert outcome"), self.world.text()
        known = sorted((fact for fact in side.copy.view.facts if fact[0] == "alert"), key=lambda fact: str(fact[2]))
        if known:
            _, commit, id, _ = known[pick % len(known)]
            plan = Plan([Change(side.copy.view.learned(("action", commit, id, outcome, reason)))])
            self._do(side, lambda repo: repo.alerts.settle([id], outcome, reason=reason), plan, kill)

    def incident(self, who: str, id: str, close: bool, kill: int | None) -> None:
        side, text = self.side(who, "incident"), self.world.text()
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

    def undo(self, who: str, back: int | None, kill: int | None) -> None:
        side = self.side(who, "undo" if back is None else "undo N")
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

    def gc(self, who: str, grace: str | None, keep: str | None, full: bool, kill: int | None) -> None:
        side = self.side(who, "gc")
        copy = side.copy
        held = set(copy.commits) if grace is None else copy.needed() | copy.noted()
        store = side.repo.repository.store
        held = {id for id in held if store.has(id)}
        plan = Plan([Change(copy.view, gc=True)], maybe=True)
        self._do(side, lambda repo: repo.gc(grace=grace, keep=keep, full=full), plan, kill)
        lost = {id.short for id in held if not side.repo.repository.store.has(id)}
        assert not lost, f"gc has removed {lost}"

    def reopen(self, who: str) -> None:
        self.side(who, "reopen").reopen()

    def lose_caches(self, who: str, seed: int, how: str) -> None:
        """The folder of caches goes, or one file in it is cut off or overwritten in the middle."""
        side = self.side(who, f"cache {how}")
        side.repo.close()
        damage_cache(side.root / ("cache" if who == HUB else ".mlver/cache"), how, seed)
        side.reopen()
        if who != HUB:
            compare.status(side.copy, side.repo)

    # -- sharing -------------------------------------------------------------------------------

    def push(self, who: str, kill: int | None) -> None:
        side, hub = self.side(who, "push"), self.world.sides[HUB]
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

    def fetch(self, who: str, kill: int | None, choice: str | None = None) -> None:
        """With a `choice`, `ours` or `theirs`, stages that were moved on both sides are decided."""
        side, hub = self.side(who, "fetch" if choice is None else f"fetch, {choice}"), self.world.sides[HUB]
        plan = verbs.fetch(side.copy, hub.copy, choice)
        conflicts = side.copy.join(hub.copy)[2] if choice is not None else []
        names = tuple(f"{stage}{'/' if scope else ''}{scope}={choice}" for stage, scope in conflicts)
        self._do(side, lambda repo: repo.fetch(stages=names), plan, kill)

    def pull(self, who: str, kill: int | None) -> None:
        """A fetch and a merge: two plans, one after the other."""
        side, hub = self.side(who, "pull"), self.world.sides[HUB]
        copy = side.copy
        if copy.view.merging is not None or copy.view.branch is None or copy.view.head is None:
            return
        self._do(side, lambda repo: repo.fetch(), verbs.fetch(copy, hub.copy), kill)
        target = hub.copy.view.branches.get(copy.view.branch)
        if copy.view.remotes.get("origin", (0, {}))[1].get(copy.view.branch) != target or kill is not None:
            return
        plan = Plan() if target in (None, copy.view.head) else verbs.merge_in(copy, target, False)
        self._do(side, lambda repo: repo.pull(), plan)

    def clone(self, *, bare: bool) -> None:
        """A third copy has everything; then it goes."""
        hub = self.side(HUB, "clone")
        where = self.world.folder / "third"
        with mlver.Repo.clone(hub.root, where, bare=bare, author="cy", clock=self.world.clock) as repo:
            view, copy = repo.repository.refresh(), hub.copy
            assert (dict(view.branches), dict(view.tags)) == (dict(copy.view.branches), dict(copy.view.tags))
            compare.history(copy, repo)
            compare.facts(copy, repo.repository)
            assert repo.fsck().ok
        shutil.rmtree(where)

    # -- questions -----------------------------------------------------------------------------

    def deployed(self, who: str, slot: Slot, back: int) -> None:
        side = self.side(who, "deployed --at")
        at = max(START, self.world.clock.moment - timedelta(minutes=back))
        compare.served_at(side.copy, side.repo, *slot, at)
