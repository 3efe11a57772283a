"""Kill push, fetch, pull and clone at every n-th system call: both sides stay whole, and the same command goes on."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import pytest

from mlver.errors import MlverError
from mlver.objects.commit import Environment
from mlver.objects.ids import OperationId
from mlver.repo.releases import settle
from mlver.repo.remote import add_remote_setting
from mlver.repo.repository import FOLDER, Repository, has_format
from mlver.storage.durable import TEMP_PREFIX
from mlver.testing import Killed, faulty_calls
from mlver.verbs.alerts import add_alert, list_alerts
from mlver.verbs.clone import clone
from mlver.verbs.fetch import fetch
from mlver.verbs.fsck import fsck
from mlver.verbs.promote import promote
from mlver.verbs.pull import pull
from mlver.verbs.push import push
from tests.kit import Bench
from tests.sharing.kit import ledger_ids, shared

NOW = datetime(2024, 4, 22, 3, 7, tzinfo=UTC)
WRITING = ("open", "write", "fsync", "fchmod", "mkdir", "rename", "link", "symlink")
BIG = bytes(range(256)) * 900


def opened(root: Path) -> Repository:
    return Repository.open(root, actor="ana", clock=lambda: NOW)


def make_world(folder: Path) -> Path:
    """`ana` has pushed to `hub`; since then both have news, and `ben` has a repository of his own."""
    folder.mkdir()
    with patch("mlver.verbs.commit.capture_environment", lambda: Environment("3.11", "CPython", "Linux")):
        ana = Bench(folder / "ana")
        ana.write("rules/rules.json", [{"id": "R1", "then": "refer"}])
        ana.write("data/big.bin", BIG)
        ana.commit("first")
        promote(ana.repo, "prod", reason="v1")
        (folder / "hub").mkdir()
        add_remote_setting(ana.repo, "origin", folder / "hub")
        push(ana.repo)
        clone(folder / "hub", folder / "ben", actor="ben", clock=ana.clock)
        ben = Bench(folder / "ben", actor="ben")
        ben.clock.moment = ana.clock.moment
        ben.write("rules/rules.json", [{"id": "R2", "then": "refer"}])
        ben.commit("second")
        promote(ben.repo, "prod", reason="v2")
        add_alert(ben.repo, "null", id="B1", at=NOW, severity="warn")
        push(ben.repo)
        add_alert(ana.repo, "null", id="A1", at=NOW, severity="warn")
        for bench in (ana, ben):
            bench.repo.close()
    return folder


def moved_to(folder: Path) -> None:
    """Let the repositories of a copied world know each other by their new places."""
    for name in ("ana", "ben"):
        repo = Repository.open(folder / name)
        add_remote_setting(repo, "origin", folder / "hub")
        repo.close()


@dataclass(frozen=True)
class Act:
    run: Callable[[Path], object]
    done: Callable[[Path], object]


def _alerts(root: Path) -> set[str]:
    return {alert.id for alert in list_alerts(opened(root)).alerts}


def _in_hub(folder: Path) -> None:
    assert _alerts(folder / "hub") == {"A1", "B1"}


def _fetched(folder: Path) -> None:
    assert _alerts(folder / "ana") == {"A1", "B1"}
    assert ledger_ids(opened(folder / "ana")) == ledger_ids(opened(folder / "hub"))


def _pulled(folder: Path) -> None:
    _fetched(folder)
    assert "R2" in (folder / "ana/rules/rules.json").read_text()
    assert opened(folder / "ana").view.head == opened(folder / "hub").view.branches["main"]


def _cloned(folder: Path) -> None:
    made = opened(folder / "new")
    assert shared(made.view) == shared(opened(folder / "hub").view)
    assert (folder / "new/data/big.bin").read_bytes() == BIG


ACTS = {
    "push": Act(lambda folder: push(opened(folder / "ana")), _in_hub),
    "fetch": Act(lambda folder: fetch(opened(folder / "ana")), _fetched),
    "pull": Act(lambda folder: pull(opened(folder / "ana")), _pulled),
    "clone": Act(lambda f: clone(f / "hub", f / "new", actor="cleo", clock=lambda: NOW), _cloned),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("sharing") / "world")


def calls_of(world: Path, folder: Path, act: Act, only: tuple[str, ...] | None) -> list[str]:
    """Play the act once without a fault; return its system calls."""
    shutil.copytree(world, folder, symlinks=True)
    moved_to(folder)
    with faulty_calls(only=only) as rig:
        act.run(folder)
    act.done(folder)
    shutil.rmtree(folder)
    return list(rig.log)


def broken(
    world: Path, folder: Path, act: Act, at: int, fail: int | type[Killed], only: tuple[str, ...] | None
) -> None:
    """Play the act with a fault at one call, judge what is left, and play it again."""
    shutil.copytree(world, folder, symlinks=True)
    moved_to(folder)
    before = {name: opened(folder / name).state.id for name in ("ana", "ben", "hub")}
    said: BaseException | None = None
    with faulty_calls(at, fail, only) as rig:
        try:
            act.run(folder)
        except (MlverError, Killed) as error:
            said = error
    assert rig.fired
    what = f"call {at} ({rig.log[at - 1]}), {said!r}"
    with unusable(what):
        _judge(folder, act, what, before)
    if fail is not Killed:
        left = [path for path in folder.rglob(f"{TEMP_PREFIX}*") if "cache" not in path.parts]
        assert not left or "unlink" in rig.log[at - 1], f"{what}: left {left}"
    with unusable(f"{what}: again"):
        act.run(folder)
        act.done(folder)
        settle(opened(folder / "ana"))
        for root in sorted(path for path in folder.iterdir()):
            assert fsck(opened(root)).ok, f"{what}: again: {root.name}"
    shutil.rmtree(folder)


@contextmanager
def unusable(what: str) -> Iterator[None]:
    """Take it for a failure when a repository cannot be opened, or the same command fails."""
    try:
        yield
    except MlverError as error:
        raise AssertionError(f"{what}: {error.message}") from error


def _judge(folder: Path, act: Act, what: str, before: dict[str, OperationId]) -> None:
    for name, id in before.items():
        repo = opened(folder / name)
        settle(repo)  # what the next command that asks for a stage does first
        assert fsck(repo).ok, f"{what}: {name}: {fsck(repo).problems}"
        if name == "ben":
            assert repo.state.id == id, what
    if not has_format(folder / "new" / FOLDER):
        with pytest.raises(MlverError, match="not a mlver repository"):
            opened(folder / "new")
    elif act is ACTS["clone"]:
        assert fsck(opened(folder / "new")).ok, what
        shutil.rmtree(folder / "new")


@pytest.mark.parametrize("name", ACTS)
def test_a_kill_leaves_both_sides_whole_and_the_command_goes_on(name: str, world: Path, tmp_path: Path) -> None:
    act = ACTS[name]
    calls = calls_of(world, tmp_path / "w", act, None)
    assert len(calls) > 50
    for at in range(1, len(calls) + 1, STEP):
        broken(world, tmp_path / "w", act, at, Killed, None)


@pytest.mark.parametrize("name", ACTS)
def test_a_full_disk_on_either_side_leaves_both_whole(name: str, world: Path, tmp_path: Path) -> None:
    act = ACTS[name]
    calls = calls_of(world, tmp_path / "w", act, WRITING)
    for at in range(1, len(calls) + 1, STEP):
        broken(world, tmp_path / "w", act, at, errno.ENOSPC, WRITING)


STEP = 29  # every call: python -m tests.sharing.campaign
