"""Repair beside things that are no damage: pipes and links among the packs, operations that a crash left."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mlver.repo.head import write_operation
from mlver.verbs.fsck import fsck
from mlver.verbs.repair import repair
from tests.verbs.test_repair import flip, opened, packs, root, scene, write, zero

__all__ = ["root", "scene"]


@pytest.mark.parametrize("thing", ["pipe", "link"])
@pytest.mark.parametrize("where", ["beside", "instead"])
def test_what_is_no_file_among_the_packs_is_named_and_left_alone(
    root: Path, scene: Path, tmp_path: Path, thing: str, where: str
) -> None:
    place = packs(root)[-1] if where == "instead" else root / ".mlver/packs" / f"{'a' * 64}.pack"
    if where == "instead":
        place.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").touch()
    os.mkfifo(place) if thing == "pipe" else place.symlink_to(tmp_path / "elsewhere")
    with opened(root) as repo:
        planned = repair(repo, scene / "copy", dry_run=True)
        result = repair(repo, scene / "copy")
    assert [(one.what, one.detail) for one in result.left] == [(f"packs/{place.name}", "not a pack; left alone")]
    assert [one.what for one in planned.left] == [f"packs/{place.name}"]
    assert place.is_fifo() or place.is_symlink()
    place.unlink()
    assert fsck(opened(root)).ok


def test_one_damaged_slot_beside_an_operation_that_a_crash_left_is_mended(root: Path) -> None:
    with opened(root) as repo:
        seen = repo.state
        left = replace(seen.operation, command="promote prod, and killed")
        write_operation(repo.storage, left)
    slot = root / f".mlver/head.{seen.operation.number % 2}"
    sound = slot.read_bytes()
    write(slot, flip(40))
    with opened(root) as repo:
        assert repo.state.id == seen.id and not fsck(repo).ok
        assert repair(repo).ok and slot.read_bytes() == sound


def test_where_nothing_is_left_of_the_slot_fsck_and_repair_go_on_and_name_what_could_be_the_newest(root: Path) -> None:
    with opened(root) as repo:
        seen = repo.state
        left, _ = write_operation(repo.storage, replace(seen.operation, command="promote prod, and killed"))
    slot = root / f".mlver/head.{seen.operation.number % 2}"
    sound, spoilt = slot.read_bytes(), write(slot, zero(0, 200))
    with opened(root) as repo:
        (problem,) = [one for one in repair(repo).left if one.what == "head"]
        assert problem == next(one for one in fsck(repo).problems if one.what == "head")
    assert left.short in problem.detail and seen.id.short in problem.detail and not problem.repairable
    assert slot.read_bytes() == spoilt, "nobody guessed"
    (root / f".mlver/ops/{left}").unlink()
    with opened(root) as repo:
        assert repair(repo).ok and slot.read_bytes() == sound


def test_a_dry_run_promises_nothing_that_waits_for_a_head(root: Path) -> None:
    with opened(root) as repo:
        newest = root / f".mlver/ops/{repo.state.id}"
    for path in (newest, root / ".mlver/head.0", root / ".mlver/head.1"):
        write(path, zero(0, 100))
    write(packs(root)[-1], zero(200, 2000))
    shutil.rmtree(root / ".mlver/releases")
    with opened(root) as repo:
        planned = repair(repo, dry_run=True)
        assert planned.quarantine == () and planned.mended == ()
        done = repair(repo)
    assert done.quarantine == () and done.mended == () and not done.ok
    for result in (planned, done):
        assert {"head.0", "head.1", "what prod serves"} <= {one.what for one in result.left}
