"""Small things that say they are giant: each is refused, or read as plain bytes, in a second and 256 MB.

`python -m tests.fault.bombs [NAME...]`. Each bomb goes off in a child of its own, whose memory is limited: a file is
committed, compared and shown; a repository is opened and read in every way. Measured are the processor seconds of each
step, and by how much the child grew beyond what it was before.
"""

from __future__ import annotations

import gc
import io
import json
import os
import re
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from mlver.errors import MlverError
from mlver.repo.repository import Repository
from mlver.verbs.commit import commit
from mlver.verbs.diff import diff
from mlver.verbs.show import show
from mlver.verbs.status import status
from tests.fault.bomb_files import FILES, starts
from tests.fault.bomb_repositories import REPOSITORIES, steps_of
from tests.kit import Bench

MIB = 1 << 20
SECONDS, MEMORY = 1.0, 256 * MIB
_ROOM = 3 << 30  # bytes of addresses beyond those in use; who asks for more is told that there is none
_WARM = ("mlver.kinds.data", "mlver.kinds.model", "mlver.kinds.rules", "mlver.kinds.config", "mlver.kinds.code")
Step = tuple[str, Callable[[], object]]


@dataclass
class Seen:
    """What one bomb cost: the slowest step in processor seconds, the growth in bytes, and what was wrong."""

    name: str
    seconds: float
    grown: int
    problems: list[str]
    said: str


def base(folder: Path) -> None:
    """Make the repository that the bombs are thrown at: one good file of every format."""
    bench = Bench(folder)
    for path, data in starts().items():
        bench.write(path, data)
    bench.commit("good")
    bench.write("data/t.csv", "id,x\n1,2\n")
    bench.commit("two")
    bench.repo.close()


def file_steps(root: Path, name: str) -> list[Step]:
    """Return what is done with a file that is a bomb."""
    path, make = FILES[name]
    target = root / path
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(make())
    repo = Repository.open(root, actor="ana")
    gc.collect()
    return [
        ("commit", lambda: commit(repo, "bomb")),
        ("diff", lambda: [a.unreadable for a in diff(repo, "HEAD~1", "HEAD").artifacts]),
        ("show", lambda: show(repo, path)),
        ("status", lambda: status(repo)),
    ]


def explode(name: str, scene: Path, folder: Path) -> Seen:
    """Let one bomb go off in a child, and return what it cost."""
    root = folder / "w"
    shutil.copytree(scene, root, symlinks=True)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            told = _measured(name, root)
            os.write(write, json.dumps(told).encode()[:60_000])
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as stream:
        data = stream.read()
    status_ = os.waitpid(child, 0)[1]
    shutil.rmtree(folder)
    if not data:
        return Seen(name, 0, 0, [f"died: {os.waitstatus_to_exitcode(status_)}"], "")
    seconds, grown, problems, said = json.loads(data)
    return Seen(name, seconds, grown, problems, said)


def _measured(name: str, root: Path) -> tuple[float, int, list[str], str]:
    silent = io.StringIO()
    with redirect_stdout(silent), redirect_stderr(silent):
        steps = file_steps(root, name) if name in FILES else steps_of(name, root)
        before = _peak(reset=True)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + _ROOM, used + _ROOM))
        slowest, problems, said = 0.0, list[str](), list[str]()
        for what, step in steps:
            begun = time.process_time()
            try:
                said.append(f"{what}: {step()!r}"[:160])
            except MlverError as error:
                said.append(f"{what}: {type(error).__name__} {error.message}"[:160])
                if not error.message.isprintable():
                    problems.append(f"{what}: not one line")
            except BaseException as error:  # noqa: BLE001 - what comes out is the finding
                problems.append(f"{what}: {type(error).__name__} {error} {traceback.format_exc()[-400:]}")
            spent = time.process_time() - begun
            slowest = max(slowest, spent)
            if spent > SECONDS:
                problems.append(f"{what}: {spent:.1f} s")
    grown = _peak() - before
    if grown > MEMORY:
        problems.append(f"grew by {grown >> 20} MB")
    return slowest, grown, problems, "; ".join(said)


def _peak(*, reset: bool = False) -> int:
    """The most memory this process alone ever had, in bytes; `ru_maxrss` begins with the parent's."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def campaign(names: list[str], tell: Callable[[Seen], object] = lambda seen: None) -> list[Seen]:
    """Let these bombs go off, one after another."""
    for module in _WARM:
        __import__(module)
    with tempfile.TemporaryDirectory(prefix="bombs-") as place:
        scene = Path(place) / "scene"
        child = os.fork()  # Arrow starts threads when it is used, and those do not survive a fork
        if child == 0:
            base(scene)
            os._exit(0)
        os.waitpid(child, 0)
        found: list[Seen] = []
        for name in names:
            found.append(explode(name, scene, Path(place) / "round"))
            tell(found[-1])
        return found


EVERY = [*FILES, *REPOSITORIES]

if __name__ == "__main__":
    begun = time.monotonic()
    verbose = "-v" in sys.argv
    wanted = [word for word in sys.argv[1:] if word != "-v"]

    def tell(one: Seen) -> None:
        if one.problems or verbose:
            cost = f"{one.seconds:.2f} s, {one.grown >> 20} MB"
            print(f"{one.name}: {cost}; {'; '.join(one.problems)} | {one.said[:700]}", flush=True)

    results = campaign([name for name in EVERY if not wanted or any(word in name for word in wanted)], tell)
    worst = max(one.seconds for one in results), max(one.grown for one in results) >> 20
    bad = sum(bool(one.problems) for one in results)
    print(
        f"{len(results)} bombs, {bad} violations, at most {worst[0]:.2f} s and {worst[1]} MB,"
        f" {time.monotonic() - begun:.0f} s"
    )
    sys.exit(bool(bad))
