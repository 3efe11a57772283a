from pathlib import Path

import pytest

from mlver.errors import Damaged
from mlver.objects.ids import BlobId, TreeId
from mlver.objects.tree import Tree
from mlver.storage.local import LocalStorage
from mlver.storage.memory import MemoryStorage
from mlver.store.frames import LIST, RAW, TYPES, checksum, pack_header, pack_list
from mlver.store.pack import Row
from mlver.store.packwriter import Frame, PackWriter, make_frame
from tests.store.kit import noise, open_store, packs, put, replace

BIG = noise(700_000, 2)


def write_pack(storage: MemoryStorage, *frames: Frame) -> str:
    writer = PackWriter(storage)
    for frame in frames:
        writer.append(frame)
    return writer.finish().name


def test_a_sound_store_has_no_problems_and_every_byte_is_counted() -> None:
    seen: list[int] = []
    store = open_store()
    put(store, b"a", BIG)
    put(store, b"b")
    report = store.verify(seen.append)
    size = sum(map(store.storage.size, packs(store.storage)))
    assert report.ok and report.packs == 2 and report.bytes == size == sum(seen)
    assert report.objects == 2 + 1 + len(store.chunks(BlobId.of(BIG)))


def test_an_empty_store_is_sound() -> None:
    assert open_store().verify() == open_store().verify()
    assert open_store().verify().ok


def test_a_damaged_object_is_named_with_pack_and_place() -> None:
    store = open_store()
    put(store, noise(100), noise(200))
    (key,) = packs(store.storage)
    data = store.storage.read(key)
    at = data.index(noise(200)) + 150  # noise(100) is the beginning of noise(200)
    replace(store.storage, key, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    whole, hurt = sorted(store.verify().problems, key=lambda problem: problem.id is not None)
    assert whole.key == key and "hash that is its name" in whole.message and whole.id is None
    assert (hurt.key, hurt.type, hurt.id, hurt.lost) == (key, "blob", BlobId.of(noise(200)), True)
    assert data[hurt.offset :].startswith(b"MVf1") and at - hurt.offset < 300
    assert store.verify().lost == {BlobId.of(noise(200))}


def test_a_missing_chunk_hurts_the_blob_that_needs_it() -> None:
    storage = MemoryStorage()
    store = open_store(storage)
    put(store, BIG[:300_000])
    (early,) = packs(storage)
    put(store, BIG)
    storage.delete(early)
    (problem,) = open_store(storage).verify().problems
    assert problem.id == BlobId.of(BIG) and problem.type == LIST and problem.lost and "missing" in problem.message


def test_a_list_that_stands_for_other_bytes_is_found_and_never_copied() -> None:
    storage = MemoryStorage()
    store = open_store(storage)
    put(store, b"good", b"evil")
    target = BlobId.of(b"good" * 2)
    forged = pack_list([(BlobId.of(b"evil"), 4), (BlobId.of(b"good"), 4)])
    write_pack(storage, make_frame(TYPES[LIST], target, forged))
    (problem,) = store.verify().problems
    assert problem.id == target and "list" in problem.message
    for call in (store.get, lambda id: store.copy_blob(id, lambda _: None)):
        with pytest.raises(Damaged, match=f"chunk list of blob {target}"):
            call(target)


def test_a_chunk_of_another_length_than_listed_is_found() -> None:
    storage = MemoryStorage()
    store = open_store(storage)
    put(store, b"good", b"evil")
    target = BlobId.of(b"goodevil")
    write_pack(storage, make_frame(TYPES[LIST], target, pack_list([(BlobId.of(b"good"), 5), (BlobId.of(b"evil"), 4)])))
    assert [problem.id for problem in store.verify().problems] == [target]
    with pytest.raises(Damaged, match="not as long"):
        store.open_blob(target).read()


def test_bytes_stored_under_the_id_of_another_type_are_found() -> None:
    storage = MemoryStorage()
    data = b'{"entries":[]}'
    write_pack(storage, make_frame(TYPES["tree"], BlobId.of(data), data))
    (problem,) = open_store(storage).verify().problems
    assert problem.type == "tree" and "does not match its id" in problem.message
    with pytest.raises(Damaged, match="does not match its id"):
        open_store(storage).get_object(Tree, TreeId(BlobId.of(data)))


def test_a_bomb_in_a_pack_is_refused() -> None:
    import zstandard

    bomb = zstandard.ZstdCompressor().compress(bytes(200 << 20))
    storage = MemoryStorage()
    id = TreeId.of(b"bomb")
    for raw in (100_000, 128 << 20):
        header = pack_header(TYPES["tree"], 1, len(bomb), raw, id)
        row = Row(id, TYPES["tree"], 1, 0, len(bomb), raw)
        write_pack(storage, Frame(row, header, bomb, checksum(bomb)))
    store = open_store(storage)
    with pytest.raises(Damaged, match=r"another length|says it holds"):
        store.get(id)
    assert len([problem for problem in store.verify().problems if problem.id == id]) == 2


def test_a_frame_the_key_table_does_not_know_is_found() -> None:
    class Forgetful(PackWriter):
        def append(self, frame: Frame) -> None:
            super().append(frame)
            if len(self._rows) == 2:
                self._rows.pop()

    storage = MemoryStorage()
    writer = Forgetful(storage)
    for content in (b"one", b"two"):
        writer.append(make_frame(TYPES["blob"], BlobId.of(content), content))
    writer.finish()
    (problem,) = open_store(storage).verify().problems
    assert "not in the key table" in problem.message and problem.offset is not None


def test_foreign_files_are_named_and_left_alone(tmp_path: Path) -> None:
    store = open_store(LocalStorage(tmp_path))
    put(store, b"a")
    names = ("notes.txt", "odd name.pack", "..dots", ".hidden")
    for name in names:
        (tmp_path / "packs" / name).write_text("?")
    (tmp_path / "packs" / "folder").mkdir()
    (tmp_path / "packs" / "folder" / "x.pack").write_text("?")
    (tmp_path / "packs" / ".tmp-left").write_text("from a crash")
    (tmp_path / "packs" / ("ab" * 32 + ".pack")).symlink_to("/etc/passwd")
    report = store.verify()
    problems = {problem.key for problem in report.problems}
    assert problems == {f"packs/{name}" for name in (*names, "folder/x.pack", "ab" * 32 + ".pack")}
    assert not report.lost and report.packs == 1
    assert (tmp_path / "packs" / "notes.txt").read_text() == "?"


def test_raw_is_code_zero() -> None:
    assert RAW == 0 and make_frame(1, BlobId.of(b"x"), b"x").row.codec == RAW
