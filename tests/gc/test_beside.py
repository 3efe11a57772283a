"""gc beside writers and readers, with no grace at all: whatever comes between whatever, nothing is lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mlver.errors import Damaged
from mlver.repo.repository import Repository
from mlver.storage.local import LocalStorage
from mlver.verbs.branch import set_ref
from mlver.verbs.fsck import fsck
from mlver.verbs.gc import gc
from mlver.verbs.note import add_note
from tests.gc import beside
from tests.gc.between import ALL, CHANGES, between
from tests.gc.world import drop, experiment, noise, pack_bytes, sound
from tests.kit import Bench


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> beside.World:
    return beside.make_world(tmp_path_factory.mktemp("beside") / "first")


@pytest.mark.parametrize("writer", beside.WRITERS)
def test_a_writer_in_the_middle_of_gc_loses_nothing(writer: str, first: beside.World, tmp_path: Path) -> None:
    assert list(beside.rounds(first, tmp_path, writer, within="gc", start=2, step=4)) == []


@pytest.mark.parametrize("writer", beside.WRITERS)
def test_gc_in_the_middle_of_a_writer_takes_nothing_it_needs(writer: str, first: beside.World, tmp_path: Path) -> None:
    assert list(beside.rounds(first, tmp_path, writer, within=writer, start=9, step=29)) == []


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "repo")
    bench.write("models/m.bin", noise(0, 900_000))
    bench.commit("base")
    experiment(bench, "x", 1)
    return bench


def test_a_reader_that_is_open_goes_on(bench: Bench) -> None:
    with bench.repo.store.session() as session:  # so that the pack of main is written anew
        session.put_bytes(noise(5, 900_000))
        session.finish()
    reader = bench.reopen()
    file = reader.snapshot(reader.resolve("main")).source("models/m.bin").open()
    start = file.read(1000)
    drop(bench, "x")
    with Repository.open(bench.root, actor="ana", clock=bench.clock) as other:
        assert gc(other, grace="0", full=True).operation is not None
    assert start + file.read() == noise(0, 900_000)
    assert reader.head_snapshot().source("models/m.bin").open().read() == noise(0, 900_000)


def test_fsck_takes_nothing_for_damage_that_gc_does_meanwhile(bench: Bench, tmp_path: Path) -> None:
    drop(bench, "x")
    bench.repo.close()
    packs = set(bench.repo.storage.list("packs"))
    for at in range(1, 400, 7):
        root = tmp_path / "round"
        shutil.copytree(bench.root, root, symlinks=True)
        with Repository.open(root, actor="ana", clock=bench.clock) as repo, Repository.open(root) as other:
            with between(at, lambda other=other: gc(other, grace="0", full=True), (*ALL, "size")) as rig:
                problems = fsck(repo).problems
            assert not rig.fired or set(repo.storage.list("packs")) != packs
        assert problems == (), f"gc in fsck at {at} ({rig.log[-1]})"
        shutil.rmtree(root)
        if not rig.fired:
            assert at > 50
            return
    raise AssertionError("fsck was never over")


def test_what_is_written_about_a_commit_while_gc_looks_keeps_it(bench: Bench) -> None:
    lost = bench.repo.resolve("x")
    drop(bench, "x")
    ben = Repository.open(bench.root, actor="ben", clock=bench.clock)
    with ben, between(1, lambda: add_note(ben, lost.hex(), "look at this one"), ("create",)) as rig:
        assert gc(bench.repo, grace="0").dropped == ()
    assert rig.fired and bench.reopen().store.has(lost) and sound(bench.root)


def test_a_branch_made_just_before_the_swap_keeps_its_commit(bench: Bench) -> None:
    lost = bench.repo.resolve("x")
    drop(bench, "x")
    ben = Repository.open(bench.root, actor="ben", clock=bench.clock)
    with ben, between(1, lambda: set_ref(ben, "branch", "y", lost.hex()), ("compare_and_swap",)) as rig:
        assert gc(bench.repo, grace="0").dropped == ()
    assert rig.fired and sound(bench.root)
    assert bench.reopen().snapshot(bench.repo.resolve("y")).source("models/m.bin").open().read() == noise(1)


def test_gc_ends_though_something_is_named_again_before_each_of_its_swaps(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"e{number}" for number in range(12)]
    lost = {name: experiment(bench, name, 100 + number) for number, name in enumerate(names)}
    drop(bench, "x", *names)
    swap, back, inside = LocalStorage.compare_and_swap, names[:10], list[str]()

    def name_one_first(self: LocalStorage, *args: Any, **words: Any) -> bool:
        if back and not inside:
            inside.append(back.pop())
            with Repository.open(bench.root, actor="ben", clock=bench.clock) as ben:
                set_ref(ben, "branch", f"{inside[0]}-again", lost[inside[0]].hex())
            inside.clear()
        return swap(self, *args, **words)

    monkeypatch.setattr(LocalStorage, "compare_and_swap", name_one_first)
    result = gc(bench.repo, grace="0", full=True)
    assert [one.branch for one in result.dropped] == ["x", *names[10:]]
    assert result.operation and result.bytes_after == pack_bytes(bench.repo) and sound(bench.root)
    assert bench.reopen().operation(result.operation).command == f"gc: 3 commits, {result.freed} bytes dropped"
    for number, name in enumerate(names[:10]):
        with bench.repo.snapshot(bench.repo.resolve(f"{name}-again")).source("models/m.bin").open() as stream:
            assert stream.read() == noise(100 + number)


def test_what_is_needed_and_lies_only_in_the_trash_stops_gc(bench: Bench) -> None:
    second = {path.name for path in (bench.root / ".mlver/packs").iterdir()}
    add_note(bench.repo, "x", "kept by this")
    for path in (bench.root / ".mlver/packs").iterdir():
        if path.name in second:  # as when a pack was lost that held a second copy
            (bench.root / ".mlver/trash").mkdir(exist_ok=True)
            path.rename(bench.root / ".mlver/trash" / f"1-{path.name}")
    with pytest.raises(Damaged, match="is needed, and lies only in the trash"):
        gc(bench.reopen(), grace="0")
    assert len(list((bench.root / ".mlver/trash").iterdir())) == len(second)


def test_the_changes_of_gc_are_few(first: beside.World, tmp_path: Path) -> None:
    world = first.copy(tmp_path / "round")
    with between(None, lambda: None, CHANGES) as rig:
        world.collect()
    assert rig.log.count("compare_and_swap") == 2, "one operation in each repository"
