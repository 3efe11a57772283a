"""The table of locations is a cache: it may be deleted, damaged, locked or out of date, and no answer changes."""

import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlver.errors import Damaged
from mlver.index.locations import Locations
from mlver.objects.commit import Commit
from mlver.objects.ids import BlobId, CommitId, TreeId
from mlver.objects.tree import Tree
from mlver.storage.faulty import FaultyStorage
from mlver.storage.local import LocalStorage
from mlver.storage.memory import MemoryStorage
from mlver.store.object_store import ObjectStore
from tests.store.kit import noise, open_store, packs, put, replace

BIG = noise(300_000, 3)
BLOBS = [b"blob %d" % n for n in range(20)] + [BIG]


def commits(count: int) -> list[Commit]:
    return [Commit(TreeId.of(b""), (), "ana", datetime(2024, 1, 1, tzinfo=UTC), f"number {n}") for n in range(count)]


def filled(storage: LocalStorage | MemoryStorage, count: int = 10) -> list[CommitId]:
    """Store some blobs and commits, in two packs."""
    store = open_store(storage)
    put(store, *BLOBS)
    with store.session() as session:
        ids = [session.put_object(commit) for commit in commits(count)]
        session.put_object(Tree(()))
        session.finish()
    return ids


def answers(path: Path | None, storage: LocalStorage) -> tuple[object, ...]:
    store = open_store(storage, path)
    try:
        ids = filled_ids()
        return (
            [store.get(BlobId.of(blob)) for blob in BLOBS],
            [store.get_object(Commit, id) for id in ids],
            [store.index.prefix(id.hex()[:12], ("commit",)) for id in ids],
            store.has(BlobId.of(b"other")),
        )
    finally:
        store.close()


def filled_ids() -> list[CommitId]:
    from mlver.objects.encoding import encode

    return [CommitId.of(encode(commit)) for commit in commits(10)]


def expected() -> tuple[object, ...]:
    return BLOBS, commits(10), [[id] for id in filled_ids()], False


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    storage = LocalStorage(tmp_path / "dot")
    assert filled(storage) == filled_ids()
    return storage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dot" / "cache" / "objects.db"


def test_an_object_is_found_by_type_and_id() -> None:
    storage = MemoryStorage()
    filled(storage)
    index = Locations.open(None, storage)
    (place,) = index.find(1, BlobId.of(BLOBS[0]))
    assert f"packs/{place.pack}.pack" in packs(storage) and place.row.raw == len(BLOBS[0])
    assert index.find(3, BlobId.of(BLOBS[0])) == []


def test_every_copy_is_listed() -> None:
    storage, other = MemoryStorage(), MemoryStorage()
    put(open_store(storage), b"a")
    put(open_store(other), b"a", b"b")
    (key,) = packs(other)
    storage.create(key, other.read(key))
    assert len(Locations.open(None, storage).find(1, BlobId.of(b"a"))) == 2


def test_prefixes_find_ids_of_the_types_asked_for() -> None:
    storage = MemoryStorage()
    ids = filled(storage, 300)
    index = Locations.open(None, storage)
    for length in (0, 1, 2, 3, 7, 64):
        for id in ids[:20]:
            prefix = id.hex()[:length]
            assert index.prefix(prefix, ("commit",)) == sorted(i for i in ids if i.hex().startswith(prefix))
    assert all(type(id) is CommitId for id in index.prefix("", ("commit",)))
    assert {type(id) for id in index.prefix("", ("commit", "tree"))} == {CommitId, TreeId}
    assert index.prefix(ids[0].hex()[:8].upper(), ("commit",)) == [ids[0]]
    assert index.prefix(ids[0].hex()[:8], ("tree",)) == []


@pytest.mark.parametrize("text", ["xyz", "12 34", " 12", "é", "0" * 65, "-1"])
def test_what_is_no_hex_has_no_ids(text: str) -> None:
    storage = MemoryStorage()
    filled(storage)
    assert Locations.open(None, storage).prefix(text, ("commit",)) == []


