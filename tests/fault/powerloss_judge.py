"""What mlver makes of a disk after a power cut: lays a state out in memory-backed files, opens it, and looks."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mlver.errors import MlverError
from mlver.repo.head import SLOTS
from mlver.repo.releases import settle, unsettled
from mlver.repo.repository import Repository
from mlver.verbs.branch import set_ref
from mlver.verbs.fsck import fsck
from mlver.verbs.repair import repair
from tests.fault.powerloss_disk import FILE, FOLDER
from tests.fault.powerloss_states import Tree
from tests.fault.powerloss_story import INIT, Act, Answers, Steps, answers, opened, served

_T = TypeVar("_T")
CACHES = ("as they were", "none", "cut", "zeroed", "older", "rubbish", "empty")


@dataclass(frozen=True)
class Verdict:
    """What was found. `number` is that of the newest operation, -1 where there is no repository and -2 where it cannot
    be opened; `served` is what `current` led to before mlver ran."""

    number: int
    served: str | None
    problems: tuple[str, ...] = ()


class Layout:
    """Files below `world`, changed from one tree to the next by as little as will do."""

    def __init__(self, world: Path) -> None:
        self.world = world
        self.pool = Path(tempfile.mkdtemp(prefix="pool-", dir=world.parent))
        self._made: dict[tuple[bytes, int], tuple[Path, int]] = {}

    def put(self, tree: Tree, caches: Mapping[str, bytes]) -> None:
        """Make `world` hold the tree and the caches, and nothing else."""
        self._sweep("", tree)
        for path in sorted(tree):  # folders before what is in them
            kind, data, mode = tree[path]
            full = f"{self.world}/{path}"
            if os.path.lexists(full):
                continue
            if kind == FOLDER:
                os.mkdir(full)
            elif kind != FILE:
                os.symlink(os.fsdecode(data), full)
            elif not data:  # locks are told apart by their inode
                os.close(os.open(full, os.O_WRONLY | os.O_CREAT, mode))
            else:
                os.link(self._file(data, mode)[0], full)
        for path, data in caches.items():
            if tree.get(os.path.dirname(path), ("",))[0] == FOLDER:
                Path(self.world, path).write_bytes(data)

    def _sweep(self, prefix: str, tree: Tree) -> None:
        """Remove what the tree does not have, and what is not as the tree has it."""
        with os.scandir(f"{self.world}/{prefix}") as entries:
            for entry in entries:
                path = prefix + entry.name
                kind, data, mode = tree.get(path, ("", b"", 0))
                if entry.is_symlink():
                    if kind in (FILE, FOLDER, "") or os.readlink(entry.path) != os.fsdecode(data):
                        os.unlink(entry.path)
                elif entry.is_dir():
                    if kind == FOLDER:
                        self._sweep(path + "/", tree)
                    else:
                        shutil.rmtree(entry.path)
                elif kind != FILE or (entry.inode() != self._file(data, mode)[1] if data else entry.stat().st_size):
                    os.unlink(entry.path)

    def _file(self, data: bytes, mode: int) -> tuple[Path, int]:
        """Return a file of these bytes, with its inode number."""
        key = data, mode
        if key not in self._made:
            path = self.pool / str(len(self._made))
            path.write_bytes(data)
            path.chmod(mode)
            self._made[key] = path, path.stat().st_ino
        return self._made[key]


def spoil(caches: Mapping[str, bytes], older: Mapping[str, bytes], how: str, rnd: random.Random) -> dict[str, bytes]:
    """Return what a power cut may leave of the caches: nothing of theirs is ever fsynced."""
    if how == "none":
        return {}
    if how == "older":
        return dict(older)
    found = dict(caches)
    for path, data in caches.items():
        block = rnd.randrange(max(1, len(data) // 4096)) * 4096
        found[path] = {
            "cut": data[: len(data) // 2],
            "zeroed": data[:block] + bytes(len(data[block : block + 4096])) + data[block + 4096 :],
            "rubbish": rnd.randbytes(min(len(data), 8192)),
            "empty": b"",
        }.get(how, data)
    return found


class Judge:
    """Opens what was laid out, and says what is wrong with it."""

    def __init__(self, world: Path, truth: Mapping[str, Answers]) -> None:
        self.root, self.hub = world / "repo", world / "hub"
        self._truth = truth

    def repository(self, hurt: bool = False) -> Verdict:
        """Return what became of the repository. With `hurt` a pack was damaged before the cut; repair ends that."""
        problems: list[str] = []
        before = _quietly(lambda: served(self.root), problems, "what was served cannot be read")
        number = _quietly(lambda: self._repo(problems, hurt), problems, "unusable")
        return Verdict(-2 if number is None else number, before, tuple(problems))

    def other(self) -> Verdict:
        """Return what became of the hub."""
        problems: list[str] = []
        number = _quietly(lambda: self._hub(problems), problems, "the hub is unusable")
        return Verdict(-2 if number is None else number, None, tuple(problems))

    def _repo(self, problems: list[str], hurt: bool) -> int:
        if not os.path.lexists(self.root / ".mlver/format"):
            Repository.init(self.root, actor="ana", clock=Steps())[0].close()
            with opened(self.root, Steps()) as repo:
                problems += [f"fsck after init: {one.what}: {one.detail}" for one in fsck(repo).problems]
            return -1
        with opened(self.root, Steps(), salvage=hurt) as repo:
            if hurt:
                result = repair(repo, str(self.hub))
                problems += [f"repair: {one.what}: {one.detail}" for one in result.left]
            number, id = repo.state.operation.number, str(repo.state.id)
            settle_first = settle(repo).problems
            if not settle_first and id in self._truth and answers(repo) != self._truth[id]:
                problems.append("the answers are others")
            self._look(repo, problems)
        return number

    def _look(self, repo: Repository, problems: list[str]) -> None:
        problems += [f"{slot} cannot be settled: {error.message}" for slot, error in settle(repo).problems]
        problems += [f"{slot} is not settled" for slot in unsettled(repo)]
        found = fsck(repo).problems
        if found and all(one.repairable and one.what in SLOTS for one in found):
            set_ref(repo, "tag", "settles", "HEAD")  # the next operation writes that slot
            found = fsck(repo).problems
        problems += [f"fsck: {one.what}: {one.detail}" for one in found]

    def _hub(self, problems: list[str]) -> int:
        if not os.path.lexists(self.hub / "format"):
            return -1
        with opened(self.hub, Steps()) as hub:
            problems += [f"hub: {one.what}: {one.detail}" for one in fsck(hub).problems]
            return hub.state.operation.number

    def go_on(self, act: Act) -> tuple[str, ...]:
        """Give the command again that the cut interrupted, and look once more."""
        problems: list[str] = []

        def again() -> None:
            if act is INIT:
                Repository.init(self.root, actor="ana", clock=Steps())[0].close()
            else:
                with opened(self.root, Steps(day=2), salvage=act.hurt) as repo:
                    act.run(repo)
            with opened(self.root, Steps(day=3)) as repo:
                self._look(repo, problems)
                answers(repo)
            self._hub(problems)

        _quietly(again, problems, f"{act.name}, again")
        return tuple(problems)


def _quietly(do: Callable[[], _T], problems: list[str], what: str) -> _T | None:
    try:
        return do()
    except (MlverError, OSError) as error:
        problems.append(f"{what}: {error}")
        return None
