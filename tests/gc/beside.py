"""gc beside other commands, one in the middle of the other, at every call. All of it by hand, a sample in CI.

python -m tests.gc.beside
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from mlver.errors import Collected, Damaged, MlverError, UnknownRevision
from mlver.objects.commit import Environment
from mlver.objects.ids import CommitId
from mlver.repo.remote import add_remote_setting
from mlver.repo.repository import Repository
from mlver.verbs.branch import set_ref
from mlver.verbs.clone import clone
from mlver.verbs.commit import commit
from mlver.verbs.fetch import fetch
from mlver.verbs.fsck import fsck
from mlver.verbs.gc import gc
from mlver.verbs.metrics import add_metrics
from mlver.verbs.note import add_note
from mlver.verbs.promote import promote
from mlver.verbs.push import push
from mlver.verbs.undo import undo
from tests.gc.between import ALL, CHANGES, between
from tests.gc.world import drop, experiment, noise
from tests.kit import Bench, Ticking

# each may rely on what gc is about to drop
WRITERS: dict[str, Callable[[Repository, CommitId], object]] = {
    "commit": lambda repo, lost: commit(repo, "again"),
    "branch": lambda repo, lost: set_ref(repo, "branch", "y", lost.hex()),
    "note": lambda repo, lost: add_note(repo, lost.hex(), "odd"),
    "metrics": lambda repo, lost: add_metrics(repo, "main", {"recall": 0.5}),
    "promote": lambda repo, lost: promote(repo, "prod", lost.hex(), reason="it was better"),
    "undo": lambda repo, lost: undo(repo),
    "fetch": lambda repo, lost: fetch(repo),
    "push": lambda repo, lost: push(repo, branches=["side"]),
    "clone": lambda repo, lost: clone(repo.root, repo.root.parent / "copy"),
}


@dataclass
class World:
    """A repository, its other one `hub`, and the commit that nothing names any more."""

    folder: Path
    lost: CommitId
    clock: Ticking

    def open(self, name: str = "repo") -> Repository:
        """Open one of the repositories, as a process of its own would."""
        return Repository.open(self.folder / name, actor="ana", clock=self.clock)

    def copy(self, folder: Path) -> World:
        """Copy all of it."""
        shutil.copytree(self.folder, folder, symlinks=True)
        world = World(folder, self.lost, self.clock)
        with world.open() as repo:
            add_remote_setting(repo, "origin", folder / "hub")
        return world

    def collect(self) -> None:
        """Run gc without any grace everywhere."""
        for name in ("repo", "hub"):
            with self.open(name) as repo:
                gc(repo, grace="0", full=True)

    def write(self, name: str) -> MlverError | None:
        """Run a writer; return what it said when gc was faster. Nothing else may go wrong."""
        with self.open() as repo:
            try:
                WRITERS[name](repo, self.lost)
            except (Collected, UnknownRevision) as error:
                return error
            except Damaged as error:
                if name != "promote" or "missing" not in error.message:
                    raise
                return error  # it read what no name leads to, and gc took that away
        return None


def make_world(folder: Path) -> World:
    """Both repositories hold, unnamed, what the other is about to send; the work tree has the model of `x` again."""
    with still():
        bench = Bench(folder / "repo")
        bench.write("models/m.bin", noise(0))
        bench.commit("base")
        (folder / "hub").mkdir()
        add_remote_setting(bench.repo, "origin", folder / "hub")
        push(bench.repo)
        ben = clone(folder / "hub", folder / "ben", actor="ben", clock=bench.clock)
        assert ben
        other = Repository.open(folder / "ben", actor="ben", clock=bench.clock)
        (folder / "ben/models/m.bin").write_bytes(noise(2))
        commit(other, "ben's")
        push(other)
        lost = experiment(bench, "x", 1)
        experiment(bench, "side", 3)
        drop(bench, "x")
        bench.write("models/m.bin", noise(1))
        with Repository.open(folder / "hub", actor="ben", clock=bench.clock) as hub:
            for repo, seed in ((bench.repo, 2), (hub, 3)):
                with repo.store.session() as session:
                    session.put_bytes(noise(seed))
                    session.finish()
        other.close()
        bench.repo.close()
    shutil.rmtree(folder / "ben")
    return World(folder, lost, bench.clock)


def still() -> patch:  # type: ignore[valid-type]
    """Looking for installed packages takes longer than all the rest of a small commit."""
    return patch("mlver.verbs.commit.capture_environment", lambda: Environment("3.11", "CPython", "Linux"))


def rounds(
    first: World,
    folder: Path,
    writer: str,
    *,
    within: str,
    step: int = 1,
    start: int = 1,
    tally: Counter[str] | None = None,
) -> Iterator[str]:
    """Interleave a writer and gc at every `step`-th call of the one `within`; yield what is wrong, or nothing.

    `tally` counts the rounds.
    """
    at = start
    while True:
        world = first.copy(folder / "round")
        said: list[MlverError | None] = []

        def write(world: World = world, said: list[MlverError | None] = said) -> None:
            said.append(world.write(writer))

        try:
            with still():
                outer, inner = (world.collect, write) if within == "gc" else (write, world.collect)
                with between(at, inner, CHANGES if within == "gc" else ALL) as rig:
                    outer()
                if rig.fired:
                    yield from (
                        f"{writer}, in {within} at {at} ({rig.log[-1]}): {w}" for w in judge(world, writer, said)
                    )
        except MlverError as error:
            yield f"{writer}, in {within} at {at} ({rig.log[-1]}): {type(error).__name__}: {error.message}"
        finally:
            shutil.rmtree(folder / "round")
        if not rig.fired:
            assert at > start, "nothing was interleaved"
            return
        if tally is not None:
            tally["rounds"] += 1
        at += step


def judge(world: World, writer: str, said: list[MlverError | None]) -> Iterator[str]:
    """Yield what is wrong: all must be whole, and what the writer did must be there, unless it said no."""
    for name in ("repo", "hub", "copy"):
        if name != "copy" or (world.folder / name).exists():
            with world.open(name) as repo:
                yield from (f"{name}: {problem}" for problem in fsck(repo).problems)
    with world.open() as repo, world.open("hub") as hub:
        if said != [None]:
            return
        view = repo.view
        expected = {
            "commit": lambda: repo.head_snapshot().source("models/m.bin").open().read() == noise(1),
            "branch": lambda: repo.snapshot(view.branches["y"]).source("models/m.bin").open().read() == noise(1),
            "undo": lambda: repo.snapshot(view.branches["x"]).source("models/m.bin").open().read() == noise(1),
            "promote": lambda: view.stages["prod"][""].commit == world.lost,
            "note": lambda: bool(list(repo.facts.of("note"))),
            "metrics": lambda: bool(list(repo.facts.of("metric"))),
            "fetch": lambda: (
                repo.snapshot(view.remotes["origin"].branches["main"]).source("models/m.bin").open().read() == noise(2)
            ),
            "push": lambda: hub.snapshot(hub.view.branches["side"]).source("models/m.bin").open().read() == noise(3),
            "clone": lambda: (world.folder / "copy/models/m.bin").read_bytes() == noise(0),
        }[writer]
        if not expected():
            yield "what it did is not there"


def main() -> int:
    """Every interleaving; returns 1 when anything is wrong."""
    wrong, tally = 0, Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        first = make_world(Path(folder) / "first")
        for writer in sys.argv[1:] or WRITERS:
            for within in ("gc", writer):
                for found in rounds(first, Path(folder), writer, within=within, tally=tally):
                    wrong += 1
                    print(found)
            print(f"{writer}: {tally['rounds']} rounds so far, {wrong} wrong", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