def test_all_ids_of_a_type() -> None:
    storage = MemoryStorage()
    ids = filled(storage)
    index = Locations.open(None, storage)
    assert list(index.ids("commit")) == sorted(ids) and len(list(index.ids("tree"))) == 1
    assert {BlobId.of(blob) for blob in BLOBS[:20]} <= set(index.ids("blob"))


def test_opening_with_nothing_changed_reads_no_pack(storage: LocalStorage, path: Path) -> None:
    Locations.open(path, storage).close()
    watched = FaultyStorage(storage, methods=("read", "size", "list"))
    index = Locations.open(path, watched)
    assert watched.calls == ["list"]
    assert index.find(1, BlobId.of(BLOBS[0]))
    index.close()


def test_packs_that_come_and_go_are_followed(storage: LocalStorage, path: Path) -> None:
    index = Locations.open(path, storage)
    assert index.refresh() is False
    put(open_store(storage), b"late")
    assert index.refresh() is True and index.find(1, BlobId.of(b"late"))
    for key in packs(storage):
        storage.delete(key)
    assert index.refresh() is True
    assert not index.find(1, BlobId.of(b"late")) and not list(index.ids("commit"))
    index.close()


def test_a_pack_with_a_damaged_table_is_read_frame_by_frame(storage: LocalStorage, path: Path) -> None:
    for key in packs(storage):
        file = storage.path(key)
        file.chmod(0o644)
        file.write_bytes(file.read_bytes()[:-80])
    assert answers(path, storage) == expected()


def test_a_deleted_cache_changes_no_answer(storage: LocalStorage, path: Path) -> None:
    assert answers(path, storage) == expected()
    path.unlink()
    assert answers(path, storage) == expected()
    path.unlink()
    path.parent.rmdir()
    assert answers(path, storage) == expected() == answers(None, storage)


