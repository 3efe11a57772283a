"""Large aligned pieces go past the page cache where the disk takes them so, and through it everywhere else."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlver.errors import LocalIO
from mlver.storage import durable
from mlver.storage.buffers import BLOCK, pages
from mlver.storage.durable import NewFile
from mlver.testing import faulty_calls

PIECE = 1 << 20


class Watched:
    """Notes which writes go past the page cache; a disk that `cannot` refuses those."""

    def __init__(self, cannot: bool = False, switch: int = 0) -> None:
        self._real, self._cannot, self._switch = durable.os_calls, cannot, switch
        self._direct = False
        self.writes: list[tuple[int, bool]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def direct(self, fd: int, on: bool) -> None:
        if self._switch:
            raise OSError(self._switch, os.strerror(self._switch))
        self._direct = on

    def write(self, fd: int, data: memoryview) -> int:
        if self._direct and self._cannot:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self.writes.append((len(data), self._direct))
        return self._real.write(fd, data)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    calls = Watched()
    monkeypatch.setattr(durable, "os_calls", calls)
    yield calls


def filled(length: int, seed: int = 1) -> memoryview:
    view = pages(length)
    view[:] = (bytes([seed]) + os.urandom(4095)) * (length // 4096)
    return view


def test_whole_blocks_go_past_the_cache_and_the_rest_through_it(tmp_path: Path, watched: Watched) -> None:
    piece = filled(2 * PIECE)
    with NewFile(tmp_path) as file:
        for part in (piece[:PIECE], piece, b"tail", piece):
            file.write(part)
        file.commit(tmp_path / "a")
    assert watched.writes == [(PIECE, True), (2 * PIECE, True), (4, False), (2 * PIECE, False)]
    assert (tmp_path / "a").read_bytes() == bytes(piece[:PIECE]) + bytes(piece) + b"tail" + bytes(piece)


def test_what_is_small_goes_through_the_cache(tmp_path: Path, watched: Watched) -> None:
    durable.write_file(tmp_path / "a", filled(PIECE - BLOCK))
    assert watched.writes == [(PIECE - BLOCK, False)]


@pytest.mark.parametrize(("sync", "left"), [(True, True), (False, False)])
def test_a_slow_disk_is_left_to_the_cache_unless_all_must_be_on_it_at_the_end(
    tmp_path: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch, sync: bool, left: bool
) -> None:
    monkeypatch.setattr(durable, "_TRIED", 2 * PIECE)
    monkeypatch.setattr(durable, "_SLOW", float("inf"))
    durable.write_file(tmp_path / "a", [filled(PIECE)] * 4, sync=sync)
    assert watched.writes == [(PIECE, True), (PIECE, True), (PIECE, left), (PIECE, left)]
    assert (tmp_path / "a").stat().st_size == 4 * PIECE


def test_the_file_system_itself_takes_it(tmp_path: Path) -> None:
    piece = filled(4 * PIECE)
    with faulty_calls(only=("direct", "write")) as rig, NewFile(tmp_path) as file:
        file.write(piece)
        file.write(b"end")
        file.commit(tmp_path / "a")
    assert rig.log[:2] == ["direct", "write"] and (tmp_path / "a").read_bytes() == bytes(piece) + b"end"


@pytest.mark.parametrize("calls", [Watched(cannot=True), Watched(switch=errno.EINVAL), Watched(switch=errno.EIO)])
def test_a_disk_that_cannot_gets_them_through_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: Watched
) -> None:
    monkeypatch.setattr(durable, "os_calls", calls)
    piece = filled(PIECE)
    with NewFile(tmp_path) as file:
        file.write(piece)
        file.write(piece)
        file.commit(tmp_path / "a")
    assert calls.writes == [(PIECE, False), (PIECE, False)]
    assert (tmp_path / "a").read_bytes() == bytes(piece) * 2


def test_a_system_without_the_flag_gets_them_through_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_DIRECT", raising=False)
    assert durable.write_file(tmp_path / "a", bytes(PIECE)) and (tmp_path / "a").stat().st_size == PIECE


def test_memory_that_begins_anywhere_is_written_too(tmp_path: Path) -> None:
    odd = memoryview(bytearray(os.urandom(PIECE + 1)))[1:]
    durable.write_file(tmp_path / "a", [odd, odd])
    assert (tmp_path / "a").read_bytes() == bytes(odd) * 2


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = durable.os_calls.write
    monkeypatch.setattr(durable.os_calls, "write", lambda fd, data: real(fd, data[: 1 + len(data) // 3]), raising=False)
    piece = filled(PIECE)
    durable.write_file(tmp_path / "a", [piece, b"end"])
    assert (tmp_path / "a").read_bytes() == bytes(piece) + b"end"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_is_told_and_nothing_is_left(tmp_path: Path, code: int) -> None:
    with faulty_calls(2, code, only=("write",)) as rig, pytest.raises(LocalIO, match=str(tmp_path)):
        durable.write_file(tmp_path / "a", [filled(PIECE), filled(PIECE)])
    assert rig.fired and list(tmp_path.iterdir()) == []


def test_a_flag_that_cannot_be_taken_back_is_an_error(tmp_path: Path) -> None:
    with faulty_calls(2, errno.EIO, only=("direct",)) as rig, pytest.raises(LocalIO):
        durable.write_file(tmp_path / "a", [filled(PIECE), b"tail"])
    assert rig.fired and list(tmp_path.iterdir()) == []


def test_without_memory_it_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MemoryError, match="bytes of memory"):
        pages(1 << 60)
