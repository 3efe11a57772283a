"""One rig for faults at calls: a command line in a small world, broken at one call, then judged.

A scene is made once. Each round gives the command with a fault at one call, and lists what is wrong afterwards: the
exit code, what was said, the head of each repository, the files, fsck, what stages serve, what was left behind, and
whether the same command now brings the new state. The clock stands still, so the states before and after are known
by the ids of their newest operations: anything else is a mix. What was judged once is not judged again while every
file but caches is the same.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from unittest.mock import patch

from mlver.errors import MlverError
from mlver.storage.durable import TEMP_PREFIX
from mlver.testing import Killed
from mlver.verbs.fsck import fsck
from tests.fault.calls import Fault, broken_calls
from tests.fault.ground import Ground
from tests.fault.looks import REPOSITORIES, Heads, files, heads, line_of, open_at, views, wrong_with
from tests.fault.words import Act
from tests.fault.world import Answer, build, say, still, tell

WRITING = ("open", "write", "fsync", "fchmod", "mkdir", "rename", "link", "symlink")
NOTHING = r"(?!)"
UNSURE, DISK, REMOTE = 6, 7, 8
_VARIES = re.compile(r"\d+ B (?:read|written)|\d+(\.\d+)? ms|\d+(\.\d+)? s\b|\.tmp-[0-9a-f]+|mlver-[a-z]+-\d+-\w+")
_LINES = re.compile(r"(?:(?:hint|warning): [^\n]+\n)*mlver: [^\n]+\n(?:hint: [^\n]+\n)?")
Log = list[tuple[str, str]]


@dataclass
class Round:
    """One round: what was broken, what the command said, and everything that is wrong afterwards.

    It is none when the command made fewer calls than that: `call` is empty then.
    """

    scene: str
    at: int
    call: str
    answer: Answer
    state: str = ""
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        said = f"exit {self.answer.code} {self.answer.err.strip()[:300]!r}"
        return f"{self.scene}, call {self.at} ({self.call}), {said}: {self.problems}"


@dataclass(frozen=True)
class Verdict:
    """What is on disk after a fault: `old`, `new`, `between` or `mixed`, and what is wrong with it."""

    state: str
    problems: tuple[str, ...]
    again: tuple[str, ...]  # wrong with the same command given once more
    done: bool  # whether every file is as after the command


class Stage:
    """A folder with the world in it, where scenes are played. The same paths in each, for settings hold some."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.place = scratch / "world"
        self._base = scratch / "base"
        build(self.place)
        self.place.rename(self._base)
        self._plain: Ground | None = None

    def scene(self, name: str, act: Act) -> Scene:
        """Prepare a command, and give it once without a fault. The scene before can no longer be played."""
        if not act.before:
            self._plain = self._plain or Ground(self._base, self.place)
            self._plain.reset()
            return Scene(name, act, self._plain)
        self._plain = None
        Ground(self._base, self.place)
        tell(self.place, act.before)
        before = self.scratch / "before"
        shutil.rmtree(before, ignore_errors=True)
        self.place.rename(before)
        return Scene(name, act, Ground(before, self.place))

    def forget(self) -> None:
        """Make the next scene's world anew: somebody has spoilt this one."""
        self._plain = None


