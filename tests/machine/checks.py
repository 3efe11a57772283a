"""What is looked at after each step and at the end; and damage to caches, which nobody may notice."""

from __future__ import annotations

import random
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

from tests.kit import START
from tests.machine import compare
from tests.machine.files import Files
from tests.machine.plain import View
from tests.machine.world import Side, World


def check_now(side: Side, before: tuple[View, Files]) -> None:
    """After each step: views are compared already; now the links of stages, and `status` if it may have changed."""
    copy, (view, work) = side.copy, before
    if side.repo.repository.bare:
        return
    compare.stages(copy, side.repo.repository, read=copy.view.stages != view.stages)
    if copy.work != work or (copy.view.head, copy.view.merging) != (view.head, view.merging):
        compare.status(copy, side.repo)


def check_all(world: World, side: Side) -> None:
    """At the end: everything."""
    side.reopen()
    copy, real = side.copy, side.repo.repository
    problems = side.repo.fsck().problems
    assert not problems, problems
    compare.history(copy, side.repo)
    compare.facts(copy, real)
    compare.operations(copy, side.repo)
    rnd = random.Random(copy.number)
    for slot in copy.lines:
        at = START + timedelta(seconds=rnd.uniform(0, (world.clock.moment - START).total_seconds()))
        compare.served_at(copy, side.repo, *slot, at)
    if real.bare:
        return
    compare.status(copy, side.repo)
    compare.stages(copy, real, read=True)
    for path in ("config/app.json", "data/table.csv"):
        compare.blame(copy, side.repo, path)


def damage_cache(folder: Path, how: str, seed: int) -> None:
    """Remove the folder of caches, or damage one file in it."""
    rnd = random.Random(seed)
    found = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    if how == "gone":
        shutil.rmtree(folder, ignore_errors=True)
    elif found:
        path = rnd.choice(found)
        data = bytearray(path.read_bytes())
        if how == "cut":
            del data[rnd.randrange(len(data) + 1) :]
        elif data:
            at = rnd.randrange(len(data))
            data[at : at + 200] = rnd.randbytes(min(200, len(data) - at))
        path.write_bytes(data)


def new_folder() -> Path:
    """Return a folder for runs, in memory where there is a place for that."""
    shm = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="machine-", dir=shm if shm.is_dir() else None))
