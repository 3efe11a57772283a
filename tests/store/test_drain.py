"""The way of a pack to its disk, and of a stream into the pack: the same bytes however they arrive."""

import io
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from mlver.errors import Damaged, LocalIO
from mlver.storage.buffers import BLOCK
from mlver.storage.faulty import FaultyStorage
from mlver.storage.local import LocalStorage
from mlver.storage.memory import MemoryStorage
from mlver.store import drain, packwriter, stream
from mlver.store.drain import Drain
from tests.store.kit import noise, open_store, put

LINES = b"".join(b"2024-04-22,%d,clinic-%d,ok\n" % (n, n % 7) for n in range(60_000))


class Kept:
    """A writer that keeps what it got, a copy of each piece."""

    def __init__(self, fail_at: int = -1) -> None:
        self.pieces: list[bytes] = []
        self._fail_at = fail_at

    def write(self, data: bytes | memoryview) -> None:
        if len(self.pieces) == self._fail_at:
            raise LocalIO("the disk is full")
        self.pieces.append(bytes(data))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "_PIECE", 4 * BLOCK)
    monkeypatch.setattr(packwriter, "_BATCH", 1 << 14)
    monkeypatch.setattr(stream, "_BUFFER", 1 << 18)
    monkeypatch.setattr(stream, "_PIECE", 1 << 17)


@given(st.lists(st.lists(st.integers(0, 70_000), max_size=5), max_size=8), st.integers(0, 9000))
def test_the_bytes_and_their_hash_do_not_depend_on_the_parts(batches: list[list[int]], start: int) -> None:
    data = noise(sum(map(sum, batches)))
    writer, hasher = Kept(), blake3()
    draining = Drain(writer.write, hasher, start)
    at = 0
    for lengths in batches:
        part = bytearray(data[at : at + sum(lengths)])
        ends = [sum(lengths[: n + 1]) for n in range(len(lengths))]
        draining.put([memoryview(part)[end - length : end] for end, length in zip(ends, lengths, strict=True)])
        part[:] = bytes(len(part))  # whoever put it may use it again at once
        at += len(part)
        draining.digest()
        assert hasher.digest() == blake3(data[:at]).digest()
    draining.finish()
    *pieces, last = writer.pieces
    assert b"".join([*pieces, last]) == data and hasher.digest() == blake3(data).digest()
    places = [start]
    for piece in pieces:
        places.append(places[-1] + len(piece))
    assert not any(place % BLOCK for place in places[1:])


def test_a_disk_that_fails_behind_is_told_at_the_end_at_the_latest() -> None:
    for fail_at in range(4):
        draining = Drain(Kept(fail_at).write, blake3(), 0)
        with pytest.raises(LocalIO, match="full"):
            for _ in range(8):
                draining.put([noise(9000)])
            draining.finish()
        draining.close()


@pytest.mark.parametrize("order", ["ab", "ba", "aba", "bab", "aaaa", "bbbb"])
def test_what_compresses_and_what_does_not_come_back_in_order(tmp_path: Path, order: str) -> None:
    data = b"".join(noise(1_500_000, n) if which == "a" else LINES for n, which in enumerate(order))
    for storage in (LocalStorage(tmp_path), MemoryStorage()):
        store = open_store(storage)
        with store.session() as session:
            id, size = session.put_stream(io.BytesIO(data))
            other, _ = session.put_stream(io.BytesIO(data + b"x"))  # in the same buffers
            session.finish()
        assert size == len(data) and id == blake3(data).digest()
        assert store.get(id) == data and store.get(other) == data + b"x"
        back = bytearray()
        store.copy_blob(id, back.extend)
        assert back == data and store.verify().ok


def test_a_damaged_chunk_stops_a_copy_that_is_written_behind(tmp_path: Path) -> None:
    store = open_store(LocalStorage(tmp_path))
    (id,) = put(store, noise(3_000_000))
    (pack,) = (tmp_path / "packs").iterdir()
    pack.chmod(0o644)
    with pack.open("r+b") as file:
        file.seek(2_000_000)
        file.write(b"damage")
    got = bytearray()
    with pytest.raises(Damaged, match="is damaged"):
        store.copy_blob(id, got.extend)
    assert noise(3_000_000).startswith(bytes(got))


def test_a_file_that_grows_behind_its_end_is_what_it_was_there() -> None:
    left = [noise(300_000), b"", noise(400_000, 1), b""]

    class Growing(io.RawIOBase):
        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            piece = left[0][: len(buffer)]
            left[0] = left[0][len(piece) :]
            if not piece:
                left.pop(0)
            buffer[: len(piece)] = piece
            return len(piece)

    store = open_store()
    with store.session() as session:
        id, size = session.put_stream(Growing())  # type: ignore[arg-type]
        session.finish()
    assert size == 300_000 and store.get(id) == noise(300_000)


def test_a_fault_on_the_way_of_a_large_pack_leaves_nothing(tmp_path: Path) -> None:
    for at in range(1, 12):
        storage = FaultyStorage(LocalStorage(tmp_path / str(at)), at=at)
        try:
            with open_store(storage).session() as session:
                session.put_stream(io.BytesIO(noise(600_000)))
                session.finish()
        except LocalIO:
            pass
        left = list((tmp_path / str(at)).rglob("*.pack"))
        assert open_store(LocalStorage(tmp_path / str(at))).verify().ok and len(left) <= 1
        assert not list((tmp_path / str(at)).rglob(".tmp-*"))
