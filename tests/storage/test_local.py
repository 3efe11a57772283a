import errno
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from mlver.errors import Conflict, LocalIO, OutcomeUnknown
from mlver.storage.faulty import FaultyStorage
from mlver.storage.local import LocalStorage
from mlver.storage.locks import locked
from mlver.storage.memory import MemoryStorage
from mlver.testing import Killed, faulty_calls


def count_up(root: Path, rounds: int) -> None:
    storage = LocalStorage(root)
    for _ in range(rounds):
        while True:
            old = storage.read("head.0")
            if storage.compare_and_swap("head.0", old, b"%d" % (int(old) + 1)):
                break


FORKS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # a runner may have threads


@FORKS
def test_swaps_of_many_processes_are_all_kept(tmp_path: Path) -> None:
    LocalStorage(tmp_path).create("head.0", b"0")
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=count_up, args=(tmp_path, 25)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert LocalStorage(tmp_path).read("head.0") == b"100"


@pytest.mark.parametrize("fail", [errno.EIO, errno.ENOSPC, errno.EROFS, Killed])
def test_a_fault_at_any_call_of_a_swap_leaves_old_or_new(tmp_path: Path, fail: int | type[Killed]) -> None:
    unknown = 0
    for at in range(1, 60):
        storage = LocalStorage(tmp_path / str(at))
        storage.create("head.0", b"old")
        failed: BaseException | None = None
        with faulty_calls(at, fail) as rig:
            try:
                assert storage.compare_and_swap("head.0", b"old", b"new")
            except (LocalIO, OutcomeUnknown, Killed) as error:
                failed = error
        value = storage.read("head.0")
        assert value in (b"old", b"new")
        assert not isinstance(failed, LocalIO) or value == b"old"
        assert failed is not None or value == b"new"
        unknown += isinstance(failed, OutcomeUnknown)
        assert storage.compare_and_swap("head.0", value, b"next")
        if not rig.fired:
            assert fail is Killed or unknown == 2  # opening the folder again, and its fsync
            return
    raise AssertionError("the fault was never past the last call")


def test_a_file_system_without_locks_is_refused(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("head.0", b"old")
    with faulty_calls(1, errno.ENOLCK, only=("flock",)), pytest.raises(LocalIO, match="no locks") as caught:
        storage.compare_and_swap("head.0", b"old", b"new")
    assert caught.value.hint is not None and "local disk" in caught.value.hint
    assert storage.read("head.0") == b"old"


def test_a_lock_held_for_long_is_a_conflict(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"), pytest.raises(Conflict), locked(tmp_path / "lock", patience=0.01):
        pass
    with locked(tmp_path / "lock", patience=0.01):
        pass


@FORKS
def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        locked(tmp_path / "lock").__enter__()
        os._exit(0)
    os.waitpid(child, 0)
    with locked(tmp_path / "lock", patience=0.01):
        pass


def test_values_are_read_only_files_and_the_head_is_not(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("packs/a", b"1")
    storage.compare_and_swap("head.0", None, b"1")
    assert (tmp_path / "packs" / "a").stat().st_mode & 0o222 == 0
    assert (tmp_path / "head.0").stat().st_mode & 0o200


def test_special_files_are_no_values(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("packs/a", b"1")
    os.mkfifo(tmp_path / "packs" / "fifo")
    (tmp_path / "packs" / "link").symlink_to(tmp_path / "packs" / "a")
    assert list(storage.list("")) == ["packs/a"]
    assert sorted(storage.strangers("packs")) == ["packs/fifo", "packs/link"]
    (tmp_path / "packs/folder").mkdir()
    standing = {"packs/fifo": "a named pipe", "packs/link": "a link", "packs/folder": "a folder"}
    for key, thing in standing.items():
        assert not storage.exists(key) and storage.stranger(key) == thing
        with pytest.raises(KeyError):
            storage.read(key)
    assert storage.stranger("packs/a") is None and storage.stranger("packs/none") is None


def test_leftovers_of_a_crash_are_not_listed_and_swept_in_time(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("packs/a", b"1")
    leftover = tmp_path / "packs" / ".tmp-dead"
    leftover.write_text("half")
    assert list(storage.list("packs")) == ["packs/a"] and list(storage.strangers("packs")) == []
    os.utime(leftover, (1, 1))
    storage.writer("packs").abort()
    assert not leftover.exists()


def test_reading_makes_nothing(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "none")
    assert list(storage.list("")) == [] and not storage.exists("a") and storage.sweep("packs") == 0
    with pytest.raises(KeyError):
        storage.read("a")
    assert not (tmp_path / "none").exists()


def test_a_disk_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.create("packs/a", b"1")
    for call in ("open", "pread"):
        with faulty_calls(1, errno.EIO, only=(call,)), pytest.raises(LocalIO, match="packs/a: the disk reports"):
            storage.read("packs/a")
    with faulty_calls(1, errno.EACCES, only=("scandir",)), pytest.raises(LocalIO, match="no permission"):
        list(storage.list("packs"))


def test_short_reads_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlver.storage import durable

    storage = LocalStorage(tmp_path)
    storage.create("a", b"0123456789")
    monkeypatch.setattr(durable.os_calls, "pread", lambda fd, n, at: os.pread(fd, min(n, 3), at), raising=False)
    assert storage.read("a") == b"0123456789" and storage.read("a", 2, 7) == b"2345678"


def test_a_faulty_storage_fails_once_or_for_good() -> None:
    storage = FaultyStorage(MemoryStorage(), 2)
    assert storage.create("a", b"1")
    with pytest.raises(LocalIO):
        storage.create("b", b"1")
    assert storage.create("b", b"1") and storage.fired and storage.calls == ["create"] * 3
    storage = FaultyStorage(MemoryStorage(), 1, after=True, dead=True)
    with pytest.raises(LocalIO):
        storage.create("a", b"1")
    assert storage.inner.read("a") == b"1"
    with pytest.raises(LocalIO):
        storage.read("a")


@FORKS
def test_a_lock_says_who_holds_it_and_what_to_do(tmp_path: Path) -> None:
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        with locked(tmp_path / "lock"):
            os.write(tell, b"x")
            signal.pause()
        os._exit(0)
    try:
        os.read(ready, 1)
        for code, words, hint in (
            (None, f"process {child}", "let it finish"),
            (signal.SIGSTOP, "stopped", "kill -CONT"),
        ):
            if code is not None:
                os.kill(child, code)
                os.waitid(os.P_PID, child, os.WSTOPPED | os.WNOWAIT)
            with pytest.raises(Conflict) as caught, locked(tmp_path / "lock", patience=0.0):
                pass
            if Path("/proc/locks").exists():
                assert words in caught.value.message and hint in str(caught.value.hint)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(tell)
