import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlver.errors import Conflict, Damaged, LocalIO, MlverError, Refused
from mlver.index.locations import Locations
from mlver.objects.ids import BlobId
from mlver.objects.tree import Tree
from mlver.storage.faulty import FaultyStorage
from mlver.storage.local import LocalStorage
from mlver.storage.memory import MemoryStorage
from mlver.store import codec, session
from mlver.store.object_store import ObjectStore
from mlver.store.pack import read_rows
from mlver.testing import Killed, faulty_calls
from tests.store.kit import noise, open_store, packs, put, replace

BIG = noise(700_000, 1)


def test_nothing_new_makes_no_pack() -> None:
    store = open_store()
    with store.session() as writing:
        assert writing.finish() == ()
    put(store, b"a", BIG)
    with store.session() as writing:
        writing.put_bytes(b"a")
        writing.put_stream(io.BytesIO(BIG))
        assert writing.finish() == ()
        assert writing.objects == 0
    assert len(packs(store.storage)) == 1


def test_everything_new_lies_in_one_pack() -> None:
    store = open_store()
    with store.session() as writing:
        for n in range(50):
            writing.put_bytes(b"%d" % n)
        writing.put_stream(io.BytesIO(BIG))
        writing.put_object(Tree(()))
        assert len(writing.finish()) == 1
        assert writing.written == store.storage.size(packs(store.storage)[0])


def test_a_session_left_early_writes_nothing() -> None:
    store = open_store()
    with store.session() as writing:
        writing.put_stream(io.BytesIO(BIG))
    with pytest.raises(ZeroDivisionError), store.session() as writing:
        writing.put_bytes(b"a")
        raise ZeroDivisionError
    assert packs(store.storage) == [] and not store.has(BlobId.of(BIG))
    with pytest.raises(LocalIO, match="closed"):
        writing.put_bytes(b"b")


def test_a_session_knows_what_was_put_in_it() -> None:
    store = open_store()
    (old,) = put(store, b"old")
    with store.session() as writing:
        new = writing.put_bytes(b"new")
        assert writing.has(new) and writing.has(old) and not writing.has(BlobId.of(b"other"))
        assert not store.has(new)
        writing.finish()
    assert store.has(new)


def test_progress_adds_up_to_the_size() -> None:
    seen: list[int] = []
    with open_store().session() as writing:
        data = noise(17 << 20)
        writing.put_stream(io.BytesIO(data), seen.append)
        assert sum(seen) == len(data) and len(seen) > 1
        writing.put_stream(io.BytesIO(b"abc"), seen.append)
        assert seen[-1] == 3


def test_a_full_pack_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PACK_TARGET", 500_000)
    store = open_store()
    data = noise(20 << 20)
    with store.session() as writing:
        small = [writing.put_bytes(noise(60_000, n)) for n in range(20)]
        (id, _) = writing.put_stream(io.BytesIO(data))
        names = writing.finish()
    assert len(names) > 3 and len(packs(store.storage)) == len(set(names))
    again = open_store(store.storage)
    assert again.get(id) == data and all(again.get(b) == noise(60_000, n) for n, b in enumerate(small))
    assert again.verify().ok


def test_an_object_too_large_for_the_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MAX_OBJECT", 5)
    with open_store().session() as writing, pytest.raises(Refused, match="tree"):
        writing.put_object(Tree(()))


def test_a_source_that_fails_leaves_nothing(tmp_path: Path) -> None:
    class Failing(io.BytesIO):
        def readinto(self, buffer) -> int:
            if self.tell() > 30 << 20:
                raise LocalIO("cannot read x")
            return super().readinto(memoryview(buffer)[: 1 << 20])

    store = open_store(LocalStorage(tmp_path))
    with pytest.raises(LocalIO), store.session() as writing:
        writing.put_stream(Failing(noise(40 << 20)))
    assert list((tmp_path / "packs").iterdir()) == []


def test_a_compressor_that_fails_stops_the_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "decompress", lambda payload, raw: bytes(raw))
    store = open_store()
    with pytest.raises(Damaged, match="fault"), store.session() as writing:
        writing.put_stream(io.BytesIO(b"text " * 300_000))
    assert packs(store.storage) == []


def test_a_fault_at_any_call_of_the_storage_leaves_the_old_state_or_the_new() -> None:
    fired = 0
    for after in (False, True):
        for at in range(1, 100):
            inner = MemoryStorage()
            (old,) = put(open_store(inner), b"old")
            storage = FaultyStorage(inner, at, after=after, dead=True)
            try:
                put(open_store(storage), BIG, b"small")
            except LocalIO:
                fired += storage.fired
            store = open_store(inner)
            assert store.verify().ok and store.get(old) == b"old"
            assert store.has(BlobId.of(BIG), deep=True) == store.has(BlobId.of(b"small"))
            assert put(store, BIG) == [BlobId.of(BIG)] and store.get(BlobId.of(BIG)) == BIG
            if not storage.fired:
                break
        else:
            raise AssertionError("the fault was never past the last call")
    assert fired >= 4


