"""A command that is stopped (Ctrl-Z, a debugger, a laptop that sleeps) must not keep anybody else from working.

    python -m tests.fault.stopped [ROUNDS] [SEED]       stopped at each system call of each command, then at random
                                                         moments of ROUNDS more

In each round a command is stopped with SIGSTOP; then a rollback, a status, a note and a commit are asked of the same
repository, which must all succeed, in time; then the stopped one goes on and ends, well or told that somebody was
faster. Nothing that was acknowledged may be missing then, by either. Prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mlver.repo.releases import linked
from mlver.repo.repository import Repository
from mlver.storage import durable, swap
from mlver.verbs.fsck import fsck
from tests.fault.kills import SEED, sealed
from tests.fault.processes import Child, Ended, mlver, spawn, warmed

_PATIENCE = 0.05  # seconds, in place of two: how long each lock is waited for
_IN_TIME = 8.0  # seconds; a person would call that at once, on a machine that does much else
COUNTED = (
    "open", "write", "fsync", "flock", "rename", "link", "unlink", "symlink", "mkdir", "rmdir", "scandir", "fchmod",
)  # fmt: skip
ACTS = {
    "commit": ["commit", "-q", "-m", "stopped"],
    "promote": ["promote", "-q", "prod", "v3"],
    "rollback": ["rollback", "-q", "prod", "--to", "v1"],
    "note": ["note", "-q", "HEAD", "stopped"],
    "gc": ["gc", "-q", "--grace", "0"],
}
ASKED = (["rollback", "prod", "--to", "v1"], ["status"], ["note", "HEAD", "asked"], ["commit", "-q", "-m", "asked"])
_FINE = {"commit": (0, 1, 4), "promote": (0, 4), "rollback": (0, 4), "note": (0,), "gc": (0, 4)}


class _Stopping:
    """Stands in for `durable.os_calls`: stops the process just before the `at`-th call of some names."""

    def __init__(self, at: int, only: tuple[str, ...]) -> None:
        self._at, self._only, self._real, self.count = at, only, durable.os_calls, 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        real = getattr(self._real, name)
        if name not in self._only:
            return real  # type: ignore[no-any-return]

        def call(*args: Any, **more: Any) -> Any:
            self.count += 1
            if self.count == self._at:
                os.kill(os.getpid(), signal.SIGSTOP)
            return real(*args, **more)

        return call


@dataclass
class Round:
    """One round: `stopped` says whether the command was still there to be stopped."""

    name: str
    stopped: bool
    slowest: float
    wrong: list[str]


def make_scene(folder: Path) -> Path:
    """Three tagged commits, the second of them live, the release of the first on disk; something to commit."""
    rnd = random.Random(1)
    root = folder / "scene"
    (root / "models").mkdir(parents=True)
    for line in ("init", "v1", "promote prod v1", "v2", "promote prod v2", "v3"):
        if line.startswith("v"):
            for number in range(3):
                (root / f"models/{number}.bin").write_bytes(sealed(rnd, 5_000))
            _say(root, f"commit -m {line}")
            _say(root, f"tag {line}")
        else:
            _say(root, line)
    (root / "models/new.bin").write_bytes(sealed(rnd, 5_000))
    return root


def _say(root: Path, line: str) -> Ended:
    ended = mlver(root, line.split()).wait()
    assert ended.code == 0, (line, ended)
    return ended


def at_call(root: Path, name: str, at: int, only: tuple[str, ...] = COUNTED) -> Child:
    """Start a command that stops itself before its `at`-th call of the names in `only`."""

    def run() -> None:
        from mlver.cli.main import entry

        durable.os_calls = _Stopping(at, only)  # type: ignore[assignment]
        os.chdir(root)
        sys.argv = ["mlver", *ACTS[name]]
        entry()

    return spawn(run)


def after(root: Path, name: str, seconds: float) -> Child:
    """Start a command and stop it some seconds later."""
    child = mlver(root, ACTS[name])
    time.sleep(seconds)
    os.kill(child.pid, signal.SIGSTOP)
    return child


def play(scene: Path, folder: Path, name: str, start: Callable[[Path], Child]) -> Round:
    """Stop a command, ask for others, let it go on, and judge."""
    root = folder / "round"
    shutil.copytree(scene, root, symlinks=True)
    try:
        child = start(root)
        state = os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if state is None or state.si_code != os.CLD_STOPPED:
            child.wait()
            return Round(name, False, 0.0, [])
        wrong, slowest = [], 0.0
        try:
            for words in ASKED:
                ended = mlver(root, words).wait()
                slowest = max(slowest, ended.seconds)
                fine = (0, 1) if words[0] == "commit" else (0,)
                if ended.code not in fine or ended.seconds > _IN_TIME:
                    told = f"exit {ended.code} after {ended.seconds:.1f} s: {ended.err.strip()}"
                    wrong.append(f"{words[0]} beside it: {told}")
                if words[0] == "rollback":
                    wrong += _serves(root, "v1", "while it is stopped")
        finally:
            os.kill(child.pid, signal.SIGCONT)
        wrong += _judge(root, name, child.wait())
        return Round(name, True, slowest, wrong)
    finally:
        shutil.rmtree(root)


def _serves(root: Path, tag: str, when: str) -> Iterator[str]:
    with Repository.open(root) as repo:
        live = repo.view.stages["prod"][""]
        if live.commit != repo.view.tags[tag]:
            yield f"{when}, the log has {live.commit.short} live"
        elif linked(repo, "prod", "") != live.release:
            yield f"{when}, the link is not where the log says"


def _judge(root: Path, name: str, ended: Ended) -> Iterator[str]:
    """What was asked meanwhile is there, and what the stopped one said it did is, too."""
    if ended.code not in _FINE[name] or "Traceback" in ended.err:
        yield f"it ended with {ended.code}: {ended.err.strip()}"
    with Repository.open(root) as repo:
        commands = [operation.command for _, operation in repo.operations()]
        for wanted in ("rollback prod to", "note"):
            if not any(command.startswith(wanted) for command in commands):
                yield f"{wanted} is not in the log"
        notes = [str(fact.body.get("text")) for fact in repo.facts.of("note")]
        if "asked" not in notes or (name == "note" and "stopped" not in notes):
            yield f"a note is lost: {notes}"
        head = repo.view.head
        if name == "commit" and ended.code == 0 and (head is None or ended.out.strip() not in _line(repo)):
            yield "its commit is lost"
        live = repo.view.stages["prod"][""]
        if linked(repo, "prod", "") != live.release:
            yield "the link is not where the log says"
        yield from (f"fsck: {found.what}: {found.detail}" for found in fsck(repo).problems)


def _line(repo: Repository) -> list[str]:
    found, at = [], repo.view.head
    while at is not None:
        found.append(at.hex())
        at = next(iter(repo.commit(at).parents), None)
    return found


def run(rounds: int, seed: int, names: tuple[str, ...] = tuple(ACTS), only: tuple[str, ...] = COUNTED) -> list[Round]:
    """Stop each command at every call of the names in `only`, then at `rounds` random moments; return all rounds."""
    found, rnd = [], random.Random(seed)
    lines = ("promote prod HEAD", "note HEAD x", "rollback prod --to HEAD", "tag v1", "gc --grace 0", "status")
    with tempfile.TemporaryDirectory() as name, warmed(*lines), patch.object(swap, "PATIENCE", _PATIENCE):
        folder = Path(name)
        scene = make_scene(folder)
        for act in names:
            for at in count(1):
                round_ = play(scene, folder, act, lambda root, a=act, n=at: at_call(root, a, n, only))
                if not round_.stopped:
                    break
                found.append(Round(f"{act} at call {at}", True, round_.slowest, round_.wrong))
        times = {act: _time(scene, folder, act) for act in names}
        for number in range(rounds):
            act = rnd.choice(names)
            moment = rnd.uniform(0.0, times[act])
            round_ = play(scene, folder, act, lambda root, a=act, m=moment: after(root, a, m))
            if round_.stopped:
                label = f"{act} after {moment * 1000:.0f} ms, round {number}"
                found.append(Round(label, True, round_.slowest, round_.wrong))
    return found


def _time(scene: Path, folder: Path, act: str) -> float:
    shutil.copytree(scene, folder / "round", symlinks=True)
    try:
        return mlver(folder / "round", ACTS[act]).wait().seconds
    finally:
        shutil.rmtree(folder / "round")


def main(words: list[str]) -> int:
    """Run the campaign; the exit code is 1 when anything was violated."""
    numbers = [int(word) for word in words] + [200, SEED][len(words) :]
    start = time.monotonic()
    rounds = run(*numbers)
    wrong = [f"seed {numbers[1]}, {one.name}: {text}" for one in rounds for text in one.wrong]
    figures = {
        "campaign": "stopped",
        "rounds": len(rounds),
        "slowest": round(max(one.slowest for one in rounds), 2),
        "violations": len(wrong),
        "first": wrong[:5],
        "seed": numbers[1],
        "seconds": round(time.monotonic() - start),
    }
    print(json.dumps(figures))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
