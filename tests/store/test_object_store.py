import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from mlver.errors import Damaged, LocalIO
from mlver.objects.commit import Commit, Environment
from mlver.objects.ids import BlobId, CommitId, TreeId
from mlver.objects.tree import Entry, Tree
from mlver.storage.faulty import FaultyStorage
from mlver.storage.local import LocalStorage
from mlver.storage.memory import MemoryStorage
from mlver.store.frames import MAX_CHUNK
from tests.store.kit import noise, open_store, packs, put, replace

BIG = noise(700_000)
COMMIT = Commit(TreeId(bytes(32)), (), "ana", datetime(2024, 4, 1, tzinfo=UTC), "first")


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_blobs_come_back(contents: list[bytes]) -> None:
    store = open_store()
    for id, content in zip(put(store, *contents), contents, strict=True):
        assert id == BlobId.of(content)
        assert store.get(id) == content and store.blob_size(id) == len(content) and store.has(id)


@pytest.mark.parametrize(
    "size", [0, 1, 65_535, 65_536, 65_537, 100_000, MAX_CHUNK, MAX_CHUNK + 1, 700_000, (8 << 20) + 300_000, 20 << 20]
)
@pytest.mark.parametrize("filler", [noise, bytes], ids=["noise", "zeros"])
def test_blobs_of_every_size_come_back(size: int, filler) -> None:
    store, content = open_store(), filler(size)
    (id,) = put(store, content)
    assert id == BlobId.of(content) and store.blob_size(id) == size
    assert hashlib.sha256(store.get(id)).digest() == hashlib.sha256(content).digest()
    with store.open_blob(id) as stream:
        assert hashlib.sha256(stream.read()).digest() == hashlib.sha256(content).digest()


def test_the_id_is_what_b3sum_prints(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(BIG)
    store = open_store()
    with store.session() as session, path.open("rb") as stream:
        id, size = session.put_stream(stream)
        session.finish()
    hasher = blake3()
    hasher.update_mmap(path)
    assert str(id) == hasher.hexdigest() and size == len(BIG)
    assert BlobId.of(b"").hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


def test_typed_objects_come_back() -> None:
    store = open_store()
    tree = Tree((Entry("a", "blob", "data", BlobId.of(b"x"), 1),))
    environment = Environment("3.11", "CPython", "linux", {"numpy": "2.0"})
    with store.session() as session:
        tree_id, environment_id = session.put_object(tree), session.put_object(environment)
        commit_id = session.put_object(COMMIT)
        session.finish()
    assert type(tree_id) is TreeId and type(commit_id) is CommitId
    again = open_store(store.storage)
    assert again.get_object(Tree, tree_id) == tree
    assert again.get_object(Environment, environment_id) == environment
    assert again.get_object(Commit, commit_id) == COMMIT
    assert again.get_object(Commit, commit_id) is again.get_object(Commit, commit_id)


def test_an_id_of_another_type_is_not_there() -> None:
    store = open_store()
    with store.session() as session:
        id = session.put_object(Tree(()))
        session.finish()
    assert store.has(id) and not store.has(CommitId(id)) and not store.has(BlobId(id))
    with pytest.raises(Damaged, match=f"missing object commit {id}"):
        store.get_object(Commit, CommitId(id))


def test_what_is_missing_is_named() -> None:
    store = open_store()
    id = BlobId.of(b"never stored")
    assert not store.has(id)
    for call in (store.get, store.blob_size, store.open_blob, lambda i: store.copy_blob(i, print)):
        with pytest.raises(Damaged, match=f"missing object blob {id}"):
            call(id)


def test_equal_chunks_are_stored_once() -> None:
    storage = MemoryStorage()
    store = open_store(storage)
    put(store, BIG)
    size = storage.size(packs(storage)[0])
    put(store, BIG[:350_000] + b"four KiB more" * 315 + BIG[350_000:])
    assert sum(map(storage.size, packs(storage))) - size < 4 * MAX_CHUNK // 2
    put(store, BIG, BIG, b"x", b"x")
    assert len(packs(storage)) == 3


def test_a_chunk_of_a_file_is_the_same_as_a_file_of_those_bytes() -> None:
    store = open_store()
    (id,) = put(store, BIG)
    chunk, length = store.chunks(id)[0]
    before = packs(store.storage)
    assert put(store, BIG[:length]) == [chunk]
    assert packs(store.storage) == before


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-800_000, 800_000), st.integers(-1, 300_000)), max_size=12))
def test_a_reader_reads_and_seeks_like_a_file(steps: list[tuple[int, int, int]]) -> None:
    store = _stored()
    ours, theirs = store.open_blob(BlobId.of(BIG)), io.BytesIO(BIG)
    with ours:
        assert ours.readable() and ours.seekable() and not ours.writable()
        for whence, offset, size in steps:
            try:
                moved = theirs.seek(min(offset, 0) if whence == 2 else offset, whence)
            except ValueError:
                with pytest.raises(ValueError, match="negative"):
                    ours.seek(offset, whence)
                continue
            if whence == 1 and theirs.tell() + offset < 0:
                continue
            assert ours.seek(moved) == moved
            assert ours.read(size) == theirs.read(size)
            assert ours.tell() == theirs.tell()


