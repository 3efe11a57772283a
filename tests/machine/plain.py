"""What mlver is meant to do, in plain dicts: views, operations, undo, ledgers. Nothing here calls mlver.

A verb is foreseen as a `Plan`: the views of the operations it records one after another, what becomes of files, or
the error it ends with. The id of a commit is not foreseen: `NEW` stands for it until mlver has named it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tests.machine.files import Content, Files

Id = Any  # of a commit or an operation, as mlver names it
Slot = tuple[str, str]  # stage and scope
NEW = "the commit that is being made"
NEW_LOG = "the fact log with what is being added"
SAID = "a reason that mlver writes itself"
ORIGIN = "origin"


@dataclass(frozen=True)
class Live:
    """What serves a slot."""

    commit: Id
    action: str
    percent: int
    reason: str


@dataclass(frozen=True)
class Move:
    """One entry of a slot's line; identity is the operation that made it, wherever that was."""

    operation: Id
    time: datetime
    live: Live | None
    undo: bool = False


@dataclass(frozen=True)
class Merging:
    """A merge or revert that is open: what was merged, the conflicts, those decided, and the files it left."""

    action: str
    ours: Id
    theirs: Id
    base: Id
    joins: tuple[Id, ...]
    clashes: frozenset[str]
    taken: frozenset[str] = frozenset()
    left: Mapping[str, bytes | None] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """All that can change. `facts` are plain tuples; `log` is the id that mlver gives the log of them."""

    branch: str | None = "main"
    detached: Id = None
    branches: Mapping[str, Id] = field(default_factory=dict)
    tags: Mapping[str, Id] = field(default_factory=dict)
    stages: Mapping[Slot, Live] = field(default_factory=dict)
    facts: frozenset[tuple[Any, ...]] = frozenset()
    log: Id = None
    merging: Merging | None = None
    remotes: Mapping[str, tuple[int, Mapping[str, Id]]] = field(default_factory=dict)

    @property
    def head(self) -> Id:
        """The commit HEAD names."""
        return self.detached if self.branch is None else self.branches.get(self.branch)

    def at(self, commit: Id) -> View:
        """The view with HEAD at a commit."""
        if self.branch is None:
            return replace(self, detached=commit)
        return replace(self, branches={**self.branches, self.branch: commit})

    def heads(self) -> set[Id]:
        """Every commit that is named."""
        found = {self.head, *self.branches.values(), *self.tags.values(), *(one.commit for one in self.stages.values())}
        found |= {id for _, branches in self.remotes.values() for id in branches.values()}
        if self.merging is not None:
            found |= {self.merging.ours, self.merging.theirs, self.merging.base, *self.merging.joins}
        return found - {None}

    def learned(self, *facts: tuple[Any, ...]) -> View:
        """The view with more facts."""
        return replace(self, facts=self.facts | set(facts), log=NEW_LOG)


@dataclass(frozen=True)
class Made:
    """A commit: its parents, and every file with all its bytes."""

    parents: tuple[Id, ...]
    files: Mapping[str, Content]


@dataclass
class Op:
    """One operation as it was recorded; `undoes` is the number of one, `joined` the slots that came from elsewhere."""

    id: Id
    time: datetime
    view: View
    undoes: int | None = None
    joined: frozenset[Slot] = frozenset()
    gc: bool = False


@dataclass
class Change:
    """One operation that is foreseen. `lines` are the lines of slots that it joins, `new` the commit it makes."""

    view: View
    undoes: int | None = None
    lines: Mapping[Slot, Sequence[Move]] = field(default_factory=dict)
    new: Made | None = None
    gc: bool = False


@dataclass
class Plan:
    """What a verb is to do. With `maybe`, it may also record nothing; `open` is what it does if a merge stays open.

    `work` are the files it writes or removes (None); `may` are errors that it may end with instead. `unsure` are files
    that may be in conflict or not.
    """

    changes: list[Change] = field(default_factory=list)
    work: dict[str, Content | None] = field(default_factory=dict)
    error: type[Exception] | None = None
    may: tuple[type[Exception], ...] = ()
    maybe: bool = False
    open: list[Change] | None = None
    unsure: frozenset[str] = frozenset()


