"""Folders and files swapped for links, by another process, while files are checked out: nothing is written outside.

`python -m tests.fault.link_swaps [SWAPS [SEED]]`. The other process exchanges a folder of the work tree, of a clone in
the making or of a release being written with a link that leads out, atomically (`renameat2`), waits a moment and puts
it back. Meanwhile restore, switch, promote, rollback and clone run, half of them without `openat2`. A swap counts when
it happened inside of a command. Somebody else's files, that the links lead to, must keep inode, times and bytes.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from mlver.errors import MlverError
from mlver.repo.repository import Repository
from mlver.storage import openat2
from mlver.verbs.branch import set_ref
from mlver.verbs.clone import clone
from mlver.verbs.promote import promote, rollback
from mlver.verbs.restore import restore
from mlver.verbs.switch import switch
from tests.kit import Bench

_EXCHANGE, _HERE = 2, -100
_COUNTS = struct.Struct("<QQ")  # swaps while a command ran; whether one runs
_LONGEST = 300  # commands
_FILES = 6


@dataclass
class Result:
    """How many swaps and commands there were, how many commands were refused, and what was wrong."""

    swaps: int = 0
    commands: int = 0
    refused: int = 0
    problems: list[str] = field(default_factory=list)


class Place:
    """A work tree `w`, files `outside` that belong to somebody else, and room for clones."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root, self.outside = folder, folder / "w", folder / "outside"
        bench = Bench(self.root)
        for version in "12":
            for number in range(_FILES):
                bench.write(f"data/f{number}.csv", f"id,x\n{number},{version}\n")
                bench.write(f"data/deep/er/f{number}.csv", f"id,x\n{number},{version}{version}\n")
            bench.commit(f"v{version}")
            promote(bench.repo, "prod", reason="r")
            set_ref(bench.repo, "branch", f"b{version}", "HEAD")
        bench.repo.close()
        for name in ("deep/er", "er"):
            (self.outside / name).mkdir(parents=True)
        for path in ("f0.csv", "kept", "deep/f0.csv", "deep/er/f0.csv", "er/f0.csv"):
            (self.outside / path).write_text(f"kept: {path}\n")
        self.before = self.look()

    def look(self) -> dict[str, object]:
        """Return all that is outside, with inode, times and bytes."""
        found: dict[str, object] = {}
        for folder, folders, names in os.walk(self.outside):
            for name in [*folders, *names]:
                path = Path(folder) / name
                info = path.lstat()
                found[str(path)] = (info.st_ino, info.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        return found

    def victims(self) -> list[Path]:
        """Return what is worth swapping just now."""
        below = ("data", "data/deep", "data/deep/er", "data/f0.csv", "data/deep/er/f0.csv")
        store = self.root / ".mlver/releases/.store"
        with contextlib.suppress(OSError):
            releases = [path for path in store.iterdir() if path.is_dir()]
            return [base / path for base in (self.root, self.folder / "copy", *releases) for path in below]
        return []


def swapping(place: Place, counts: mmap.mmap, seed: int) -> None:
    """Swap for ever; the life of the other process."""
    rename = ctypes.CDLL(None, use_errno=True).renameat2
    rnd = random.Random(seed)
    spare = place.folder / "spare"

    def exchange(victim: Path) -> bool:
        names = (os.fsencode(name) for name in (victim, spare))
        return bool(rename(_HERE, next(names), _HERE, next(names), _EXCHANGE) == 0)

    swaps = 0
    while True:
        victims = place.victims()
        for victim in rnd.sample(victims, min(4, len(victims))):
            target = place.outside / ("kept" if victim.suffix else rnd.choice((".", "deep")))
            with contextlib.suppress(OSError):
                _clear(spare)
                spare.symlink_to(target)
            running = _COUNTS.unpack_from(counts)[1]
            if not exchange(victim):
                continue
            time.sleep(rnd.random() * 0.001)
            swaps += bool(running and _COUNTS.unpack_from(counts)[1])
            struct.pack_into("<Q", counts, 0, swaps)
            exchange(victim)
            time.sleep(rnd.random() * 0.0003)


def _clear(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _acts(place: Place) -> Iterator[Callable[[], object]]:
    """Yield commands for ever."""

    def opened(act: Callable[[Repository], object]) -> Callable[[], object]:
        def run() -> None:
            repo = Repository.open(place.root, actor="ana")
            try:
                act(repo)
            finally:
                repo.close()

        return run

    while True:
        for _ in range(4):
            yield opened(lambda repo: restore(repo, rev="HEAD~1", force=True))
            yield opened(lambda repo: restore(repo, rev="HEAD", force=True))
        yield opened(lambda repo: switch(repo, "b1"))
        yield opened(lambda repo: switch(repo, "main"))
        yield opened(lambda repo: restore(repo, rev="HEAD", to=place.folder / "copy", force=True))
        yield lambda: _clear(place.folder / "copy")
        yield lambda: clone(place.root, place.folder / "copy", actor="ben")
        yield opened(lambda repo: rollback(repo, "prod", reason="r"))
        yield lambda: _drop_releases(place)
        yield opened(lambda repo: promote(repo, "prod", "b2", reason="r"))
        yield lambda: _clear(place.folder / "copy")


def _drop_releases(place: Place) -> None:
    """Leave the live release alone on disk, so that the next promotion writes one."""
    base = place.root / ".mlver/releases"
    live = os.readlink(base / "prod/all/current").rpartition("/")[2]
    for path in (base / ".store").iterdir():
        if path.name != "lock" and not path.name.startswith(live):
            _clear(path)


def campaign(swaps: int, seed: int = 0, most: int = 20) -> Result:
    """Run commands until so many swaps happened inside of one, or `most` things went wrong; return what was seen.

    Some commands are refused and some get through: it goes on until both were seen, for a while.
    """
    result = Result()
    counts = mmap.mmap(-1, _COUNTS.size)
    with tempfile.TemporaryDirectory(prefix="swaps-") as base:
        place = Place(Path(base))
        child = os.fork()
        if child == 0:
            try:
                swapping(place, counts, seed)
            finally:
                os._exit(1)
        try:
            for number, act in enumerate(_acts(place)):
                mixed = 0 < result.refused < result.commands or result.commands >= _LONGEST
                if (result.swaps >= swaps and mixed) or len(result.problems) >= most:
                    break
                _one(act, counts, result, walk=bool(number // 21 % 2))
                if place.look() != place.before:
                    result.problems.append(f"command {number}, seed {seed}: something outside changed")
                    place.before = place.look()
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return result


def _one(act: Callable[[], object], counts: mmap.mmap, result: Result, *, walk: bool) -> None:
    way = patch.object(openat2, "opener", lambda: None) if walk else contextlib.nullcontext()
    struct.pack_into("<Q", counts, 8, 1)
    try:
        with way:
            act()
    except MlverError:
        result.refused += 1
    except OSError:  # of the rig's own tidying
        pass
    finally:
        struct.pack_into("<Q", counts, 8, 0)
    result.commands += 1
    result.swaps = _COUNTS.unpack_from(counts)[0]


if __name__ == "__main__":
    begun = time.monotonic()
    wanted, seed = (int(word) for word in [*sys.argv[1:], *("10000", "0")[len(sys.argv) - 1 :]])
    seen = campaign(wanted, seed)
    print(*seen.problems, sep="\n")
    print(
        f"{seen.swaps} swaps inside of {seen.commands} commands, {seen.refused} of them refused,"
        f" {len(seen.problems)} violations, seed {seed}, {time.monotonic() - begun:.0f} s"
    )
    sys.exit(bool(seen.problems))
