"""Kills the real command line at random moments, over a mix of commands, and looks for anything that was lost.

    python -m tests.fault.kills [KILLS] [SEED]

A round is one command: of KILLS of them SIGKILL ended the process (those that were faster than the kill are played and
judged too, and not counted). Acknowledged is a command that ended with 0, or whose line was out before the kill. Prints
one line of JSON; a violation names its round and the seed.
"""

from __future__ import annotations

import hashlib
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlver.errors import MlverError
from mlver.objects.ids import CommitId, OperationId
from mlver.objects.state import View
from mlver.repo.releases import linked, settle, unsettled
from mlver.repo.repository import Repository
from mlver.verbs.fsck import fsck
from tests.fault.processes import Ended, fresh, mlver, warmed

SEED = 41
_EACH = 200  # rounds before a new world: a long history only makes fsck slow
_FRESH = 0.1  # share of rounds in a process that shares nothing
_LINES = (
    "promote prod -r one",
    "note HEAD x",
    "tag v1",
    "metrics add recall=0.5",
    "alerts add late",
    "branch side",
    "switch side",
    "switch main",
    "merge side",
    "rollback prod --to HEAD",
    "undo",
    "pull",
    "gc --grace 0",
    "status",
    "log",
)
Check = Callable[["World", Ended], bool]


def sealed(rnd: random.Random, size: int) -> bytes:
    """Return bytes that tell by themselves whether they are whole."""
    body = rnd.randbytes(size)
    return hashlib.sha256(body).digest() + body


def is_sealed(data: bytes) -> bool:
    """Whether bytes are as `sealed` made them."""
    return hashlib.sha256(data[32:]).digest() == data[:32]


@dataclass
class World:
    """A repository with a work tree, a hub beside it, and what its operation log was known to hold."""

    root: Path
    hub: Path
    rnd: random.Random
    number: int = 0  # of the round
    log: list[OperationId] = field(default_factory=list)
    landed: list[str] = field(default_factory=list)  # the commands that came to the log in this round

    def open(self, root: Path | None = None) -> Repository:
        return Repository.open(root or self.root, actor="judge")

    @property
    def view(self) -> View:
        with self.open() as repo:
            return repo.view

    def change(self, count: int = 3) -> None:
        """Write some files anew."""
        for number in self.rnd.sample(range(8), count):
            path = self.root / f"models/m{number}.bin"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(sealed(self.rnd, self.rnd.choice((30, 3_000, 60_000))))

    def news(self) -> list[str]:
        """Read the operation log down to what was known; return the commands that are new. It must lead there."""
        with self.open() as repo:
            found = []
            for id, operation in repo.operations():
                if self.log and id == self.log[-1]:
                    break
                found.append((id, operation.command))
            else:
                if self.log:
                    raise AssertionError(f"operation {self.log[-1].short} is no longer in the log")
            self.log += [id for id, _ in reversed(found)]
            self.landed = [command for _, command in found]
            return self.landed


@dataclass(frozen=True)
class Act:
    """A command line, and whether what it said it did is there."""

    words: list[str]
    done: Check
    ends: tuple[int, ...] = (0,)


def _head_is(world: World, ended: Ended) -> bool:
    head = world.view.head
    return head is not None and head.hex() == ended.out.strip()


def _fact(kind: str, word: str) -> Check:
    def check(world: World, ended: Ended) -> bool:
        with world.open() as repo:
            return any(word in json.dumps(dict(fact.body)) for fact in repo.facts.of(kind))

    return check


def _served(world: World, ended: Ended) -> bool:
    with world.open() as repo:
        live = repo.view.stages["prod"][""]
        return not unsettled(repo) and linked(repo, "prod", "") == live.release


def _undone(world: World, ended: Ended) -> bool:
    return any(command.startswith("undo") for command in world.landed)


def _line(repo: Repository, head: CommitId) -> set[CommitId]:
    found, todo = set[CommitId](), [head]
    while todo:
        if (id := todo.pop()) not in found:
            found.add(id)
            todo += repo.commit(id).parents
    return found