class Copy:
    """One repository: operations since it was made, the line of every slot, and the files of its work tree."""

    def __init__(self, commits: dict[Id, Made], first: Op, number: int = 0) -> None:
        self.commits = commits
        self.first = number
        self.ops = [first]
        self.lines: dict[Slot, list[Move]] = {}
        self.work: dict[str, bytes] = {}

    @property
    def view(self) -> View:
        """The newest view."""
        return self.ops[-1].view

    @property
    def number(self) -> int:
        """The number of the newest operation."""
        return self.first + len(self.ops) - 1

    @property
    def head_files(self) -> Files:
        """The files of HEAD."""
        return self.files(self.view.head)

    def files(self, commit: Id) -> Files:
        """The files of a commit; none for None."""
        return self.commits[commit].files if commit is not None else {}  # type: ignore[return-value]

    def ancestors(self, heads: Iterable[Id]) -> set[Id]:
        """Commits and all behind them."""
        pending, seen = [id for id in heads if id is not None], set[Id]()
        while pending:
            id = pending.pop()
            if id not in seen:
                seen.add(id)
                pending += self.commits[id].parents
        return seen

    def base(self, a: Id, b: Id) -> Id:
        """The newest of the common ancestors that none of them has behind it; None without any."""
        common = self.ancestors([a]) & self.ancestors([b])
        best = common - {parent for id in common for parent in self.commits[id].parents}
        return next((id for id in reversed(self.commits) if id in best), None)

    def record(self, change: Change, id: Id, time: datetime) -> None:
        """Take over an operation that mlver recorded."""
        before, after = dict(self.view.stages), change.view.stages
        for slot, line in change.lines.items():
            self.lines[slot] = list(line)
            before.pop(slot, None)
            if line[-1].live is not None:
                before[slot] = line[-1].live
        for slot in sorted(before.keys() | after.keys()):
            if before.get(slot) != after.get(slot):
                move = Move(id, time, after.get(slot), change.undoes is not None)
                self.lines.setdefault(slot, []).append(move)
        self.ops.append(Op(id, time, change.view, change.undoes, frozenset(change.lines), change.gc))

    # -- undo ----------------------------------------------------------------------------------

    def before(self, number: int) -> View:
        """The view that taking back operation `number` and all since gives: what came from elsewhere stays."""
        view = self.ops[number - self.first - 1].view
        stages = dict(view.stages)
        done: set[Slot] = set()
        for op in reversed(self.ops[number - self.first :]):
            for slot in op.joined - done:
                stages.pop(slot, None)
                if slot in op.view.stages:
                    stages[slot] = op.view.stages[slot]
            done |= op.joined
        return replace(view, stages=stages, remotes=self.view.remotes)

    def last_standing(self) -> int | None:
        """The number of the newest operation that is neither undone nor an undo, and that moved something here."""
        number = self.number
        while number > self.first:
            op = self.ops[number - self.first]
            if op.undoes is not None:
                number = op.undoes - 1
                continue
            kept = Copy(self.commits, self.ops[number - self.first - 1], number - 1)
            kept.ops.append(op)
            if kept.before(number) != op.view:
                return number
            number -= 1
        return None

    # -- stages --------------------------------------------------------------------------------

    def served(self, stage: str, scope: str, at: datetime) -> Live | None:
        """What a stage served a scope at a moment: its own entry, or else everyone's."""
        for slot in dict.fromkeys(((stage, scope), (stage, ""))):
            now = None
            for move in self.lines.get(slot, ()):
                if move.time <= at:
                    now = move.live
            if now is not None:
                return now
        return None

    def join(
        self, other: Copy, side: str | None = None
    ) -> tuple[dict[Slot, list[Move]], dict[Slot, Live | None], list[Slot]]:
        """Return the lines that taking over another's moves changes, what serves these slots, and the conflicts.

        With a `side`, `ours` or `theirs`, conflicts are decided for that one, by one more promotion.
        """
        lines: dict[Slot, list[Move]] = {}
        lives: dict[Slot, Live | None] = {}
        conflicts: list[Slot] = []
        for slot, theirs in other.lines.items():
            ours = self.lines.get(slot, [])
            mine, new = {move.operation for move in ours}, {move.operation for move in theirs}
            if new <= mine:
                continue
            ends = [line[-1].live.commit if line and line[-1].live else None for line in (ours, theirs)]
            if not mine <= new and ends[0] != ends[1]:
                conflicts.append(slot)
                if side is None:
                    continue
            known = {move.operation: move for move in (*ours, *theirs)}
            line = sorted(known.values(), key=lambda move: move.time)
            if mine <= new:
                line = theirs
            lines[slot], lives[slot] = list(line), line[-1].live
            if slot in conflicts:
                kept = (ours if side == "ours" else theirs)[-1].live
                lives[slot] = replace(kept, action="promote", reason=SAID) if kept is not None else None
        return lines, lives, conflicts

    # -- what is kept --------------------------------------------------------------------------

    def needed(self) -> set[Id]:
        """Every commit that must be here: those named, and those that ever were live."""
        lives = {move.live.commit for line in self.lines.values() for move in line if move.live is not None}
        return self.ancestors(self.view.heads() | lives)

    def noted(self) -> set[Id]:
        """Every commit that facts keep, if it is here: facts may come from elsewhere without what they are about."""
        about = {fact[1] for fact in self.view.facts if fact[0] != "metric"}
        return self.ancestors(about & self.commits.keys())
