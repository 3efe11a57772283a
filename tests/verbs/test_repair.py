"""Repair: what is left and what a copy holds make all good again; nothing is deleted, and nothing is made up."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlver.errors import Conflict, Damaged, MlverError, RemoteError, UsageError
from mlver.repo.condemning import alone, settle_condemned
from mlver.repo.generation import trash_key
from mlver.repo.remote import add_remote_setting
from mlver.repo.repository import Repository
from mlver.testing import FaultyCalls, Killed, faulty_calls
from mlver.verbs.clone import clone
from mlver.verbs.commit import commit
from mlver.verbs.fsck import fsck
from mlver.verbs.gc import gc
from mlver.verbs.promote import promote
from mlver.verbs.repair import repair
from mlver.verbs.undo import op_log
from tests.fault.damage import still
from tests.gc.between import CHANGES, between
from tests.gc.world import noise
from tests.kit import Bench

NOW = datetime(2024, 6, 1, tzinfo=UTC)
CHANGING = ("open", "write", "fsync", "rename", "link", "unlink", "mkdir")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`repo`, and `copy`, a clone of it."""
    folder = tmp_path_factory.mktemp("repair")
    with still():
        bench = Bench(folder / "repo")
        bench.write("data/t.csv", "id,x\n1,2\n")
        bench.write("models/m.bin", noise(1, 30_000))
        bench.commit("v1")
        promote(bench.repo, "prod")
        bench.write("models/big.bin", noise(2, 300_000))
        bench.commit("v2")
        bench.repo.close()
    clone(folder / "repo", folder / "copy", actor="ben")
    return folder


@pytest.fixture
def root(scene: Path, tmp_path: Path) -> Path:
    """A copy of `repo`, without the large model in its work tree."""
    shutil.copytree(scene / "repo", tmp_path / "repo", symlinks=True)
    (tmp_path / "repo/models/big.bin").unlink()
    return tmp_path / "repo"


def opened(root: Path) -> Repository:
    return Repository.open(root, actor="ana", clock=lambda: NOW, salvage=True)


def packs(root: Path) -> list[Path]:
    """All packs, the largest last."""
    return sorted((root / ".mlver/packs").iterdir(), key=lambda path: path.stat().st_size)


def write(path: Path, change: Callable[[bytearray], None]) -> bytes:
    """Change the bytes of a file; return them."""
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return bytes(data)