@pytest.mark.parametrize("fail", [5, 28, 30, Killed], ids=["EIO", "ENOSPC", "EROFS", "killed"])
def test_a_fault_at_any_system_call_leaves_the_old_state_or_the_new(tmp_path: Path, fail: int | type[Killed]) -> None:
    for at in range(1, 200):
        folder = tmp_path / str(at)
        (old,) = put(open_store(LocalStorage(folder)), b"old")
        with faulty_calls(at, fail) as rig:
            try:
                put(open_store(LocalStorage(folder)), noise(70_000), b"small")
            except (MlverError, Killed) as error:
                assert rig.fired and (fail is Killed) == isinstance(error, Killed)
                assert fail is Killed or getattr(error, "exit_code", 0) in (5, 7)
        store = open_store(LocalStorage(folder))
        assert store.verify().ok and store.get(old) == b"old"
        if not rig.fired:
            assert store.has(BlobId.of(b"small")) and at > 20
            return
        if fail is not Killed and rig.log[at - 1] != "unlink":
            assert [path for path in (folder / "packs").iterdir() if path.suffix != ".pack"] == []
    raise AssertionError("the fault was never past the last call")


def test_a_pack_that_vanishes_under_a_session_is_a_conflict() -> None:
    storage = MemoryStorage()
    store = open_store(storage)
    put(store, b"old")
    (key,) = packs(storage)
    with store.session() as writing:
        writing.put_bytes(b"old")
        storage.delete(key)
        with pytest.raises(Conflict, match="removed"):
            writing.finish()
    assert store.get(put(store, b"old")[0]) == b"old"


def test_an_index_that_lies_never_stops_data_from_being_written() -> None:
    storage = MemoryStorage()
    store = open_store(storage)
    put(store, b"old")
    (place,) = store.index.find(1, BlobId.of(b"old"))

    class Liar:
        def find(self, type: int, id: bytes) -> list:
            return [place._replace(row=place.row._replace(id=bytes(id)))]

        def add_pack(self, *_: object) -> None: ...

    store.index = Liar()
    (id,) = put(store, b"new")
    assert open_store(storage).get(id) == b"new"


def test_sessions_at_the_same_time(tmp_path: Path) -> None:
    def write(n: int) -> None:
        store = open_store(LocalStorage(tmp_path), tmp_path / "cache" / "objects.db")
        for k in range(5):
            put(store, BIG, b"same", b"%d %d" % (n, k))
        store.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))  # raises what went wrong
    store = open_store(LocalStorage(tmp_path), tmp_path / "cache" / "objects.db")
    assert store.verify().ok
    assert all(store.get(BlobId.of(b"%d %d" % (n, k))) for n in range(4) for k in range(5))
    store.close()


def test_many_objects_of_a_pack_are_looked_up_in_its_own_key_table(tmp_path: Path) -> None:
    blobs = [b"blob %d" % n for n in range(200)]
    store = open_store(LocalStorage(tmp_path))
    put(store, *blobs)
    with faulty_calls(only=("pread",)) as rig, store.session() as writing:
        for blob in blobs:
            writing.put_bytes(blob)
        assert writing.finish() == ()
    assert len(rig.log) < 40


@pytest.mark.parametrize("table", ["right", "damaged"])
def test_an_index_that_lies_of_many_objects_never_stops_data_from_being_written(tmp_path: Path, table: str) -> None:
    blobs = [b"blob %d" % n for n in range(200)]
    store = open_store(LocalStorage(tmp_path))
    put(store, *blobs[:100])
    (key,) = packs(store.storage)
    name = key[6:-5]
    size, rows = read_rows(store.storage, name)
    if table == "damaged":
        data = bytearray(store.storage.read(key))
        data[-200] ^= 1
        replace(store.storage, key, bytes(data))
    lies = [row._replace(id=BlobId.of(blob)) for row, blob in zip(rows, blobs[100:], strict=True)]
    index = Locations(None, store.storage)
    index.add_pack(name, size, [*rows, *lies])
    store = ObjectStore(LocalStorage(tmp_path), index)
    with store.session() as writing:
        ids = [writing.put_bytes(blob) for blob in blobs]
        assert len(writing.finish()) == 1 and writing.objects == 100
    assert [open_store(LocalStorage(tmp_path)).get(id) for id in ids] == blobs
