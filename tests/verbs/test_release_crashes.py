"""A crash at any step of a move leaves the old release or the new one, whole; the next command settles which."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlver.errors import LocalIO, MlverError
from mlver.repo.releases import settle, unsettled
from mlver.testing import Killed, faulty_calls
from mlver.verbs.fsck import fsck
from mlver.verbs.promote import promote, rollback
from mlver.verbs.undo import undo
from tests.verbs.stages import Clinic, link_of, served


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    clinic = Clinic(tmp_path / "clinic")
    clinic.live("v1", "median", "R1", "first")
    clinic.bundle("v2", "-1", "R2", "second")
    return clinic


def whole(clinic: Clinic) -> dict[str, dict[str, bytes]]:
    """The two bundles there are, by the commit's subject."""
    found = {}
    for id in (clinic.repo.resolve("HEAD~1"), clinic.repo.resolve("HEAD")):
        snapshot = clinic.repo.snapshot(id)
        paths = [path for path in snapshot.artifacts if not path.startswith("data/")]
        found[clinic.repo.commit(id).subject] = {p: snapshot.source(p).open().read() for p in paths}
    return found


def check(clinic: Clinic, bundles: dict[str, dict[str, bytes]]) -> str:
    """Assert that a whole bundle is served, settle, and return which one is live by log and link."""
    assert served(link_of(clinic)) in bundles.values()
    repo = clinic.reopen()
    assert settle(repo).problems == () and unsettled(repo) == ()
    subject = repo.commit(repo.resolve("prod")).subject
    assert served(link_of(clinic)) == bundles[subject]
    return subject


def test_a_promotion_killed_at_any_call_leaves_one_whole_bundle(clinic: Clinic) -> None:
    bundles, seen = whole(clinic), set()
    with faulty_calls() as rig:
        promote(clinic.repo, "prod")
    undo(clinic.repo)
    calls = len(rig.log)
    assert calls > 50
    for at in range(1, calls + 1, 2):
        clean(clinic)
        try:
            with faulty_calls(at, Killed):
                promote(clinic.reopen(), "prod")
        except Killed:
            pass
        state = check(clinic, bundles)
        seen.add(state)
        if state == "v2":
            undo(clinic.repo)
            assert served(link_of(clinic)) == bundles["v1"]
    assert seen == {"v1", "v2"}
    assert fsck(clinic.repo).ok


def clean(clinic: Clinic) -> None:
    """Make the release of v2 unknown to the disk again."""
    store = clinic.root / ".mlver/releases/.store"
    live = os.readlink(link_of(clinic)).rpartition("/")[2]
    for path in store.iterdir():
        if path.name != "lock" and not path.name.startswith(live):
            _wipe(path)


def _wipe(path: Path) -> None:
    if path.is_dir():
        for inner in path.iterdir():
            _wipe(inner)
        path.rmdir()
    else:
        path.unlink()


def test_a_rollback_killed_at_any_call_leaves_one_whole_bundle(clinic: Clinic) -> None:
    bundles, seen = whole(clinic), set()
    promote(clinic.repo, "prod")
    with faulty_calls() as rig:
        rollback(clinic.repo, "prod")
    undo(clinic.repo)
    for at in range(1, len(rig.log) + 1):
        try:
            with faulty_calls(at, Killed):
                rollback(clinic.reopen(), "prod")
        except Killed:
            pass
        state = check(clinic, bundles)
        seen.add(state)
        if state == "v1":
            undo(clinic.repo)
    assert seen == {"v1", "v2"}
    assert fsck(clinic.repo).ok


def test_an_undo_killed_at_any_call_leaves_one_whole_bundle(clinic: Clinic) -> None:
    bundles = whole(clinic)
    promote(clinic.repo, "prod")
    with faulty_calls() as rig:
        undo(clinic.repo)
    promote(clinic.repo, "prod")
    for at in range(1, len(rig.log) + 1):
        try:
            with faulty_calls(at, Killed):
                undo(clinic.reopen())
        except Killed:
            pass
        if check(clinic, bundles) == "v1":
            promote(clinic.repo, "prod")


@pytest.mark.parametrize("errno", [5, 28], ids=["EIO", "ENOSPC"])
def test_a_disk_that_refuses_at_any_call_never_mixes_bundles(clinic: Clinic, errno: int) -> None:
    bundles = whole(clinic)
    with faulty_calls() as rig:
        promote(clinic.repo, "prod")
    undo(clinic.repo)
    for at in range(1, len(rig.log) + 1, 5):
        clean(clinic)
        try:
            with faulty_calls(at, errno):
                promote(clinic.reopen(), "prod")
        except MlverError as error:
            assert error.exit_code in (LocalIO.exit_code, 5, 6), error
        if check(clinic, bundles) == "v2":
            undo(clinic.repo)