def flip(at: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[at] ^= 4

    return change


def zero(start: int, end: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[start:end] = bytes(end - start)

    return change


def test_a_sound_repository_is_left_as_it_is(root: Path) -> None:
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file() and "cache" not in p.parts}
    with opened(root) as repo:
        result = repair(repo)
    assert result.ok and not result.changed
    after = {
        p: p.read_bytes() for p in root.rglob("*") if p.is_file() and p.name != "gc.lock" and "cache" not in p.parts
    }
    assert after == before


@pytest.mark.parametrize("where", ["header", "payload", "checksum", "table", "footer", "pack header"])
def test_one_flipped_bit_is_put_right_without_any_copy(root: Path, where: str) -> None:
    pack = packs(root)[0]
    size = pack.stat().st_size
    at = {"pack header": 3, "header": 40, "payload": 85, "table": size - 80, "footer": size - 5}
    length = int.from_bytes(pack.read_bytes()[24:32], "little")
    at["checksum"] = 16 + 64 + length + 2
    damaged = write(pack, flip(at[where]))
    with opened(root) as repo:
        assert not fsck(repo).ok
        result = repair(repo)
    assert result.ok and result.quarantine and fsck(opened(root)).ok
    assert (root / ".mlver" / result.quarantine[0]).read_bytes() == damaged, "set aside, not deleted"
    assert not pack.exists()


def test_the_note_says_when_by_whom_and_why(root: Path) -> None:
    name = packs(root)[-1].stem
    write(packs(root)[-1], zero(1000, 5000))
    with opened(root) as repo:
        (key,) = repair(repo).quarantine
        last = next(iter(op_log(repo).operations))
    note = json.loads((root / ".mlver" / key.replace(".pack", ".json")).read_text())
    assert (note["was"], note["at"], note["by"]) == (f"packs/{name}.pack", "2024-06-01T00:00:00Z", "ana")
    assert any("checksum" in why for why in note["why"]) and any("not brought back" in why for why in note["why"])
    assert last.command == "repair: 1 damaged pack set aside"


def test_what_no_copy_has_is_listed_with_what_it_hurts_and_comes_back_later(root: Path, scene: Path) -> None:
    write(packs(root)[-1], zero(1000, 5000))
    with opened(root) as repo:
        result = repair(repo)
        assert not result.ok
        assert [hurt.rpartition(": ")[2] for problem in result.left for hurt in problem.hurts] == ["models/big.bin"]
        assert {one.path for one in fsck(repo).artifacts} == {"models/big.bin"}
    with opened(root) as repo:
        again = repair(repo, scene / "copy")
        assert again.ok and again.taken == {str(scene / "copy"): 1} and not again.quarantine
        assert repo.head_snapshot().source("models/big.bin").open().read() == noise(2, 300_000)


def test_the_very_file_in_the_work_tree_is_a_good_copy(root: Path, scene: Path) -> None:
    shutil.copy(scene / "repo/models/big.bin", root / "models/big.bin")
    write(packs(root)[-1], zero(1000, 5000))
    with opened(root) as repo:
        result = repair(repo)
        assert result.ok and result.taken == {"files on this disk": 1}
        assert repo.head_snapshot().source("models/big.bin").open().read() == noise(2, 300_000)


def test_another_file_of_that_name_is_none(root: Path) -> None:
    (root / "models/big.bin").write_bytes(noise(3, 300_000))
    write(packs(root)[-1], zero(1000, 5000))
    with opened(root) as repo:
        assert not repair(repo).ok
    os.unlink(root / "models/big.bin")
    os.mkfifo(root / "models/big.bin")
    with opened(root) as repo:
        assert not repair(repo).ok


def test_a_dry_run_says_the_same_and_changes_nothing(root: Path, scene: Path) -> None:
    write(packs(root)[-1], zero(1000, 9000))
    write(root / ".mlver/head.0", flip(9))
    before = {p: p.read_bytes() for p in (root / ".mlver").rglob("*") if p.is_file() and "cache" not in p.parts}
    with opened(root) as repo:
        alone_, planned = repair(repo, dry_run=True), repair(repo, scene / "copy", dry_run=True)
        assert {p: p.read_bytes() for p in before} == before and not (root / ".mlver/quarantine").exists()
        assert not alone_.ok and planned.ok
        done = repair(repo, scene / "copy")
    assert (done.ok, done.mended, done.taken, done.carried) == (
        planned.ok,
        planned.mended,
        planned.taken,
        planned.carried,
    )


def test_missing_packs_and_operations_come_from_a_remote_by_its_name(root: Path, scene: Path) -> None:
    for pack in packs(root):
        pack.unlink()
    with opened(root) as repo:
        add_remote_setting(repo, "origin", scene / "copy")
        (root / ".mlver/ops" / str(repo.state.operation.parent)).unlink()
    with opened(root) as repo:
        result = repair(repo, "origin")
        assert result.ok and not result.quarantine, "nothing was there to be set aside"
    assert fsck(opened(root)).ok
    assert opened(root).head_snapshot().source("models/m.bin").open().read() == noise(1)


def test_a_copy_that_is_damaged_itself_is_not_believed(root: Path, scene: Path, tmp_path: Path) -> None:
    shutil.copytree(scene / "copy", tmp_path / "copy", symlinks=True)
    write(packs(root)[-1], zero(1000, 5000))
    for pack in packs(tmp_path / "copy"):
        write(pack, zero(100, pack.stat().st_size - 400))
    with opened(root) as repo:
        result = repair(repo, tmp_path / "copy")
        assert not result.ok and not result.taken
        with pytest.raises(Damaged):
            repo.head_snapshot().source("models/big.bin").open().read()


@pytest.mark.parametrize("slots", [("head.0",), ("head.1",), ("head.0", "head.1")])
def test_head_slots_are_written_anew_from_the_operations(root: Path, slots: tuple[str, ...]) -> None:
    before = {slot: (root / ".mlver" / slot).read_bytes() for slot in ("head.0", "head.1")}
    damaged = [write(root / ".mlver" / slot, zero(0, 60)) for slot in slots]
    with opened(root) as repo:
        result = repair(repo)
    assert result.ok and [one.what for one in result.mended] == list(slots)
    assert {slot: (root / ".mlver" / slot).read_bytes() for slot in before} == before
    assert sorted(p.read_bytes() for p in (root / ".mlver/quarantine").iterdir()) == sorted(damaged)


def test_a_format_line_is_put_right_but_never_that_of_another_version(root: Path) -> None:
    line = (root / ".mlver/format").read_bytes()
    write(root / ".mlver/format", flip(2))
    with pytest.raises(Damaged, match="format is damaged"):
        Repository.open(root)
    with opened(root) as repo:
        assert [problem.what for problem in fsck(repo).problems] == ["format"]
        assert repair(repo).ok
    assert (root / ".mlver/format").read_bytes() == line
    (root / ".mlver/format").write_bytes(line.replace(b"1", b"2"))
    with pytest.raises(MlverError, match="format 2"):
        opened(root)


def test_the_newest_operation_with_a_flipped_bit_opens_again(root: Path) -> None:
    with opened(root) as repo:
        head, view = repo.state.id, repo.view
    write(root / ".mlver/ops" / str(head), flip(30))
    with pytest.raises(Damaged):
        Repository.open(root)
    with opened(root) as repo:
        assert repair(repo).ok
    assert Repository.open(root).state.id == head and Repository.open(root).view == view


def test_a_release_that_rotted_on_disk_is_written_again(root: Path) -> None:
    served = next(p for p in (root / ".mlver/releases/.store").rglob("m.bin"))
    info = served.stat()
    write(served, flip(7))
    os.utime(served, ns=(info.st_atime_ns, info.st_mtime_ns))
    with opened(root) as repo:
        result = repair(repo)
        assert result.ok and [one.what for one in result.mended] == ["what prod serves"]
    assert served.read_bytes() == noise(1)


def test_a_damaged_cache_is_made_anew(root: Path) -> None:
    with opened(root) as repo:
        assert repo.head_snapshot().source("models/m.bin").open().read()
    write(root / ".mlver/cache/objects.db", zero(100, 4000))
    with opened(root) as repo:
        assert [one.what for one in repair(repo).mended] == ["cache/objects.db"]
        assert repo.head_snapshot().source("models/m.bin").open().read() == noise(1)


def test_where_to_copy_from_must_be_another_repository(root: Path, tmp_path: Path) -> None:
    with opened(root) as repo:
        for source, error in (("nowhere", UsageError), (root, UsageError), (tmp_path, RemoteError)):
            with pytest.raises(error):
                repair(repo, source)


def test_gc_and_another_repair_are_waited_for(root: Path) -> None:
    with opened(root) as repo, alone(repo):
        with pytest.raises(Conflict, match="gc or repair"):
            repair(repo)
        assert repair(repo, dry_run=True).ok


# -- beside others, and cut short --------------------------------------------------------------------


@pytest.mark.parametrize("fail", [Killed, 28])
def test_repair_cut_short_at_any_change_is_ended_by_the_next_and_loses_nothing(
    scene: Path, tmp_path: Path, fail: int | type[Killed]
) -> None:
    rig: FaultyCalls
    at, rounds = 1, 0
    while True:
        root = tmp_path / f"round{at}"
        shutil.copytree(scene / "repo", root, symlinks=True)
        damaged = [write(packs(root)[-1], zero(1000, 5000)), write(root / ".mlver/head.1", flip(9))]
        with faulty_calls(at, fail, CHANGING) as rig:
            try:
                with opened(root) as repo:
                    repair(repo, scene / "copy")
            except (MlverError, Killed):
                assert rig.fired
        if not rig.fired:
            break
        where = f"call {at}: {rig.log[-1]}"
        with opened(root) as repo:
            assert repair(repo, scene / "copy").ok, where
            assert repo.head_snapshot().source("models/big.bin").open().read() == noise(2, 300_000), where
        files = [
            p.read_bytes()
            for p in (root / ".mlver/quarantine").iterdir()
            if p.suffix == ".pack" or p.name[:4] == "head"
        ]
        assert sorted(files) == sorted(damaged), where
        assert fsck(opened(root)).ok, where
        shutil.rmtree(root)
        at, rounds = at + 7, rounds + 1
    assert rounds > 5


def test_gc_after_a_killed_repair_moves_the_damaged_pack_to_quarantine_too(root: Path, scene: Path) -> None:
    damaged = write(packs(root)[-1], zero(1000, 5000))
    name = packs(root)[-1].stem
    with opened(root) as repo, pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlver.storage.local.LocalStorage.move", _dies)
        with pytest.raises(Killed):
            repair(repo, scene / "copy")
    assert (root / f".mlver/packs/{name}.pack").exists(), "recorded, not moved"
    with opened(root) as repo:
        number = repo.state.operation.number
        gc(repo, grace="0")
        assert not repo.storage.exists(trash_key(number, name))
        assert (root / f".mlver/quarantine/{number}-{name}.pack").read_bytes() == damaged
        assert fsck(repo).ok


def _dies(*_: object) -> None:
    raise Killed


@pytest.mark.parametrize("within", ["repair", "commit"])
def test_a_commit_that_relies_on_a_damaged_pack_stores_again_what_went_with_it(
    scene: Path, tmp_path: Path, within: str
) -> None:
    """An old file that is lost is committed anew while repair gives its pack up: who comes later stores it again."""
    at, rounds, later = 1, 0, 0
    shutil.copytree(scene / "repo", tmp_path / "repo", symlinks=True)
    (tmp_path / "repo/models/big.bin").unlink()
    with still(), opened(tmp_path / "repo") as repo:
        commit(repo, "v3")
    while True:
        root = tmp_path / f"round{at}"
        shutil.copytree(tmp_path / "repo", root, symlinks=True)
        write(packs(root)[-1], zero(1000, 5000))
        (root / "models/again.bin").write_bytes(noise(2, 300_000))
        acts = {"repair": lambda root=root: _run(root, repair), "commit": lambda root=root: _run(root, _commit)}
        inner = acts["commit" if within == "repair" else "repair"]
        with still(), between(at, inner, CHANGES) as rig:
            acts[within]()
        if not rig.fired:
            break
        with opened(root) as repo:
            commands = [one.command for one in op_log(repo).operations]  # the newest first
            relied = commands.index("commit: again") > commands.index("repair: 1 damaged pack set aside")
            lost = "models/again.bin" in {one.path for one in fsck(repo).artifacts}
            assert not lost or relied, f"{within} at {at} ({rig.log[-1]}): {commands[:2]}"
            later += not relied
            if not lost:
                assert repo.head_snapshot().source("models/again.bin").open().read() == noise(2, 300_000)
        shutil.rmtree(root)
        at, rounds = at + 1, rounds + 1
    assert rounds > 2 and later


def _run(root: Path, act: Callable[[Repository], object]) -> None:
    with opened(root) as repo:
        act(repo)


def _commit(repo: Repository) -> object:
    return commit(repo, "again")


def test_a_settled_repository_has_nothing_more_to_settle(root: Path) -> None:
    write(packs(root)[-1], flip(3))
    with opened(root) as repo:
        assert repair(repo).ok
        before = sorted((root / ".mlver/packs").iterdir())
        settle_condemned(repo)
        assert sorted((root / ".mlver/packs").iterdir()) == before


def test_a_damaged_operation_is_not_set_aside_while_a_damaged_slot_may_have_named_it(root: Path, scene: Path) -> None:
    with Repository.open(root, actor="ana") as repo:
        head = repo.state
    newest, slot = root / f".mlver/ops/{head.id}", root / f".mlver/head.{head.operation.number % 2}"
    for path in (newest, slot):
        path.chmod(0o644)
        path.write_bytes(bytes(path.stat().st_size))
    with Repository.open(root, actor="ana", salvage=True) as repo:
        result = repair(repo)
        assert not result.ok and any("may be the newest operation" in problem.detail for problem in result.left)
    assert newest.exists()
    with Repository.open(root, actor="ana", salvage=True) as repo:
        assert repair(repo, scene / "copy").ok and repo.refresh() == head.operation.view
