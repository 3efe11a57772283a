"""Objects on their way from one store to another: what is missing, checked, whole or not at all."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mlver.errors import Damaged, LocalIO
from mlver.index.locations import Locations
from mlver.objects.ids import BlobId
from mlver.storage.base import Storage
from mlver.storage.faulty import FaultyStorage
from mlver.storage.local import LocalStorage
from mlver.storage.memory import MemoryStorage
from mlver.store import transfer as transfer_module
from mlver.store.frames import LIST, TYPES, pack_list
from mlver.store.object_store import ObjectStore
from mlver.store.pack import list_packs, pack_key
from mlver.store.packwriter import PackWriter, make_frame
from mlver.store.transfer import Transfer


@pytest.fixture(params=["local", "memory"])
def storages(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Storage, Storage]:
    if request.param == "memory":
        return MemoryStorage("source"), MemoryStorage("target")
    return LocalStorage(tmp_path / "source"), LocalStorage(tmp_path / "target")


def store(storage: Storage) -> ObjectStore:
    return ObjectStore(storage, Locations.open(None, storage))


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def put(where: ObjectStore, *contents: bytes) -> list[BlobId]:
    """Store blobs in one pack."""
    with where.session() as session:
        ids = [session.put_bytes(content) for content in contents]
        session.finish()
    return ids


def moved(source: ObjectStore, target: ObjectStore, *ids: BlobId) -> int:
    transfer = Transfer(source, target)
    for id in ids:
        transfer.add_blob(id)
    return transfer.run().bytes


def test_a_blob_arrives_as_it_was(storages: tuple[Storage, Storage]) -> None:
    source, target = map(store, storages)
    contents = [b"", b"small", noise(300_000), b"a" * 500_000]
    ids = put(source, *contents)
    moved(source, target, *ids)
    assert [target.get(id) for id in ids] == contents
    assert target.verify().ok


def test_what_is_there_already_is_not_sent(storages: tuple[Storage, Storage]) -> None:
    source, target = map(store, storages)
    data = noise(2_000_000)
    (old,) = put(source, data)
    moved(source, target, old)
    (new,) = put(source, data[:1_000_000] + b"changed" + data[1_000_000:])
    sent = moved(source, target, new)
    assert 0 < sent < 300_000, "the chunks around the change and the list"
    assert moved(source, target, new, old) == 0
    assert store(target.storage).get(new) == source.get(new)
    assert target.verify().ok


def test_a_large_pack_goes_as_it_is_and_small_ones_are_put_together(storages: tuple[Storage, Storage]) -> None:
    source, target = map(store, storages)
    (large,) = put(source, noise(5 << 20))
    whole = set(list_packs(source.storage))
    small = [put(source, noise(1000, seed))[0] for seed in range(20)]
    moved(source, target, large, *small)
    there = set(list_packs(target.storage))
    assert whole < there and len(there) == 2
    assert target.verify().ok


def test_a_pack_of_which_little_is_wanted_is_not_copied(storages: tuple[Storage, Storage]) -> None:
    source, target = map(store, storages)
    wanted, _ = put(source, noise(100_000), noise(6 << 20, seed=2))
    assert moved(source, target, wanted) < 200_000
    assert target.get(wanted) == noise(100_000)


def flip(storage: Storage, key: str, at: int) -> None:
    data = bytearray(storage.read(key))
    data[at] ^= 1
    storage.delete(key)
    storage.create(key, bytes(data))


@pytest.mark.parametrize("size", [200_000, 5 << 20], ids=["frames", "whole pack"])
def test_a_flipped_byte_is_found_and_nothing_of_its_pack_arrives(storages: tuple[Storage, Storage], size: int) -> None:
    source, target = map(store, storages)
    (id,) = put(source, noise(size))
    (name,) = list_packs(source.storage)
    rnd = random.Random(3)
    length = source.storage.size(pack_key(name))
    for at in [*rnd.sample(range(length - 200), 8), length - 1, length - 40, length - 100]:
        flip(source.storage, pack_key(name), at)
        try:
            moved(store(source.storage), target, id)
        except Damaged:
            assert list(target.storage.list("")) == []
        else:  # the table or the footer of a pack of which single frames were taken
            assert store(target.storage).get(id) == noise(size) and size < 1 << 20
            for key in [*target.storage.list("")]:
                target.storage.delete(key)
        target.index.rebuild()
        flip(source.storage, pack_key(name), at)


@pytest.mark.parametrize("size", [200_000, 5 << 20], ids=["frames", "whole pack"])
@pytest.mark.parametrize("lie", ["other order", "cut", "twice", "other length"])
def test_a_chunk_list_that_lies_is_refused(storages: tuple[Storage, Storage], size: int, lie: str) -> None:
    source, target = map(store, storages)
    id = BlobId.of(noise(size))
    honest = store(MemoryStorage())
    put(honest, noise(size))
    chunks = honest.chunks(id)
    items = {
        "other order": [chunks[1], chunks[0], *chunks[2:]],
        "cut": chunks[:-1],
        "twice": [*chunks, chunks[-1]],
        "other length": [(chunks[0][0], chunks[0][1] - 1), *chunks[1:]],
    }[lie]
    writer = PackWriter(source.storage)
    for chunk, _ in chunks:
        writer.append(make_frame(TYPES["blob"], chunk, honest.get(chunk)))
    writer.append(make_frame(TYPES[LIST], id, pack_list(items)))
    writer.finish()
    source.index.refresh()
    with pytest.raises(Damaged):
        moved(source, target, id)
    assert list(target.storage.list("")) == []


def test_chunks_that_lie_in_any_order_and_other_packs_are_put_together(storages: tuple[Storage, Storage]) -> None:
    source, target = map(store, storages)
    data = noise(5 << 20)
    half = len(data) // 2
    put(source, data[half:])
    (id, twice) = put(source, data, data + data)
    moved(source, target, twice)
    moved(source, target, id)
    assert target.get(id) == data and target.get(twice) == data + data
    assert target.verify().ok


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_transfer_cut_short_anywhere_goes_on_without_sending_packs_again(
    storages: tuple[Storage, Storage], after: bool
) -> None:
    source, inner = store(storages[0]), storages[1]
    ids = put(source, noise(5 << 20)) + put(source, noise(5 << 20, 2)) + put(source, b"x") + put(source, noise(9))
    at = 0
    while True:
        at += 1
        faulty = FaultyStorage(inner, at, after=after, dead=True)
        target = store(faulty)
        try:
            moved(source, target, *ids)
        except LocalIO:
            assert store(inner).verify().ok
            there = len(list(list_packs(inner)))
            left = Transfer(source, store(inner))
            for id in ids:
                left.add_blob(id)
            assert left.planned.bytes <= (10 << 20) - (5 << 20) * min(there, 2) + (1 << 20)
            left.close()
            for key in [*inner.list("")]:
                inner.delete(key)
            continue
        break
    assert at > 3
    assert [store(inner).get(id) for id in ids] == [source.get(id) for id in ids]


def test_a_bomb_does_not_unpack_more_than_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = store(MemoryStorage()), store(MemoryStorage())
    writer = PackWriter(source.storage)
    for n in range(60):
        data = bytes([n]) * 250_000
        writer.append(make_frame(TYPES["blob"], BlobId.of(data), data))
    name = writer.finish().name
    assert source.storage.size(pack_key(name)) < 100_000
    monkeypatch.setattr(transfer_module, "_COPIED_FROM", 0)
    monkeypatch.setattr(transfer_module, "_RAW_RUN", 4 << 20)
    sizes = []
    run = transfer_module._runs

    def counting(rows):  # type: ignore[no-untyped-def]
        for part in run(rows):
            sizes.append(sum(row.raw for row in part))
            yield part

    monkeypatch.setattr(transfer_module, "_runs", counting)
    source.index.refresh()
    transfer = Transfer(source, target)
    transfer.add_pack(name)
    transfer.run()
    assert len(sizes) > 3 and max(sizes) <= 4 << 20
    assert list(list_packs(target.storage)) == [name]