@pytest.mark.parametrize("content", [b"", b"garbage", b"SQLite format 3\0" + bytes(5000), noise(50_000)])
def test_a_cache_that_is_garbage_changes_no_answer(storage: LocalStorage, path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert answers(path, storage) == expected()
    assert answers(path, storage) == expected()


def test_a_cache_of_another_program_or_version_is_made_anew(storage: LocalStorage, path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.executescript("CREATE TABLE objects (x); INSERT INTO objects VALUES (1); PRAGMA user_version = 99")
    db.close()
    assert answers(path, storage) == expected()


@given(st.data())
def test_a_damaged_cache_changes_no_answer(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    if not _damage:
        folder = tmp_path_factory.mktemp("damage")
        storage = LocalStorage(folder / "dot")
        filled(storage)
        assert answers(folder / "objects.db", storage) == expected()
        _damage.append((folder / "objects.db", storage, (folder / "objects.db").read_bytes()))
    path, storage, whole = _damage[0]
    bad = bytearray(whole)
    for at in data.draw(st.lists(st.integers(0, len(bad) - 1), min_size=1, max_size=5)):
        bad[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(bad))))
    path.write_bytes(bad[:cut])
    assert answers(path, storage) == expected()


_damage: list[tuple[Path, LocalStorage, bytes]] = []


def test_a_folder_where_the_cache_should_be_changes_no_answer(storage: LocalStorage, path: Path) -> None:
    path.mkdir(parents=True)
    assert answers(path, storage) == expected()


def test_a_file_where_the_folder_should_be_changes_no_answer(storage: LocalStorage, path: Path) -> None:
    path.parent.write_text("?")
    assert answers(path, storage) == expected()


def test_a_cache_that_cannot_be_written_is_used_and_goes_on_in_memory(
    storage: LocalStorage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Locations.open(path, storage).close()
    before = path.read_bytes()
    connect = sqlite3.connect

    def read_only(where: object, **options: object) -> sqlite3.Connection:  # root may write anything otherwise
        return connect(where if where == ":memory:" else f"file:{where}?mode=ro", uri=True, **options)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    assert answers(path, storage) == expected()
    late = put(open_store(storage), b"late")[0]
    index = Locations.open(path, storage)
    assert index.find(1, late)
    assert index.prefix(filled_ids()[0].hex(), ("commit",)) == [filled_ids()[0]]
    index.close()
    assert path.read_bytes() == before


def test_a_cache_locked_by_another_process_does_not_stop_anybody(
    storage: LocalStorage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Locations.open(path, storage).close()
    monkeypatch.setattr("mlver.index.cache_file._PATIENCE", 0.01)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert answers(path, storage) == expected()
        put(open_store(storage, path), b"late")
    finally:
        other.close()
    assert open_store(storage, path).has(BlobId.of(b"late"))


def test_two_writers_of_one_cache_do_not_disturb_each_other(storage: LocalStorage, path: Path) -> None:
    one, two = open_store(storage, path), open_store(storage, path)
    for n in range(5):
        put(one, b"one %d" % n)
        put(two, b"two %d" % n)
    three = Locations.open(path, storage)
    assert all(three.find(1, BlobId.of(b"%s %d" % (who, n))) for who in (b"one", b"two") for n in range(5))
    for each in (one, two, three):
        each.close()


def test_a_row_that_points_to_another_object_stops_nothing(storage: LocalStorage, path: Path) -> None:
    Locations.open(path, storage).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE objects SET id = ? WHERE id = ?", (BlobId.of(b"wanted"), BlobId.of(BLOBS[0])))
    db.close()
    store = open_store(storage, path)
    assert not store.has(BlobId.of(b"wanted"))
    with pytest.raises(Damaged):
        store.get(BlobId.of(b"wanted"))
    (id,) = put(store, b"wanted")
    assert store.get(id) == b"wanted" and store.get(BlobId.of(BLOBS[0])) == BLOBS[0]
    store.close()


@pytest.mark.parametrize("column", ["pack", "codec", "offset", "stored", "raw"])
@pytest.mark.parametrize("value", [-1, 0, 1 << 62, "text", None, 0.5])
def test_a_row_of_nonsense_changes_no_answer(storage: LocalStorage, path: Path, column: str, value: object) -> None:
    Locations.open(path, storage).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute(f"UPDATE OR IGNORE objects SET {column} = ifnull(?, {column})", (value,))
    db.close()
    assert answers(path, storage) == expected()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # a runner may have threads
def test_a_forked_child_opens_the_file_for_itself(storage: LocalStorage, path: Path) -> None:
    index = Locations.open(path, storage)
    child = os.fork()
    if child == 0:
        os._exit(0 if index.find(1, BlobId.of(BLOBS[0])) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert index.find(1, BlobId.of(BLOBS[0]))
    index.close()


def test_a_pack_replaced_by_a_damaged_one_is_noticed_on_reading() -> None:
    storage = MemoryStorage()
    store = ObjectStore(storage, Locations.open(None, storage))
    (id,) = put(store, noise(1000))
    (key,) = packs(storage)
    data = storage.read(key)
    replace(storage, key, data[:500] + bytes(8) + data[508:])
    assert store.has(id)
    with pytest.raises(Damaged, match=str(id)):
        store.get(id)


def test_what_another_process_stores_during_a_look_at_the_packs_is_not_forgotten(tmp_path: Path) -> None:
    storage, cache = LocalStorage(tmp_path / "repo"), tmp_path / "objects.db"
    filled(storage)
    index, other = Locations.open(cache, storage), open_store(storage, cache)
    listing, ids, asked = storage.list, list[BlobId](), list[str]()

    def list_then_store(prefix: str) -> Iterator[str]:
        found = [*listing(prefix)]
        asked.append(prefix)
        if len(asked) == 1:
            ids[:] = put(other, b"stored just then")
        return iter(found)

    storage.list = list_then_store  # type: ignore[method-assign]
    index.refresh()
    storage.list = listing  # type: ignore[method-assign]
    assert index.find(1, ids[0]) and other.index.find(1, ids[0])
