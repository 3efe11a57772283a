"""A stage moved back and forth, often killed in the middle, before the eyes of a reader that serves from it.

    python -m tests.fault.swaps [SWAPS] [KILLS] [SEED]

The reader does what a serving process does: it resolves the link of the stage once and reads every file below what it
found, a thousand times a second as far as the machine lets it. Each file names its version; whatever is read must be
byte for byte one bundle that was ever committed. Prints one line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from functools import cache
from pathlib import Path

from mlver.repo.repository import Repository
from mlver.verbs.fsck import fsck
from tests.fault.processes import Child, Ended, mlver, spawn, warmed

SEED = 53
_SIZES = {"config/pipeline.json": 90, "rules/rules.json": 4_000, "models/a.bin": 20_000, "models/b.bin": 70_000}
_NEW = 25  # swaps after which a bundle that was never on disk comes in
_LINK = ".mlver/releases/prod/all/current"


@cache
def bundle(version: int) -> dict[str, bytes]:
    """The files of one version: each of them says which, over and over."""
    found = {}
    for path, size in _SIZES.items():
        line = json.dumps({"version": version, "path": path}).encode() + b"\n"
        found[path] = line if path.endswith("json") else line * (size // len(line))
    return found


def read_once(link: Path) -> int:
    """Read what the stage serves; return its version. AssertionError when it is no bundle, OSError when it is gone."""
    folder = link.parent / os.readlink(link)  # once: it may move on while we read
    read = {path: (folder / path).read_bytes() for path in _SIZES}
    version = int(json.loads(read["config/pipeline.json"])["version"])
    wrong = [path for path, data in read.items() if data != bundle(version)[path]]
    assert not wrong, f"mixed: config of version {version}, but other {wrong}"
    return version


def watch(link: Path) -> None:
    """Read a thousand times a second until told to end; print what was seen."""
    count: Counter[str] = Counter()
    ended = False

    def end(*_: object) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    begun = due = time.monotonic()
    while not ended:
        try:
            count[f"version {read_once(link)}"] += 1
        except (OSError, ValueError, AssertionError) as error:
            count[f"WRONG: {type(error).__name__}: {error}"] += 1
        count["reads"] += 1
        due = max(due + 0.001, time.monotonic() - 0.01)
        time.sleep(max(0.0, due - time.monotonic()))
    print(json.dumps(count | {"seconds": time.monotonic() - begun}))


class Swaps:
    """The campaign. `wrong` lists violations."""

    def __init__(self, swaps: int, kills: int, seed: int) -> None:
        self.wanted, self.kills, self.seed = swaps, kills, seed
        self.rnd = random.Random(seed)
        self.wrong: list[str] = []
        self.done = self.killed = self.versions = 0
        self.seen: Counter[str] = Counter()
        self._times: list[float] = [0.05]

    def run(self) -> None:
        """Move the stage; judge after each move."""
        with tempfile.TemporaryDirectory() as folder, warmed("promote prod HEAD", "rollback prod --to HEAD"):
            root = Path(folder)
            self._say(root, "init")
            for _ in range(2):
                self._commit(root)
            self._say(root, "promote prod v1")
            reader = spawn(lambda: watch(root / _LINK))
            try:
                at = 1
                while self.done < self.wanted or self.killed < self.kills:
                    at = self._swap(root, at)
            finally:
                os.kill(reader.pid, signal.SIGTERM)
                self._judge_reader(reader.wait())
            with Repository.open(root) as repo:
                self.wrong += [f"fsck: {found.what}: {found.detail}" for found in fsck(repo).problems]

    def _say(self, root: Path, line: str) -> None:
        ended = mlver(root, line.split()).wait()
        assert ended.code == 0, (line, ended)

    def _commit(self, root: Path) -> None:
        self.versions += 1
        for path, data in bundle(self.versions).items():
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_bytes(data)
        self._say(root, f"commit -m v{self.versions}")
        self._say(root, f"tag v{self.versions}")

    def _swap(self, root: Path, at: int) -> int:
        """Move the stage from version `at` to another; return which one is live."""
        self.done += 1
        if self.done % _NEW == 0:
            self._commit(root)
            to = self.versions
        else:
            to = self.rnd.choice([n for n in range(max(1, self.versions - 1), self.versions + 1) if n != at])
        words = ["promote", "prod", f"v{to}"] if to > at else ["rollback", "prod", "--to", f"v{to}"]
        child = mlver(root, ["-q", *words])
        left = self.wanted - self.done + 1
        kill = self.rnd.random() < 1.25 * (self.kills - self.killed) / max(left, 1)
        ended = self._kill(child) if kill else child.wait()
        self.killed += ended.killed
        where = f"seed {self.seed}, swap {self.done}, {' '.join(words)}"
        if ended.code == 0:
            self._times = [*self._times[-50:], ended.seconds]
        if not ended.killed and ended.code != 0:
            self.wrong.append(f"{where}: exit {ended.code}: {ended.err.strip()}")
        if ended.killed and self.rnd.random() < 0.3:  # else the next move settles it
            self._say(root, "deployed prod")
        with Repository.open(root) as repo:
            live = repo.commit(repo.view.stages["prod"][""].commit).message
        now = read_once(root / _LINK)
        if (
            live not in (f"v{at}", f"v{to}")
            or now not in (at, to)
            or (ended.code == 0 and (live, now) != (f"v{to}", to))
        ):
            self.wrong.append(f"{where}: from {at} to {to}: the log says {live}, served is {now}, exit {ended.code}")
        return int(live[1:])

    def _kill(self, child: Child) -> Ended:
        return child.kill(self.rnd.uniform(0.05, 1.05) * statistics.median(self._times))

    def _judge_reader(self, ended: Ended) -> None:
        if ended.code:
            self.wrong.append(f"the reader ended with {ended.code}: {ended.err}")
            return
        self.seen = Counter(json.loads(ended.out))
        self.wrong += [f"{text} ({times} times)" for text, times in self.seen.items() if text.startswith("WRONG")]
        versions = sum(name.startswith("version") for name in self.seen)
        if versions < 2:
            self.wrong.append(f"the reader saw {versions} version")


def main(words: list[str]) -> int:
    """Run the campaign; the exit code is 1 when anything was violated."""
    numbers = [int(word) for word in words] + [1000, 200, SEED][len(words) :]
    start = time.monotonic()
    swaps = Swaps(*numbers)
    swaps.run()
    figures = {
        "campaign": "swaps",
        "rounds": swaps.done,
        "kills": swaps.killed,
        "reads": swaps.seen["reads"],
        "reads a second": round(swaps.seen["reads"] / max(swaps.seen["seconds"], 0.001)),
        "violations": len(swaps.wrong),
        "first": swaps.wrong[:5],
        "seed": swaps.seed,
        "seconds": round(time.monotonic() - start),
    }
    print(json.dumps(figures))
    return 1 if swaps.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
