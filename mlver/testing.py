"""The shipped test kit: the storage contract as a pytest class, and a rig that fails system calls.

A new storage is right when a test class made of `StorageContract` passes:

    class TestMyStorage(StorageContract):
        @pytest.fixture
        def storage(self, tmp_path):
            return MyStorage(tmp_path)
"""

from __future__ import annotations

import errno as errnos
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mlver.errors import Conflict, LocalIO, MlverError, Refused
from mlver.storage import durable
from mlver.storage.base import Storage

BAD_KEYS = (
    "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".hidden", "a/.tmp-x", "a b", "a\\b",
    "a\nb", "a\n", "a\0b", "é", "a:b", "~", "x" * 256, "/".join(["abcdefghi"] * 101),
)  # fmt: skip


class StorageContract:
    """What every storage must do. Give a `storage` fixture that returns an empty one."""

    def test_a_value_comes_back_whole_and_in_ranges(self, storage: Storage) -> None:
        assert storage.create("packs/a", b"0123456789") is True
        assert storage.read("packs/a") == b"0123456789"
        assert storage.read("packs/a", 3) == b"3456789"
        assert storage.read("packs/a", 3, 4) == b"3456"
        assert storage.read("packs/a", 3, 0) == b""
        assert storage.read("packs/a", 8, 100) == b"89"
        assert storage.read("packs/a", 100, 5) == b""
        assert storage.size("packs/a") == 10
        assert storage.exists("packs/a")

    def test_the_empty_value_exists(self, storage: Storage) -> None:
        assert storage.create("empty", b"")
        assert storage.exists("empty") and storage.size("empty") == 0 and storage.read("empty") == b""

    def test_an_absent_key_is_a_key_error_everywhere(self, storage: Storage) -> None:
        storage.create("folder/x", b"1")
        for key in ("none", "folder", "folder/y", "folder/x/y"):
            assert not storage.exists(key)
            for call in (storage.read, storage.size, storage.delete, lambda k: storage.move(k, "elsewhere")):
                with pytest.raises(KeyError):
                    call(key)
        assert list(storage.list("")) == ["folder/x"]

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_a_bad_key_is_refused_everywhere(self, storage: Storage, key: str) -> None:
        storage.create("good", b"1")
        calls: list[Callable[[], Any]] = [
            lambda: storage.read(key),
            lambda: storage.read_into(key, 0, []),
            lambda: storage.size(key),
            lambda: storage.exists(key),
            lambda: storage.create(key, b""),
            lambda: storage.compare_and_swap(key, None, b""),
            lambda: storage.move(key, "x"),
            lambda: storage.move("good", key),
            lambda: storage.delete(key),
        ]
        for call in calls:
            with pytest.raises(Refused):
                call()
        assert list(storage.list("")) == ["good"]

    def test_create_never_replaces(self, storage: Storage) -> None:
        assert storage.create("a/b", b"old") is True
        assert storage.create("a/b", b"new") is False
        assert storage.read("a/b") == b"old"

    def test_a_range_is_read_into_parts(self, storage: Storage) -> None:
        storage.create("a/b", bytes(range(100)))
        parts = [memoryview(bytearray(length)) for length in (3, 0, 10, 1, 40)]
        assert storage.read_into("a/b", 5, parts) == 54
        assert b"".join(parts) == bytes(range(5, 59))
        assert storage.read_into("a/b", 90, parts) == 10, "what there was"
        assert bytes(parts[0]) == bytes((90, 91, 92)) and bytes(parts[2])[:7] == bytes(range(93, 100))
        assert storage.read_into("a/b", 5, []) == storage.read_into("a/b", 200, parts) == 0
        many = [memoryview(bytearray(1)) for _ in range(3000)]
        storage.create("long", bytes(n % 251 for n in range(2990)))
        assert storage.read_into("long", 0, many) == 2990 and b"".join(many)[:2990] == storage.read("long")
        with pytest.raises(KeyError):
            storage.read_into("none", 0, parts)

    def test_listing_is_sorted_and_stays_in_its_folder(self, storage: Storage) -> None:
        keys = ["a", "a.b", "a/b", "a/c/d", "a/c.d", "a-b", "ab/c", "b/a"]
        for key in keys:
            if key != "a":  # a folder of that name exists
                assert storage.create(key, key.encode())
        assert list(storage.list("")) == sorted(keys[1:])
        assert list(storage.list("a")) == list(storage.list("a/")) == ["a/b", "a/c.d", "a/c/d"]
        assert list(storage.list("none")) == []

    def test_a_writer_shows_nothing_before_commit(self, storage: Storage) -> None:
        with storage.writer("packs") as writer:
            writer.write(b"abc")
            writer.write(bytearray(b"def"))
            writer.write(memoryview(b"ghi"))
            assert writer.tell() == 9
            assert list(storage.list("")) == []
            writer.commit("packs/p1")
        assert list(storage.list("")) == ["packs/p1"]
        assert storage.read("packs/p1") == b"abcdefghi"

    def test_a_writer_that_is_left_writes_nothing(self, storage: Storage) -> None:
        with storage.writer("packs") as writer:
            writer.write(b"abc")
        with pytest.raises(ZeroDivisionError), storage.writer("packs") as writer:
            writer.write(b"abc")
            raise ZeroDivisionError
        writer.abort()
        assert list(storage.list("")) == []
        with pytest.raises(MlverError):
            writer.write(b"more")

    def test_abort_after_commit_is_harmless(self, storage: Storage) -> None:
        writer = storage.writer("packs")
        writer.write(b"abc")
        writer.commit("packs/p1")
        writer.abort()
        assert storage.read("packs/p1") == b"abc"

    def test_a_writer_never_replaces(self, storage: Storage) -> None:
        storage.create("packs/p1", b"old")
        with storage.writer("packs") as writer:
            writer.write(b"new")
            writer.commit("packs/p1")
        assert storage.read("packs/p1") == b"old"
        assert list(storage.list("")) == ["packs/p1"]

    def test_a_writer_stays_in_its_folder(self, storage: Storage) -> None:
        for key in ("elsewhere/p", "p", "packs/deeper/p"):
            with storage.writer("packs") as writer, pytest.raises(LocalIO):
                writer.commit(key)
        assert list(storage.list("")) == []

    def test_compare_and_swap_needs_the_value_it_expects(self, storage: Storage) -> None:
        assert storage.compare_and_swap("head.0", b"x", b"1") is False
        assert storage.compare_and_swap("head.0", None, b"1") is True
        assert storage.compare_and_swap("head.0", None, b"2") is False
        assert storage.compare_and_swap("head.0", b"", b"2") is False
        assert storage.read("head.0") == b"1"
        assert storage.compare_and_swap("head.0", b"1", b"2") is True
        assert storage.read("head.0") == b"2"
        assert list(storage.list("")) == ["head.0"]

    def test_of_many_swaps_at_once_one_wins(self, storage: Storage) -> None:
        storage.create("head.0", b"0")
        for round_ in range(5):
            assert self._wins(storage, b"%d" % round_, b"%d" % (round_ + 1)) == 1

    @staticmethod
    def _wins(storage: Storage, old: bytes, new: bytes) -> int:
        start = threading.Barrier(4)
        wins: list[bool] = []

        def swap() -> None:
            start.wait()
            wins.append(storage.compare_and_swap("head.0", old, new))

        threads = [threading.Thread(target=swap) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(wins)

    def test_move_keeps_the_bytes_and_replaces_nothing(self, storage: Storage) -> None:
        storage.create("packs/a", b"1")
        storage.create("trash/b", b"2")
        storage.move("packs/a", "trash/x/a")
        assert list(storage.list("")) == ["trash/b", "trash/x/a"]
        with pytest.raises(Conflict):
            storage.move("trash/x/a", "trash/b")
        assert storage.read("trash/x/a") == b"1" and storage.read("trash/b") == b"2"

    def test_what_stands_in_a_folder_is_confirmed_and_stays(self, storage: Storage) -> None:
        storage.create("packs/a", b"1")
        storage.confirm("packs")
        storage.confirm("")
        assert list(storage.list("")) == ["packs/a"]
        with pytest.raises(Refused):
            storage.confirm("../packs")

    def test_delete_removes_one_key(self, storage: Storage) -> None:
        storage.create("packs/a", b"1")
        storage.create("packs/b", b"2")
        storage.delete("packs/a")
        assert list(storage.list("")) == ["packs/b"]
        assert storage.create("packs/a", b"3") is True

    def test_a_value_handed_in_may_be_changed_afterwards(self, storage: Storage) -> None:
        data = bytearray(b"abc")
        storage.create("a", data)  # type: ignore[arg-type]
        data[0] = 0
        assert storage.read("a") == b"abc"


class Killed(BaseException):
    """Stands for the death of the process: no handler of ordinary errors catches it."""


class FaultyCalls:
    """Stands in for `durable.os_calls`: counts the system calls, and fails or dies at the `at`-th.

    `fail` is an errno to raise, or `Killed`: then every later call raises it too, and nothing more
    reaches the disk. `only` limits the count to calls of these names. `log` lists all counted calls.
    """

    def __init__(
        self, at: int | None = None, fail: int | type[Killed] = errnos.EIO, only: tuple[str, ...] | None = None
    ) -> None:
        self.log: list[str] = []
        self.fired = False
        self._at = at
        self._fail = fail
        self._only = only
        self._real = durable.os_calls

    def __getattr__(self, name: str) -> Callable[..., Any]:
        real = getattr(self._real, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            dead = self.fired and self._fail is Killed
            if not dead and (self._only is None or name in self._only):
                self.log.append(name)
                self.fired = self.fired or len(self.log) == self._at
                dead = len(self.log) == self._at
            if not dead:
                return real(*args, **kwargs)
            if name == "close":
                real(*args, **kwargs)  # a dying process closes its files too
            if isinstance(self._fail, int):
                raise OSError(self._fail, os.strerror(self._fail))
            raise self._fail(f"at call {self._at}: {name}")

        return call


@contextmanager
def faulty_calls(
    at: int | None = None, fail: int | type[Killed] = errnos.EIO, only: tuple[str, ...] | None = None
) -> Iterator[FaultyCalls]:
    """Replace `durable.os_calls` by a FaultyCalls for the length of the block."""
    real = durable.os_calls
    rig = FaultyCalls(at, fail, only)
    durable.os_calls = rig  # type: ignore[assignment]
    try:
        yield rig
    finally:
        durable.os_calls = real
