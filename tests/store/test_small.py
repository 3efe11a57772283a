"""Small blobs in batches: the same as one by one."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from mlver.errors import Damaged
from mlver.objects.ids import BlobId
from mlver.storage.memory import MemoryStorage
from mlver.store import codec, small
from mlver.store.chunking import WHOLE
from mlver.store.frames import checksum
from mlver.store.packwriter import make_frame
from mlver.store.small import SmallBlobs, make_frames
from tests.store.kit import open_store


def _blobs(count: int, seed: int = 1) -> list[bytes]:
    rnd = random.Random(seed)
    sizes = [0, 1, codec.SMALLEST - 1, codec.SMALLEST, WHOLE, *(rnd.randrange(20_000) for _ in range(count))]
    return [rnd.randbytes(size) if n % 2 else b"text " * (size // 5) + bytes([n % 256]) for n, size in enumerate(sizes)]


def test_a_batch_makes_the_frames_that_one_by_one_would_be_made() -> None:
    items = [small._Item(BlobId.of(data), data, checksum(data)) for data in _blobs(40)]
    for item, frame in zip(items, make_frames(items), strict=True):
        alone = make_frame(small._BLOB, item.id, item.data)
        if len(item.data) <= codec._SAMPLED_ABOVE:  # longer ones are tried by a sample when they come alone
            assert (frame.row, frame.header, bytes(frame.payload), frame.check) == (
                (alone.row, alone.header, bytes(alone.payload), alone.check)
            )
        assert codec.decode(frame.row.codec, frame.payload, frame.row.raw) == item.data


def test_what_was_added_is_stored_once(tmp_path: Path) -> None:
    store, data = open_store(MemoryStorage()), _blobs(1500)
    with store.session() as session:
        blobs = SmallBlobs(session)
        ids = [blobs.add(one) for one in [*data, *data]]
        blobs.flush()
        session.finish()
    assert ids[: len(data)] == ids[len(data) :] == [BlobId.of(one) for one in data]
    assert session.objects == len(set(data))
    assert [store.get(id) for id in ids[: len(data)]] == data
    with store.session() as again:
        more = SmallBlobs(again)
        assert [more.add(one) for one in data] == ids[: len(data)]
        more.flush()
        assert again.finish() == ()


def test_a_compressor_at_fault_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest: Any = codec.compressor()

    class Faulty:
        def multi_compress_to_buffer(self, pieces: list[bytes], threads: int) -> Any:
            return honest.multi_compress_to_buffer([pieces[0][:-1] + b"?", *pieces[1:]], threads=threads)

    monkeypatch.setattr(codec, "compressor", Faulty)
    items = [small._Item(BlobId.of(data), data, checksum(data)) for data in (b"a" * 5000, b"b" * 5000)]
    with pytest.raises(Damaged, match="memory or library fault"):
        make_frames(items)