@contextmanager
def stage() -> Iterator[Stage]:
    """Yield a stage in memory where there is such a disk; scratch folders of commands are on it as well."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name, still():
        scratch = Path(name)
        yield Stage(scratch)


class Scene:
    """A command in its world: its calls, and what is right before and after."""

    def __init__(self, name: str, act: Act, ground: Ground) -> None:
        self.name, self.act, self.ground = name, act, ground
        self._known: dict[str, Verdict] = {}
        self.before, self.old = files(self.root), heads(self.root)
        self._known_before: set[str] | None = None
        with self._scratch(), broken_calls(self.root) as calls:
            self.clean = self._say()
        self.calls: Log = calls.log
        self.after, self.new = files(self.root), heads(self.root)
        self.seen = views(self.root, act.steps)
        self.chain = {key: line_of(self.root, key, self.old.get(key), new) for key, new in self.new.items()}
        self.silent = self.old == self.new and self.before == self.after
        assert self.clean.code == act.ends, f"{name}: {self.clean}"
        ground.reset()

    @property
    def root(self) -> Path:
        """The world's folder."""
        return self.ground.place

    def rounds(self, fail: Fault, only: tuple[str, ...] | None = None, *, first: int = 1, step: int = 1) -> list[Round]:
        """Break every `step`-th call, until the command makes no more calls than that."""
        made = []
        for at in count(first, step):
            round_ = self.play(at, fail, only)
            if not round_.call:
                break
            made.append(round_)
        expected = sum(only is None or name in only for name, _ in self.calls) // step
        assert len(made) >= expected * 0.7 - 1, f"{self.name}: {len(made)} rounds, {expected} calls"
        return made

    def play(self, at: int, fail: Fault, only: tuple[str, ...] | None = None) -> Round:
        """Give the command with the fault `fail` at one call, and judge what is left."""
        with self._scratch() as left, broken_calls(self.root, at, fail, only) as calls:
            answer = self._say()
        call, path = calls.fired or ("", "")
        round_ = Round(self.name, at, f"{call} {path.removeprefix(str(self.root))}".strip(), answer)
        changed = self.ground.changed()
        verdict = self._verdict(self.ground.digest(changed), {path.partition("/")[0] for path in changed})
        round_.state = verdict.state
        round_.problems += verdict.problems
        if fail is not Killed:
            self._judge_words(round_, verdict, path, transient=isinstance(fail, str))
            if call not in ("unlink", "rmdir") and answer.code != UNSURE:
                round_.problems += [f"left behind: {n}" for n in changed if TEMP_PREFIX in n and "/trash/" not in n]
                round_.problems += [f"left behind: {name}" for name in left]
        if fail is Killed or answer.code != self.act.ends:
            round_.problems += verdict.again
        self.ground.reset()
        return round_

    def play_as_it_is(self, what: str, may_differ: str = NOTHING) -> Round:
        """Give the command on what somebody has spoilt that it can do without: nothing may be otherwise.

        `may_differ` is a pattern of what is left out of answers.
        """
        with self._scratch():
            answer = self._say()
        changed = [path for path in self.ground.changed() if "/cache" not in path]
        round_ = Round(self.name, 0, what, answer)
        if answer.code != self.act.ends:
            round_.problems.append(f"exit {answer.code}")
        elif not self.act.free and plain(answer.out, may_differ) != plain(self.clean.out, may_differ):
            round_.problems.append(f"another answer: {answer.out!r}")
        if heads(self.root) != self.new or files(self.root) != self.after:
            round_.problems.append(f"another state: {changed}")
        self.ground.reset()
        return round_

    def play_without(self, room: AbstractContextManager[None], what: str) -> Round:
        """Give the command while the disk has hardly any room; the judgement has it again."""
        with room:
            answer = self._say()
        changed = self.ground.changed()
        verdict = self._verdict(self.ground.digest(changed), {path.partition("/")[0] for path in changed})
        round_ = Round(self.name, 0, what, answer, verdict.state, [*verdict.problems])
        self._judge_words(round_, verdict, "", transient=False)  # the hub is on the same disk
        if answer.code != UNSURE:
            round_.problems += [f"left behind: {n}" for n in changed if TEMP_PREFIX in n and "/trash/" not in n]
        if answer.code != self.act.ends:
            round_.problems += verdict.again
        self.ground.reset()
        return round_

    def play_sealed(self, what: str, *, reads: bool) -> Round:
        """Give the command where nothing can be written: what `reads` gives its answer, all else is refused.

        Where nothing was left to be written, all is well too.
        """
        answer = self._say()
        round_ = Round(self.name, 0, what, answer)
        refused = {DISK, REMOTE} if self.act.words[0] == "push" else {DISK}
        if answer.code not in ({self.act.ends} if reads else {*refused, *self.act.also} | self._idle()):
            round_.problems.append(f"exit {answer.code}")
        elif reads and not self.act.free and plain(answer.out) != plain(self.clean.out):
            round_.problems.append(f"another answer: {answer.out!r}")
        if answer.code in refused and not _LINES.fullmatch(answer.err):
            round_.problems.append(f"not one line: {answer.err!r}")
        if "unexpected error" in answer.err or "Traceback" in answer.err:
            round_.problems.append("a bug was shown")
        return round_

    def _idle(self) -> set[int]:
        return {self.act.ends} if self.silent or self.act.free else set()

    def _say(self) -> Answer:
        return say(self.root / self.act.where, *self.act.words)

    @contextmanager
    def _scratch(self) -> Iterator[list[str]]:
        """Let commands make their scratch folders in one place; what they leave there is in the list at the end."""
        left: list[str] = []
        with tempfile.TemporaryDirectory(dir=self.root.parent) as name, patch("tempfile.tempdir", name):
            yield left
            left += [path.name for path in Path(name).iterdir()]

    def _judge_words(self, round_: Round, verdict: Verdict, path: str, *, transient: bool) -> None:
        answer, tell_ = round_.answer, round_.problems.append
        allowed = {self.act.ends, DISK, UNSURE, *self.act.also}
        if self.act.where == "." or not path.startswith(str(self.root / self.act.where)):
            allowed.add(REMOTE)
        if transient and answer.code != self.act.ends:
            tell_("what was cut short was not gone on with")
        if answer.code not in allowed:
            tell_(f"exit {answer.code}")
        if "Traceback" in answer.err or "unexpected error" in answer.err:
            tell_("a bug was shown")
        if answer.code in self.act.also:
            pass  # the answer names what it could not do
        elif answer.code != self.act.ends:
            _LINES.fullmatch(answer.err) or tell_(f"not one line: {answer.err!r}")
            answer.code == DISK and verdict.state == "new" and not self.silent and tell_("it said that it failed")
            answer.code == UNSURE and verdict.state == "old" and tell_("it said that it may be done, and nothing is")
        elif not verdict.done:
            tell_(f"it said that it was done, and is not: {verdict.state}")
        elif not self.act.free and plain(answer.out) != plain(self.clean.out):
            tell_(f"another answer: {answer.out!r}")

    # -- what is on disk -----------------------------------------------------------------------

    def _verdict(self, digest: str, touched: set[str]) -> Verdict:
        if digest not in self._known:
            self._known[digest] = self._look(touched)
        return self._known[digest]

    def _look(self, touched: set[str]) -> Verdict:
        problems: list[str] = []
        now, found = files(self.root), heads(self.root, problems.append)
        state = self._state(found)
        if state == "mixed" or (state == "between" and not self.act.steps and len(self.new) == 1):
            problems.append(f"the heads are {state}: {found}")
        problems += [
            f"{path} is neither the old nor the new file"
            for path in now.keys() | self.before.keys() | self.after.keys()
            if now.get(path) not in (self.before.get(path), self.after.get(path))
        ]
        harm = [*self._look_at(found, touched)]
        done = found == self.new and now == self.after
        again = [] if found == self.new and self.old != self.new else [*self._again()]
        if self.old == self.new and now == self.after != self.before:
            state = "new"
        if harm:
            problems += [problem for problem in harm if problem not in self._given()]
        return Verdict(state, tuple(problems), tuple(again), done)

    def _given(self) -> set[str]:
        """What is wrong before the command: it may be there to mend it."""
        if self._known_before is None:
            self.ground.reset()
            self._known_before = set(self._look_at(self.old, {*self.old}))
        return self._known_before

    def _look_at(self, found: Heads, touched: set[str]) -> Iterator[str]:
        for name, at in REPOSITORIES.items():
            if name in found and name in touched:
                try:
                    yield from (f"{name}: {problem}" for problem in wrong_with(self.root / at.partition("/")[0]))
                except MlverError as error:
                    yield f"{name}: unusable: {error.message}"

    def _state(self, found: Heads) -> str:
        if not all(found.get(key) in self.chain[key] for key in self.new) or found.keys() - self.new.keys():
            return "mixed"
        return "old" if found == self.old else "new" if found == self.new else "between"

    def _again(self) -> Iterator[str]:
        """The same command, given once more without a fault, must bring the new state."""
        answer = self._say()
        touched = {path.partition("/")[0] for path in self.ground.changed()}
        if answer.code not in (self.act.ends, self.act.twice):
            yield f"again: exit {answer.code}: {answer.err.strip()!r}"
        if views(self.root, self.act.steps) != self.seen:
            yield "again: not the new state"
        if files(self.root) != self.after:
            yield "again: not the new files"
        for name, at in REPOSITORIES.items():
            if (self.root / at).exists() and name in self.new and name in touched:
                with open_at(self.root / at.partition("/")[0]) as repo:
                    yield from (f"fsck, again: {name}: {p.what}: {p.detail}" for p in fsck(repo).problems)


def plain(text: str, may_differ: str = NOTHING) -> str:
    """Return what was said without what is different each time, nor what this pattern is of."""
    return _VARIES.sub("…", re.sub(may_differ, "", text))