def _merged(world: World, ended: Ended) -> bool:
    """Whether all of the other branch is in HEAD now, when it said so."""
    if ended.killed:
        return True  # killed while it said so: with conflicts, it says something too
    with world.open() as repo:
        head, other = repo.view.head, repo.view.branches["side" if repo.view.branch == "main" else "main"]
        return head is not None and other in _line(repo, head)


def _pulled(world: World, ended: Ended) -> bool:
    if ended.killed:
        return True
    with world.open(world.hub) as hub, world.open() as repo:
        head, there = repo.view.head, hub.view.branches.get(repo.view.branch or "")
        return there is None or (head is not None and there in _line(repo, head))


def _pushed(world: World, ended: Ended) -> bool:
    with world.open(world.hub) as hub, world.open() as repo:
        return hub.view.branches["main"] == repo.view.branches["main"]


def choose(world: World) -> Act:
    """Return the next command, fit for the state the world is in."""
    rnd, view, n = world.rnd, world.view, world.number
    if view.merging is not None:
        return Act(["-q", "merge", "--abort"], lambda world, ended: world.view.merging is None)
    name = rnd.choice(
        ("commit",) * 6
        + ("promote", "rollback", "rollback", "note", "tag", "branch", "metrics", "alert", "undo", "push", "push")
        + ("gc", "gc", "merge", "switch", "pull")
    )
    tags = sorted(view.tags)
    if name == "commit":
        world.change()
        return Act(["-q", "commit", "-m", f"round {n}"], _head_is, (0, 1))
    if name == "merge" and "side" in view.branches:
        return Act(["-q", "merge", "side" if view.branch == "main" else "main"], _merged, (0, 1, 3, 4))
    if name == "switch" and "side" in view.branches:
        to = "side" if view.branch == "main" else "main"
        return Act(["-q", "switch", to], lambda world, _: world.view.branch == to, (0, 3))
    if name == "rollback" and "prod" in view.stages and tags:
        return Act(["-q", "rollback", "prod", "--to", rnd.choice(tags)], _served)
    return {
        "promote": Act(["-q", "promote", "prod", "HEAD"], _served),
        "note": Act(["-q", "note", "HEAD", f"note {n} ends"], _fact("note", f"note {n} ends")),
        "tag": Act(["-q", "tag", f"t{n}"], lambda world, _: f"t{n}" in world.view.tags),
        "branch": Act(["-q", "branch", f"b{n}"], lambda world, _: f"b{n}" in world.view.branches),
        "metrics": Act(["-q", "metrics", "add", f"m{n}x=0.5"], _fact("metric", f"m{n}x")),
        "alert": Act(["-q", "alerts", "add", f"a{n}x"], _fact("alert", f"a{n}x")),
        "undo": Act(["-q", "undo"], _undone, (0, 1, 3)),
        "push": Act(["-q", "push", "origin", "main"], _pushed, (0, 1, 4)),  # 4: what was undone here was pushed
        "pull": Act(["-q", "pull"], _pulled, (0, 1, 3, 4)),
        "gc": Act(["-q", "gc", "--grace", "0"], lambda *_: True),
    }.get(name, Act(["-q", "tag", f"t{n}"], lambda world, _: f"t{n}" in world.view.tags))


def make_world(folder: Path, rnd: random.Random) -> World:
    """Two commits on `main`, one more on `side`, one stage that serves, and a hub."""
    world = World(folder / "repo", folder / "hub", rnd)
    world.root.mkdir()
    world.change(8)
    lines = ["init", f"remote add origin {world.hub}", "commit -m one", "tag first", "promote prod", "branch side"]
    lines += ["switch side", "commit -m two", "switch main", "push"]
    for line in lines:
        if line == "push":
            world.hub.mkdir()
        if line.startswith("commit -m two"):
            (world.root / "side.bin").write_bytes(sealed(rnd, 500))
        ended = mlver(world.root, line.split()).wait()
        assert ended.code == 0, (line, ended)
    world.news()
    return world


