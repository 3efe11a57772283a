"""Two people and a hub in real repositories, each beside its plain copy; every verb is played on both and compared."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import mlver
from mlver.errors import MlverError
from mlver.objects.commit import Environment
from mlver.objects.state import Operation
from mlver.objects.state import View as RealView
from mlver.repo.effects import CLONE
from mlver.storage.durable import TEMP_PREFIX
from mlver.testing import Killed, faulty_calls
from tests.kit import Ticking
from tests.machine import compare
from tests.machine.files import PATHS, Merged, content
from tests.machine.plain import NEW, NEW_LOG, SAID, Change, Copy, Id, Live, Made, Op, Plan, View

_ENVIRONMENT = Environment("3.11", "CPython", "Linux")
PEOPLE = ("ana", "ben")
HUB = "hub"
Act = Callable[[mlver.Repo], Any]


class Violation(AssertionError):
    """mlver did not do what the model says."""


@dataclass
class Side:
    """One repository and its model."""

    root: Path
    name: str
    clock: Ticking
    copy: Copy
    repo: mlver.Repo

    def reopen(self) -> None:
        """Open it anew, as another process would."""
        self.repo.close()
        self.repo = mlver.Repo.open(self.root, author=self.name, clock=self.clock)

    def disk(self) -> dict[str, bytes]:
        """Every file of the work tree."""
        found: dict[str, bytes] = {}
        for folder, folders, names in os.walk(self.root) if not self.repo.repository.bare else ():
            if ".mlver" in folders:
                folders.remove(".mlver")
            for name in names:
                if not name.startswith(TEMP_PREFIX):
                    path = Path(folder, name)
                    found[path.relative_to(self.root).as_posix()] = path.read_bytes()
        return found

    def write(self, path: str, data: bytes | None) -> None:
        """Write or remove (None) a file, in both."""
        target = self.root / path
        if data is None:
            target.unlink(missing_ok=True)
            self.copy.work.pop(path, None)
            return
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
        self.copy.work[path] = data


class World:
    """`ana` and `ben`, who share by way of `hub`; one clock for all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Ticking()
        self.commits: dict[Id, Made] = {}
        self.killed = 0
        self.sides: dict[str, Side] = {}
        self.texts = 0
        template = folder.with_name("template")
        if template.is_dir():
            shutil.copytree(template, folder, symlinks=True)
        else:
            _lay_out(folder)
            shutil.copytree(folder, template, symlinks=True)
        hub = self._open(HUB)
        first = hub.repo.repository.view.branches["main"]
        self.commits[first] = Made((), {path: content(path, (1, 1, 1)) for path in PATHS})
        for name in PEOPLE:
            side = self._open(name)
            side.copy.work = dict(self.commits[first].files)  # type: ignore[arg-type]

    def _open(self, name: str) -> Side:
        repo = mlver.Repo.open(self.folder / name, author=name, clock=self.clock)
        ops: list[Op] = []
        for id, operation in repo.repository.operations():
            ops.insert(0, Op(id, operation.time, _plain(operation.view), None))
            if operation.command.startswith(CLONE):
                break  # what is before was done elsewhere
        copy = Copy(self.commits, ops[0], repo.repository.state.operation.number - len(ops) + 1)
        copy.ops = ops
        self.sides[name] = Side(self.folder / name, name, self.clock, copy, repo)
        return self.sides[name]

    def close(self) -> None:
        """Release and remove everything."""
        for side in self.sides.values():
            side.repo.close()
        shutil.rmtree(self.folder)

    def text(self) -> str:
        """A text that nobody said before."""
        self.texts += 1
        return f"text {self.texts}"

    # -- playing -------------------------------------------------------------------------------

    def play(self, side: Side, act: Act, plan: Plan, kill: int | None = None) -> Any:
        """Do something in a repository and make sure that it is what the plan says; return what the verb returned.

        With `kill` the process dies at that system call, if it comes so far: then the repository may be at any of the
        states that the plan leads through, and each file as it was or as it is to be.
        """
        result, error = self.run(side, act, kill)
        died = isinstance(error, Killed)
        found = self.follow(side, plan, error)
        self._files(side, plan, died=died, done=not error and (bool(found) or not plan.maybe))
        return result

    def run(self, side: Side, act: Act, kill: int | None = None) -> tuple[Any, BaseException | None]:
        """Do something, and return what it returned and what it raised."""
        result, error = None, None
        with faulty_calls(kill, Killed) if kill is not None else nullcontext():
            try:
                result = act(side.repo)
            except (MlverError, Killed) as raised:
                error = raised
        if isinstance(error, Killed):
            self.killed += 1
            side.reopen()
            self._settle(side)
        side.repo.repository.refresh()
        return result, error

    def _settle(self, side: Side) -> None:
        """The next command that looks at stages ends a move that was cut short."""
        from mlver.repo.releases import settle

        if problems := settle(side.repo.repository).problems:
            raise Violation(f"{side.name} cannot be settled: {problems}")

    def follow(self, side: Side, plan: Plan, error: BaseException | None) -> int:
        """Take over the operations that were recorded, each compared with the plan; return their number."""
        real = side.repo.repository
        fresh = _since(side)
        changes = plan.open if plan.open is not None and real.view.merging is not None else plan.changes
        if isinstance(error, MlverError):
            wanted = tuple(filter(None, (plan.error, *plan.may)))
            if not isinstance(error, wanted or ()) or fresh:
                raise Violation(f"{type(error).__name__}: {error}, where {plan.error} was foreseen") from error
        elif error is None:
            if plan.error is not None:
                raise Violation(f"done, where {plan.error.__name__} was foreseen")
            if len(fresh) != len(changes) and not (plan.maybe and not fresh):
                raise Violation(f"{len(fresh)} operations, where {len(changes)} were foreseen")
        elif len(fresh) > len(changes):
            raise Violation(f"killed, and {len(fresh)} operations, where {len(changes)} were foreseen")
        for (id, operation), change in zip(fresh, changes, strict=False):
            side.copy.record(self._named(side, change, operation, plan), id, operation.time)
        return len(fresh)

    def _named(self, side: Side, change: Change, operation: Operation, plan: Plan) -> Change:
        """Return the change with what mlver named: the commit, the fact log, what an open merge left."""
        view, seen = change.view, operation.view
        if change.new is not None:
            id = seen.head if view.head == NEW else _new_in_stages(view, seen)
            self._made(side, id, change.new)
            view = _renamed(view, id)
        if any(live.reason == SAID for live in view.stages.values()):
            view = replace(view, stages={slot: _said(slot, live, seen) for slot, live in view.stages.items()})
        if view.log in (NEW_LOG, "joined"):
            view = replace(view, log=seen.facts)
        if view.merging is not None and seen.merging is not None:
            view = replace(view, merging=compare.opened(view.merging, seen.merging, plan.unsure, side.disk()))
        if different := compare.views(view, seen):
            raise Violation(f"{side.name}, {operation.command}: {different}")
        if (operation.condemned is not None) != change.gc:
            raise Violation(f"{side.name}, {operation.command}: condemned {operation.condemned}")
        return replace(change, view=view)

    def _made(self, side: Side, id: Id, made: Made) -> None:
        """Take over a new commit, every byte of it compared."""
        repo = side.repo.repository
        snapshot = repo.snapshot(id)
        files = {path: snapshot.source(path).open().read() for path in snapshot.artifacts}
        if tuple(repo.commit(id).parents) != tuple(made.parents):
            raise Violation(f"commit {id.short} has parents {repo.commit(id).parents}, not {made.parents}")
        compare.files(f"commit {id.short}", made.files, files)
        self.commits[id] = Made(tuple(made.parents), files)

    def _files(self, side: Side, plan: Plan, *, died: bool, done: bool) -> None:
        disk, old = side.disk(), side.copy.work
        for path in disk.keys() | old.keys() | plan.work.keys():
            now, was = disk.get(path), old.get(path)
            new = plan.work.get(path, was)
            as_new = new.accepts(now) if isinstance(new, Merged) and now is not None else now == new
            if not (as_new if done else now == was or (died and as_new)) and not (done and plan.maybe and now == was):
                raise Violation(f"{side.name}: {path} is {now!r}, was {was!r}, should be {new!r}")
        side.copy.work = disk