_kept: list = []


def _stored():
    if not _kept:
        _kept.append(open_store())
        put(_kept[0], BIG)
    return _kept[0]


def test_a_reader_reads_only_the_chunks_it_needs() -> None:
    storage = FaultyStorage(MemoryStorage(), methods=("read",))
    store = open_store(storage)
    (id,) = put(store, noise(5 << 20))
    with store.open_blob(id) as stream:
        storage.calls.clear()
        stream.seek(3 << 20)
        assert stream.read(10) == noise(5 << 20)[3 << 20 :][:10]
    assert len(storage.calls) <= 2


def test_a_damaged_chunk_is_named_and_the_rest_is_read() -> None:
    storage = MemoryStorage()
    store = open_store(storage)
    (id,) = put(store, BIG)
    (key,) = packs(storage)
    data = storage.read(key)
    at = data.index(BIG[400_000:400_100])
    replace(storage, key, data[:at] + b"!" + data[at + 1 :])
    hurt = next(c for (c, n), end in zip(store.chunks(id), _ends(store.chunks(id)), strict=True) if end > 400_000)
    for call in (store.get, lambda i: store.copy_blob(i, lambda _: None), lambda i: store.open_blob(i).read()):
        with pytest.raises(Damaged, match=f"blob {hurt} in pack {key[6:-5]} at byte"):
            call(id)
    assert store.open_blob(id).read(1000) == BIG[:1000]


def _ends(chunks) -> list[int]:
    total, ends = 0, []
    for _, length in chunks:
        total += length
        ends.append(total)
    return ends


def test_a_second_sound_copy_is_found() -> None:
    one, two, both = MemoryStorage(), MemoryStorage(), MemoryStorage()
    (id,) = put(open_store(one), BIG)
    put(open_store(two), b"another", BIG)
    for storage in (one, two):
        (key,) = packs(storage)
        both.create(key, storage.read(key))
    store = open_store(both)
    for key in packs(both):
        data = both.read(key)
        at = data.index(BIG[400_000:400_100])
        replace(both, key, data[:at] + b"!" + data[at + 1 :])
        assert store.get(id) == BIG and store.open_blob(id).read() == BIG
        report = store.verify()
        assert not report.ok and not report.lost
        replace(both, key, data)


def test_a_lost_pack_is_noticed() -> None:
    storage = MemoryStorage()
    store = open_store(storage)
    (id,) = put(store, b"hello")
    storage.delete(packs(storage)[0])
    assert not store.has(id)
    with pytest.raises(Damaged, match="missing object"):
        store.get(id)


def test_a_pack_another_process_wrote_is_found() -> None:
    storage = MemoryStorage()
    reader, writer = open_store(storage), open_store(storage)
    small, big = put(writer, b"hello", BIG)
    assert reader.has(small) and reader.has(big, deep=True)
    late = put(writer, b"late", BIG[1:])
    assert reader.get(late[0]) == b"late" and reader.open_blob(late[1]).read() == BIG[1:]


def test_deep_has_looks_at_every_chunk() -> None:
    storage = MemoryStorage()
    store = open_store(storage)
    put(store, BIG[:300_000])
    store = open_store(storage)
    (id,) = put(store, BIG)
    assert store.has(id, deep=True)
    (early,) = [key for key in packs(storage) if BIG[:100] in storage.read(key)]
    storage.delete(early)
    assert open_store(storage).has(id) and not open_store(storage).has(id, deep=True)


def test_a_disk_that_fails_to_read_is_damage_and_named() -> None:
    import errno

    def broken() -> BaseException:
        error = LocalIO("cannot read packs/x: the disk reports an error")
        error.__cause__ = OSError(errno.EIO, "Input/output error")
        return error

    inner = MemoryStorage()
    (id,) = put(open_store(inner), b"hello")
    store = open_store(inner)
    store.storage = FaultyStorage(inner, 1, methods=("read",), error=broken, dead=True)
    with pytest.raises(Damaged, match=f"blob {id}.*the disk reports an error"):
        store._read(1, id)


def test_a_store_on_disk_survives_reopening(tmp_path: Path) -> None:
    store = open_store(LocalStorage(tmp_path), tmp_path / "cache" / "objects.db")
    ids = put(store, b"a", BIG, b"")
    store.close()
    again = open_store(LocalStorage(tmp_path), tmp_path / "cache" / "objects.db")
    assert [again.get(id) for id in ids] == [b"a", BIG, b""]
    again.close()
    assert oct((tmp_path / packs(again.storage)[0]).stat().st_mode & 0o777) == "0o444"