class Kills:
    """The campaign: `wrong` lists violations, `killed` and `kept` count kills and acknowledged operations."""

    def __init__(self, kills: int, seed: int) -> None:
        self.wanted, self.seed = kills, seed
        self.rnd = random.Random(seed)
        self.wrong: list[str] = []
        self.killed = self.rounds = self.kept = self.landed = self.fresh = 0
        self._times: dict[tuple[str, bool], list[float]] = {}

    def run(self) -> None:
        """Play rounds until enough of them were killed."""
        with warmed(*_LINES):
            while self.killed < self.wanted:
                with tempfile.TemporaryDirectory() as folder:
                    world = make_world(Path(folder), self.rnd)
                    for _ in range(_EACH):
                        self.round(world)
                        if self.killed >= self.wanted:
                            break
                    self.wrong += [f"{where}: {text}" for where in (world.root, world.hub) for text in damage(where)]

    def round(self, world: World) -> None:
        """Give one command, kill it at a random moment, and judge."""
        self.rounds += 1
        world.number = self.rounds
        act, alone = choose(world), self.rnd.random() < _FRESH
        ended = self._killed(world, act, alone)
        self.killed += ended.killed
        self.fresh += ended.killed and alone
        where = f"seed {self.seed}, round {self.rounds}, {' '.join(act.words)} ({ended.seconds * 1000:.0f} ms)"
        try:
            self.wrong += [f"{where}: {text}" for text in self._judge(world, act, ended)]
        except (MlverError, AssertionError) as error:
            self.wrong.append(f"{where}: unusable afterwards: {type(error).__name__}: {error}")

    def _killed(self, world: World, act: Act, alone: bool) -> Ended:
        """Kill the command at a moment drawn over the time it takes, which is known from those that got through."""
        times = self._times.setdefault(("" if alone else act.words[1], alone), [])
        child = (fresh if alone else mlver)(world.root, act.words)
        if len(times) < 2:
            ended = child.wait()
        else:
            whole = statistics.median(times)
            ended = child.kill(self.rnd.uniform(0.25 if alone else 0.0, 1.1) * whole)
        if not ended.killed and ended.code == 0:
            times.append(ended.seconds)
        return ended

    def _judge(self, world: World, act: Act, ended: Ended) -> Iterator[str]:
        said = ended.code == 0 or (ended.killed and ended.out.endswith("\n"))
        if not ended.killed and ended.code not in act.ends:
            yield f"exit {ended.code}: {ended.err.strip()}"
        if "Traceback" in ended.err:
            yield ended.err
        news = world.news()
        self.kept += said
        self.landed += len(news)
        if len(news) > (2 if act.words[1] == "pull" else 1):  # a fetch, and a merge
            yield f"{len(news)} operations: {news}"
        if said and not act.done(world, ended):
            yield f"said {ended.out.strip()!r}, and it is not there"
        for path in world.root.glob("models/*.bin"):
            if not is_sealed(path.read_bytes()):
                yield f"{path.name} is half written"
        with world.open() as repo:
            served = repo.dot / "releases/prod/all/current"
            if not served.is_dir() or any(not is_sealed(path.read_bytes()) for path in served.glob("models/*.bin")):
                yield "prod serves nothing whole"
            if ended.killed or self.rounds % 10 == 0:
                for slot, error in settle(repo).problems:
                    yield f"{slot} cannot be settled: {error.message}"
        if ended.killed:
            yield from damage(world.root)
            if act.words[1] == "push":
                yield from (f"hub: {text}" for text in damage(world.hub))


def damage(root: Path) -> list[str]:
    """Return what fsck finds."""
    with Repository.open(root, actor="judge") as repo:
        return [f"fsck: {found.what}: {found.detail}" for found in fsck(repo).problems]


def main(words: list[str]) -> int:
    """Run the campaign; the exit code is 1 when anything was violated."""
    start = time.monotonic()
    kills = Kills(int(words[0]) if words else 2000, int(words[1]) if len(words) > 1 else SEED)
    kills.run()
    figures = {
        "campaign": "kills",
        "rounds": kills.killed,
        "fresh": kills.fresh,
        "commands": kills.rounds,
        "acknowledged": kills.kept,
        "operations": kills.landed,
        "violations": len(kills.wrong),
        "first": kills.wrong[:5],
        "seed": kills.seed,
        "seconds": round(time.monotonic() - start),
    }
    print(json.dumps(figures))
    return 1 if kills.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
