"""The way of a large blob out of its packs: its bytes and no others, however they lie, whatever fails."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlver.errors import Damaged, LocalIO
from mlver.objects.ids import BlobId
from mlver.storage import durable
from mlver.storage.buffers import BLOCK
from mlver.storage.faulty import FaultyStorage
from mlver.storage.local import LocalStorage
from mlver.storage.memory import MemoryStorage
from mlver.store import outflow, runs
from mlver.store.object_store import ObjectStore
from tests.store.kit import noise, open_store, put

LINES = b"".join(b"2024-04-22,%d,clinic-%d,ok\n" % (n, n % 7) for n in range(20_000))
PIECES = [noise(400_000, 1), noise(300_001, 2), LINES, noise(700_000, 3), noise(90_000, 4)]


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (runs, outflow):
        monkeypatch.setattr(module, "RUN_BYTES", 150_000)


def copied(store: ObjectStore, id: BlobId) -> list[bytes]:
    found: list[bytes] = []
    store.copy_blob(id, lambda piece: found.append(bytes(piece)))
    return found


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES), min_size=2, max_size=5), min_size=1, max_size=4))
def test_a_blob_comes_back_from_whatever_packs_its_chunks_lie_in(contents: list[list[bytes]]) -> None:
    store = open_store()
    blobs = [b"".join(parts) for parts in contents]
    ids = [put(store, blob)[0] for blob in blobs]  # each in a pack of its own, but for what is there already
    for id, blob in zip(ids, blobs, strict=True):
        pieces = copied(store, id)
        assert b"".join(pieces) == blob == store.get(id)
        assert len(store.chunks(id)) <= 8 or not any(len(piece) % BLOCK for piece in pieces[:-1])


def test_a_read_that_fails_is_made_up_for_or_told(tmp_path: Path) -> None:
    data = b"".join(PIECES)
    inner = LocalStorage(tmp_path)
    (id,) = put(open_store(inner), data)
    outcomes = set()
    for at in range(1, 60):
        storage = FaultyStorage(inner, at=at, methods=("read",))
        try:
            outcomes.add(b"".join(copied(open_store(storage), id)) == data)
        except (LocalIO, Damaged):
            outcomes.add(None)
        if not storage.fired:
            break
    assert outcomes == {True, None} and at > 10


@pytest.mark.parametrize("most", [1000, 4097, 70_000, 1 << 20])
def test_a_system_that_reads_less_than_asked_for_is_asked_again(
    tmp_path: Path, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(LocalStorage(tmp_path))
    data = b"".join(PIECES[:2] + PIECES[3:])
    (id,) = put(store, data)
    calls = []

    def some(fd: int, parts: Sequence[memoryview], at: int) -> int:
        left, taken = most, []
        for part in parts:
            taken.append(part[:left])
            left -= len(taken[-1])
        calls.append(at)
        return os.preadv(fd, taken, at)

    monkeypatch.setattr(durable.os_calls, "preadv", some, raising=False)
    assert b"".join(copied(store, id)) == data
    assert len(calls) > max(5, 1_400_000 // most)


def test_what_is_in_memory_of_before_is_not_taken_for_what_should_be_read() -> None:
    """The same content over and over: when a read gives nothing, the right bytes may stand there by chance."""
    storage = MemoryStorage()
    store = open_store(storage)
    data = noise(2_000_000, 5)
    (id,) = put(store, data)
    reads, asked = storage.read_into, list[BlobId]()
    load = store._chunk

    def every_second(key: str, start: int, parts: Sequence[memoryview]) -> int:
        asked.append(id)
        return reads(key, start, parts) if len(asked) % 2 else 0

    loaded = []
    storage.read_into = every_second  # type: ignore[method-assign]
    store._chunk = lambda one: loaded.append(one) or load(one)  # type: ignore[method-assign, func-returns-value]
    assert b"".join(copied(store, id)) == data
    assert len(asked) > 4 and len(loaded) > len(store.chunks(id)) // 4


@pytest.mark.parametrize("spot", [10, 40, 70, 5000])
def test_a_damaged_chunk_is_told(spot: int, tmp_path: Path) -> None:
    data = noise(1_500_000, 6)
    store = open_store(LocalStorage(tmp_path))
    (id,) = put(store, data)
    (place,) = store.index.find(1, store.chunks(id)[5][0])
    (pack,) = (tmp_path / "packs").iterdir()
    pack.chmod(0o644)
    with pack.open("r+b") as file:
        file.seek(place.row.offset + spot)
        was = file.read(1)
        file.seek(place.row.offset + spot)
        file.write(bytes((was[0] ^ 1,)))
    if spot == 10:  # the length in the header: the bytes are whole, and proven so by the hash of all
        assert b"".join(copied(store, id)) == data
    else:
        with pytest.raises(Damaged):
            copied(store, id)


def test_a_writer_that_fails_is_told_and_leaves_no_thread() -> None:
    def full(_: object) -> None:
        raise LocalIO("the disk is full")

    store = open_store()
    (id,) = put(store, noise(3_000_000))
    with pytest.raises(LocalIO, match="full"):
        store.copy_blob(id, full)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mlver-")]
