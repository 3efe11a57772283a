"""Repair beside things that are no damage: pipes and links among the packs, operations that a crash left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlver.errors import LocalIO, UsageError
from mlver.repo.head import write_operation
from mlver.repo.refs import BRANCH
from mlver.repo.repository import Repository
from mlver.verbs.branch import set_ref
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


def _folder(place: Path) -> None:
    place.mkdir()
    (place / "mine.txt").write_text("work")


THINGS: dict[str, Callable[[Path], None]] = {
    "a named pipe": os.mkfifo,
    "a folder": _folder,
    "a link": lambda place: place.symlink_to("elsewhere"),
}


@pytest.mark.parametrize("slots", [("head.0",), ("head.1",), ("head.0", "head.1")])
@pytest.mark.parametrize("thing", THINGS)
def test_what_stands_in_place_of_a_slot_is_set_aside_whole_and_the_slot_written_anew(
    root: Path, thing: str, slots: tuple[str, ...]
) -> None:
    with opened(root) as repo:
        head = repo.state.id
    sound = [(root / ".mlver/head.0").read_bytes(), (root / ".mlver/head.1").read_bytes()]
    for slot in slots:
        (root / ".mlver" / slot).rename(root / ".mlver/elsewhere")  # which the link leads to: it is not followed
        THINGS[thing](root / ".mlver" / slot)
    if len(slots) == 1:
        with Repository.open(root) as repo:
            assert repo.state.id == head, "the other slot, and the operations, tell what is the newest"
    with opened(root) as repo:
        found = fsck(repo).problems
        assert [(one.what, one.detail) for one in found] == [(slot, f"{thing} stands here") for slot in slots]
        assert all(one.repairable for one in found)
        planned = repair(repo, dry_run=True)
        result = repair(repo)
    assert result.ok and planned.ok and planned.mended == result.mended
    how = f"{thing} set aside; written anew from the operations"
    assert [(one.what, one.how) for one in result.mended] == [(slot, how) for slot in slots]
    assert [(root / ".mlver/head.0").read_bytes(), (root / ".mlver/head.1").read_bytes()] == sound
    aside = sorted((root / ".mlver/quarantine").iterdir())
    assert [path.name.rpartition("-")[0] for path in aside] == list(slots)
    if thing == "a folder":
        assert {(path / "mine.txt").read_text() for path in aside} == {"work"}
    assert not list((root / ".mlver").glob(".tmp-*")) and fsck(opened(root)).ok


@pytest.mark.parametrize("thing", THINGS)
def test_who_writes_beside_what_stands_in_place_of_a_slot_loses_nothing(root: Path, thing: str) -> None:
    with opened(root) as repo:
        slot = root / f".mlver/head.{(repo.state.operation.number + 1) % 2}"
    slot.rename(root / ".mlver/elsewhere")
    THINGS[thing](slot)
    with Repository.open(root, actor="ana") as repo:
        if thing == "a folder":
            with pytest.raises(LocalIO, match=rf"{slot.name}: a folder stands here") as caught:
                set_ref(repo, BRANCH, "new")
            assert caught.value.hint == "mlver repair" and (slot / "mine.txt").exists()
            assert repair(repo).ok
        set_ref(repo, BRANCH, "new")
    with Repository.open(root) as repo:
        assert "new" in repo.view.branches and fsck(repo).ok


@pytest.mark.parametrize("thing", THINGS)
def test_what_stands_in_place_of_an_operation_is_set_aside_for_the_copy(root: Path, scene: Path, thing: str) -> None:
    with opened(root) as repo:
        parent = repo.state.operation.parent
    place = root / f".mlver/ops/{parent}"
    sound = place.read_bytes()
    place.unlink()
    THINGS[thing](place)
    with opened(root) as repo:
        assert [one.what for one in fsck(repo).problems] == ["operation log"]
        assert repair(repo, scene / "repo").ok and place.read_bytes() == sound
    assert len(list((root / ".mlver/quarantine").iterdir())) == 1


@pytest.mark.parametrize("thing", ["a named pipe", "a folder"])
def test_what_stands_in_place_of_the_settings_keeps_nobody_from_mending(root: Path, thing: str) -> None:
    place = root / ".mlver/config.toml"
    THINGS[thing](place)
    with opened(root) as repo:
        with pytest.raises(UsageError, match=r"config\.toml: not a regular file"):
            repo.settings.get("symlinks")
        (problem,) = fsck(repo).problems
        assert (problem.what, problem.repairable) == ("config.toml", True) and problem.detail.startswith(thing)
        assert [one.what for one in repair(repo, dry_run=True).mended] == ["config.toml"] and os.path.lexists(place)
        assert repair(repo).ok
    assert not os.path.lexists(place) and len(list((root / ".mlver/quarantine").iterdir())) == 1
    (root / "mine.toml").write_text("symlinks = 'store'\n")
    place.symlink_to("../mine.toml")
    with opened(root) as repo:
        assert fsck(repo).ok and repair(repo).ok and repo.settings.get("symlinks") == "store"


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


def test_a_dry_run_counts_on_a_head_that_the_copy_brings_back(root: Path, scene: Path) -> None:
    with opened(root) as repo:
        (root / f".mlver/ops/{repo.state.id}").unlink()
    write(packs(root)[-1], zero(200, 2000))
    with opened(root) as repo:
        planned = repair(repo, scene / "copy", dry_run=True)
        done = repair(repo, scene / "copy")
    assert done.ok and planned.ok, planned.left
    assert [path.split("/")[0] for path in planned.quarantine] == ["packs"]


def test_a_dry_run_counts_on_a_head_of_which_one_bit_turned(root: Path) -> None:
    with opened(root) as repo:
        newest = root / f".mlver/ops/{repo.state.id}"
    write(newest, flip(len(newest.read_bytes()) // 2))
    write(root / ".mlver/head.0", zero(0, 8))
    with opened(root) as repo:
        planned = repair(repo, None, dry_run=True)
        done = repair(repo, None)
    assert done.ok and planned.ok, planned.left
    assert {one.what for one in planned.mended} == {one.what for one in done.mended}