def _plain(seen: RealView) -> View:
    """Return a view of the template, in which there are branches and remotes alone."""
    return View(seen.branch, seen.detached, seen.branches, seen.tags, remotes=compare.remotes(seen))


def _since(side: Side) -> list[tuple[Any, Operation]]:
    """Return the operations that the model does not know yet, oldest first."""
    fresh = []
    for id, operation in side.repo.repository.operations():
        if operation.number <= side.copy.number:
            if operation.number == side.copy.number and id != side.copy.ops[-1].id:
                raise Violation(f"{side.name}: operation {operation.number} is another one now")
            break
        fresh.append((id, operation))
    if not fresh and side.repo.repository.state.operation.number < side.copy.number:
        raise Violation(f"{side.name}: operations are gone")
    return fresh[::-1]


def _new_in_stages(view: View, seen: RealView) -> Id:
    stage, scope = next(slot for slot, live in view.stages.items() if live.commit == NEW)
    return seen.stages[stage][scope].commit


def _said(slot: tuple[str, str], live: Live, seen: RealView) -> Live:
    """Return what serves a slot with the reason that mlver wrote."""
    real = seen.stages.get(slot[0], {}).get(slot[1])
    return replace(live, reason=real.reason) if live.reason == SAID and real is not None else live


def _renamed(view: View, id: Id) -> View:
    stages = {s: replace(live, commit=id) if live.commit == NEW else live for s, live in view.stages.items()}
    branches = {name: id if at == NEW else at for name, at in view.branches.items()}
    return replace(view, stages=stages, branches=branches, detached=id if view.detached == NEW else view.detached)


def _lay_out(folder: Path) -> None:
    """A first commit in `ana`, pushed to a bare `hub` that `ben` cloned."""
    clock = Ticking()
    ana = mlver.Repo.init(folder / "ana", author="ana", clock=clock)
    for path in PATHS:
        (folder / "ana" / path).parent.mkdir(exist_ok=True)
        (folder / "ana" / path).write_bytes(content(path, (1, 1, 1)))
    ana.commit("first")
    mlver.Repo.init(folder / HUB, bare=True, author=HUB, clock=clock).close()
    ana.remotes.add("origin", folder / HUB)
    ana.push()
    ana.close()
    mlver.Repo.clone(folder / HUB, folder / "ben", author="ben", clock=clock).close()


@contextmanager
def quick() -> Iterator[None]:
    """Looking for installed packages takes longer than all the rest of a small commit."""
    with patch("mlver.verbs.commit.capture_environment", lambda: _ENVIRONMENT):
        yield
