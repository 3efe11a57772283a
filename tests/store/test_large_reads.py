"""A large read of a blob takes the chunks that lie behind each other at once, and checks each of them."""

from __future__ import annotations

from mlver.storage.faulty import FaultyStorage
from mlver.storage.memory import MemoryStorage
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
