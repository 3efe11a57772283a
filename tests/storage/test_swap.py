"""Swaps that are right without a lock: whoever is stopped in the middle, nothing is lost and nobody waits."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlver.errors import LocalIO, OutcomeUnknown
from mlver.storage import durable, swap
from mlver.storage.local import LocalStorage
from mlver.storage.locks import locked
from mlver.storage.swap import carry_off, swap_link, take_away
from mlver.testing import Killed, faulty_calls


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap, "PATIENCE", 0.005)


class _Interrupted:
    """Stands in for `durable.os_calls`: calls `meanwhile` before the `at`-th call, as if one had been stopped there."""

    def __init__(self, at: int, meanwhile: Callable[[], None]) -> None:
        self.left, self.meanwhile, self.real = at, meanwhile, durable.os_calls

    def __getattr__(self, name: str) -> Callable[..., object]:
        real = getattr(self.real, name)

        def call(*args: object, **more: object) -> object:
            self.left -= 1
            if self.left == 0:
                durable.os_calls = self.real
                self.meanwhile()
            return real(*args, **more)

        return call


def interrupted(monkeypatch: pytest.MonkeyPatch, at: int, meanwhile: Callable[[], None]) -> _Interrupted:
    rig = _Interrupted(at, meanwhile)
    monkeypatch.setattr(durable, "os_calls", rig)
    return rig


def test_of_two_swaps_one_within_the_other_at_any_call_exactly_one_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(1, 60):
        storage = LocalStorage(tmp_path / str(at))
        storage.create("head.0", b"old")
        other: list[bool] = []

        def meanwhile(storage: LocalStorage = storage, other: list[bool] = other) -> None:
            other.append(storage.compare_and_swap("head.0", b"old", b"other"))
            if other[0]:  # and on it goes, as the head does
                assert storage.compare_and_swap("head.0", b"other", b"later")

        rig = interrupted(monkeypatch, at, meanwhile)
        mine = storage.compare_and_swap("head.0", b"old", b"mine")
        monkeypatch.undo()
        monkeypatch.setattr(swap, "PATIENCE", 0.005)
        assert [mine] != other, f"at call {at}"
        assert storage.read("head.0") == (b"mine" if mine else b"later")
        assert list(storage.list("")) == ["head.0"] and not list(storage.root.glob(".tmp-*"))
        if rig.left > 0:
            assert other == [] and at > 15
            return
    raise AssertionError("the swap was never over")


@pytest.mark.parametrize("inner", ["swap", "set aside"])
def test_a_value_that_is_swapped_in_at_any_call_is_never_set_aside_for_what_stood_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    for at in range(1, 60):
        storage = LocalStorage(tmp_path / str(at))
        storage.create("packs/a", b"1")
        os.mkfifo(storage.root / "head.0")

        def swap_in(storage: LocalStorage = storage) -> bool:
            return storage.compare_and_swap("head.0", None, b"new")

        def away(storage: LocalStorage = storage) -> bool:
            return storage.set_aside("head.0", "quarantine")

        one, other = (away, swap_in) if inner == "swap" else (swap_in, away)
        done: list[bool] = []

        def meanwhile(done: list[bool] = done, other: Callable[[], bool] = other) -> None:
            done.append(other())

        rig = interrupted(monkeypatch, at, meanwhile)
        done.insert(0, one())
        monkeypatch.undo()
        monkeypatch.setattr(swap, "PATIENCE", 0.005)
        kept = list((storage.root / "quarantine").glob("*")) if (storage.root / "quarantine").exists() else []
        assert all(path.is_fifo() for path in kept), f"at call {at}"
        swapped = done[0] if inner == "set aside" else done[-1] if len(done) == 2 else False
        assert storage.exists("head.0") == swapped and (not swapped or storage.read("head.0") == b"new")
        assert any(done) and not list(storage.root.glob(".tmp-*"))
        if rig.left > 0:
            assert len(done) == 1 and at > 8
            return
    raise AssertionError("it was never over")


def test_a_swap_does_not_wait_for_one_who_holds_the_lock_and_does_nothing(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("head.0", b"old")
    with locked(tmp_path / "lock"):
        assert storage.compare_and_swap("head.0", b"old", b"new")
    assert storage.read("head.0") == b"new"


def test_without_taking_away_a_swap_would_be_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = 0
    for at in range(1, 40):
        storage = LocalStorage(tmp_path / str(at))
        storage.create("head.0", b"old")
        interrupted(monkeypatch, at, lambda s=storage: s.compare_and_swap("head.0", b"old", b"other"))
        monkeypatch.setattr(swap, "take_away", lambda path, but="": None)
        mine = storage.compare_and_swap("head.0", b"old", b"mine")
        monkeypatch.undo()
        monkeypatch.setattr(swap, "PATIENCE", 0.005)
        lost += mine and (tmp_path / str(at) / "head.0").stat().st_size == 4 and at > 1
    assert lost > 3, "this test, too, must be able to see a loss"


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_refused_in_plain_words(tmp_path: Path, code: int) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("head.0", b"old")
    with faulty_calls(1, code, only=("flock",)) as rig, pytest.raises(LocalIO, match="has no locks") as caught:
        storage.compare_and_swap("head.0", b"old", b"new")
    assert rig.fired and caught.value.exit_code == 7
    assert caught.value.hint is not None and "local disk" in caught.value.hint
    assert storage.read("head.0") == b"old"


def test_what_cannot_be_taken_away_is_not_gone_past(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("head.0", b"old")
    (tmp_path / ".tmp-head.0-1234").write_bytes(b"another's")
    with faulty_calls(1, errno.EACCES, only=("unlink",)) as rig, pytest.raises(LocalIO, match="swap"):
        storage.compare_and_swap("head.0", b"old", b"new")
    assert rig.fired and storage.read("head.0") == b"old"


def test_a_link_is_swapped_only_while_it_is_still_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link, wanted = tmp_path / "current", ["a"]
    assert swap_link(link, "a", lambda: wanted[0] == "a")
    for at in range(1, 30):
        wanted[0] = "b"

        def meanwhile() -> None:
            wanted[0] = "c"
            assert swap_link(link, "c", lambda: wanted[0] == "c")

        rig = interrupted(monkeypatch, at, meanwhile)
        done = swap_link(link, "b", lambda: wanted[0] == "b")
        monkeypatch.undo()
        if rig.left > 0:
            assert done and at > 4
            return
        assert os.readlink(link) == "c", f"at call {at}"
        assert [path.name for path in tmp_path.iterdir()] == ["current"]
    raise AssertionError("the swap was never over")


def test_what_somebody_counts_on_is_not_carried_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(1, 20):
        folder, needed = tmp_path / str(at) / "release", [False]
        folder.mkdir(parents=True)

        def meanwhile(folder: Path = folder, needed: list[bool] = needed) -> None:
            needed[0] = True
            take_away(folder)
            needed.append(folder.is_dir())

        rig = interrupted(monkeypatch, at, meanwhile)
        gone = carry_off(folder, lambda needed=needed: not needed[0])
        monkeypatch.undo()
        if rig.left > 0:
            assert gone is not None and gone.is_dir() and not folder.exists()
            return
        assert folder.is_dir() == needed[1], "what was there when one looked stays"
    raise AssertionError("it was never over")


@pytest.mark.parametrize("fail", [errno.EIO, errno.ENOSPC, Killed])
def test_a_fault_at_any_call_of_carrying_off_leaves_it_here_or_there(tmp_path: Path, fail: int | type[Killed]) -> None:
    for at in range(1, 20):
        folder = tmp_path / str(at) / "release"
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
        with faulty_calls(at, fail) as rig, contextlib.suppress(LocalIO, OutcomeUnknown, Killed):
            carry_off(folder, lambda: True)
        assert [path.read_text() for path in folder.parent.rglob("file")] == ["x"]
        if not rig.fired:
            return
    raise AssertionError("the fault was never past the last call")
