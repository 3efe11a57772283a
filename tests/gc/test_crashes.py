"""gc killed, or out of disk, at its system calls: nothing needed is lost, and the next gc ends the work."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlver.errors import MlverError
from mlver.objects.ids import CommitId
from mlver.repo.generation import in_trash
from mlver.repo.repository import Repository
from mlver.store.pack import list_packs
from mlver.testing import FaultyCalls, Killed, faulty_calls
from mlver.verbs.gc import gc, restore_trash
from mlver.verbs.promote import promote
from tests.gc.beside import still
from tests.gc.world import drop, experiment, noise, sound
from tests.kit import Bench

CHANGING = ("open", "write", "fsync", "rename", "link", "unlink", "mkdir")
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def opened(root: Path) -> Repository:
    return Repository.open(root, actor="ana", clock=lambda: NOW)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, CommitId], CommitId]:
    """`live` was live once, `side` has a name, `gone` has none. One pack of many is written anew."""
    root = tmp_path_factory.mktemp("crash") / "repo"
    with still():
        bench = Bench(root)
        bench.write("models/m.bin", noise(0))
        kept = {0: bench.commit("base"), 1: experiment(bench, "live", 1), 2: experiment(bench, "side", 2)}
        gone = experiment(bench, "gone", 3)
        promote(bench.repo, "prod", "live", reason="good")
        promote(bench.repo, "prod", "main", reason="back")
        drop(bench, "live", "gone")
        with bench.repo.store.session() as session:
            session.put_bytes(noise(0) + b"1")
            session.finish()
        bench.repo.close()
    return root, kept, gone


def rounds(
    root: Path, folder: Path, act: Callable[[Repository], object], fail: int | type[Killed], step: int, least: int
) -> Iterator[tuple[Path, FaultyCalls]]:
    """Yield copies of `root` in which `act` was cut short, at every `step`-th of its calls; it makes over `least`."""
    at = 1
    while True:
        copy = folder / "round"
        shutil.copytree(root, copy, symlinks=True)
        with faulty_calls(at, fail, CHANGING) as rig:
            try:
                with opened(copy) as repo:
                    act(repo)
            except (MlverError, Killed):
                assert rig.fired
        if rig.fired:
            yield copy, rig
        shutil.rmtree(copy)
        if not rig.fired:
            assert at > least, "it makes more calls than that"
            return
        at += step


def collect(repo: Repository) -> object:
    return gc(repo, grace="0", full=True)


@pytest.mark.parametrize(("fail", "step"), [(Killed, 6), (errno.ENOSPC, 13), (errno.EIO, 17)])
def test_gc_cut_short_loses_nothing_and_is_ended_by_the_next(
    fail: int | type[Killed], step: int, scene: tuple[Path, dict[int, CommitId], CommitId], tmp_path: Path
) -> None:
    root, kept, gone = scene
    for copy, rig in rounds(root, tmp_path, collect, fail, step, 10 * step):
        where = f"call {len(rig.log)}: {rig.log[-1]}"
        assert sound(copy), where
        with opened(copy) as repo:
            gc(repo, grace="0", full=True)
        with opened(copy) as repo:
            assert not repo.store.has(gone), where
            assert gc(repo, grace="0", full=True).operation is None, where
            assert list(in_trash(repo.storage)) == []
            assert len(list(list_packs(repo.storage))) == 1, where
            for seed, id in kept.items():
                assert repo.snapshot(id).source("models/m.bin").open().read() == noise(seed), where
        assert sound(copy), where


def test_the_trash_comes_back_whenever_restore_was_cut_short(
    scene: tuple[Path, dict[int, CommitId], CommitId], tmp_path: Path
) -> None:
    root, _, gone = scene
    full = tmp_path / "full"
    shutil.copytree(root, full, symlinks=True)
    with opened(full) as repo:
        repo.storage.age = lambda key: 1e6  # type: ignore[method-assign]
        repo.settings._layers = {"repository": {"gc.retention": "0"}}
        assert gc(repo).trash > 0
    at, fired = 1, True
    while fired:
        copy = tmp_path / "round"
        shutil.copytree(full, copy, symlinks=True)
        with faulty_calls(at, Killed, CHANGING) as rig:
            try:
                with opened(copy) as repo:
                    restore_trash(repo)
            except Killed:
                assert rig.fired
        with opened(copy) as repo:
            restore_trash(repo)
            assert repo.store.has(gone) and list(in_trash(repo.storage)) == []
        assert sound(copy)
        shutil.rmtree(copy)
        fired, at = rig.fired, at + 3
