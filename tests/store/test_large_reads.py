"""A large read of a blob takes the chunks that lie behind each other at once, and checks each of them."""

from __future__ import annotations

from mlver.objects.ids import BlobId
from mlver.storage.faulty import FaultyStorage
from mlver.storage.memory import MemoryStorage
from mlver.store.frames import HEADER_BYTES, TYPES
from mlver.store.pack import pack_key
from tests.store.kit import noise, open_store, put

SIZE = 12 << 20


def test_a_large_read_takes_few_calls() -> None:
    storage = FaultyStorage(MemoryStorage(), methods=("read",))
    store = open_store(storage)
    content = noise(SIZE)
    (id,) = put(store, content)
    assert len(store.chunks(id)) > 100
    with store.open_blob(id) as stream:
        storage.calls.clear()
        stream.seek(1000)
        assert stream.read(10 << 20) == content[1000 : 1000 + (10 << 20)]
    assert len(storage.calls) <= 8


def test_what_one_large_read_brought_is_not_kept() -> None:
    store = open_store()
    (id,) = put(store, noise(SIZE))
    with store.open_blob(id) as stream:
        assert stream.read(9 << 20) == noise(SIZE)[: 9 << 20]
        _, held = stream.raw._held  # type: ignore[attr-defined]
        assert len(held) < 1 << 20 and isinstance(held, bytes)


def test_small_blobs_that_lie_behind_each_other_are_read_at_once() -> None:
    storage = FaultyStorage(MemoryStorage(), methods=("read",))
    store = open_store(storage)
    contents = [noise(1000 + number, number) for number in range(700)]
    ids = put(store, *contents)
    storage.calls.clear()
    assert [bytes(data or b"") for data in store.small_blobs(ids)] == contents
    assert len(storage.calls) <= 4


def test_what_is_no_small_sound_blob_is_left_to_others() -> None:
    storage = MemoryStorage()
    store = open_store(storage)
    small, large, other = put(store, noise(3000, 1), noise(SIZE, 2), noise(3000, 3))
    place = store.place(TYPES["blob"], small)
    assert place is not None
    key = pack_key(place.pack)
    spoilt = bytearray(storage.read(key))
    spoilt[place.row.offset + HEADER_BYTES + 10] ^= 1
    storage.delete(key)
    storage.create(key, bytes(spoilt))
    lost = BlobId.of(b"never stored")
    found = list(store.small_blobs([small, lost, large, other]))
    assert found[:3] == [None, None, None] and bytes(found[3] or b"") == noise(3000, 3)
