"""The pack format, byte by byte, and what is left of a pack that was damaged."""

import contextlib
import struct
from functools import cache

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from mlver.errors import Damaged
from mlver.objects.ids import BlobId, TreeId
from mlver.objects.tree import Tree
from mlver.storage.memory import MemoryStorage
from mlver.store.pack import Row, list_packs, pack_key, pack_name, read_rows
from mlver.store.scan import Gap, load_rows, scan
from tests.store.kit import noise, open_store, packs, put, replace

TREE = b'{"entries":[]}'
CONTENTS = (b"", b"hello", b"more text, more text, more text, more text, more text", noise(300))


@cache
def sample() -> tuple[str, bytes]:
    """Key and bytes of a small pack with raw and compressed blobs and a tree."""
    storage = MemoryStorage()
    store = open_store(storage)
    with store.session() as session:
        for content in CONTENTS:
            session.put_bytes(content)
        session.put_object(Tree(()))
        session.finish()
    (key,) = packs(storage)
    return key, storage.read(key)


def damaged(data: bytes) -> MemoryStorage:
    storage = MemoryStorage()
    storage.create(sample()[0], data)
    return storage


def test_a_whole_pack_is_these_bytes() -> None:
    storage = MemoryStorage()
    (id,) = put(open_store(storage), b"hello")
    assert id.hex() == "ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f"
    (key,) = packs(storage)
    assert key == "packs/772f0be6196501b78e575ede3a7a76cd4ab4a724ec5193931e8033d710249f00.pack"
    assert storage.read(key).hex() == (
        "4d4c56525041434b0100000000000000"
        "4d5666310100000005000000000000000500000000000000ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86"
        "e908c5624a67200f4cffd5165459bdaf"
        "68656c6c6f"
        "fddc625c55e85595"
        "ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f01000000000000001000000000000000"
        "05000000000000000500000000000000"
        "4d4c5652464f4f545d0000000000000001000000000000004c47406f792fc825772f0be6196501b78e575ede3a7a76cd"
        "4ab4a724ec5193931e8033d710249f008c38b72ede37be88"
    )


def test_a_pack_can_be_read_with_nothing_but_the_page_that_describes_it() -> None:
    """A second reader, written from docs/spec/format.md alone."""
    key, data = sample()

    def xxh(part: bytes) -> bytes:
        return struct.pack("<Q", xxh3_64_intdigest(part))

    assert data[:16] == b"MLVRPACK" + struct.pack("<II", 1, 0)
    footer = data[-72:]
    magic, table_at, count, table_check, digest = struct.unpack("<8sQQ8s32s", footer[:64])
    assert magic == b"MLVRFOOT" and xxh(footer[:64]) == footer[64:]
    assert blake3(data[:-72]).digest() == digest and key == f"packs/{digest.hex()}.pack"
    table = data[table_at:-72]
    assert len(table) == 64 * count and xxh(table) == table_check
    rows = [struct.unpack("<32sBBHIQQQ", table[i : i + 64]) for i in range(0, len(table), 64)]
    assert rows == sorted(rows) and count == len(CONTENTS) + 1
    at = 16
    for id, type_, codec, _, _, offset, stored, raw in sorted(rows, key=lambda row: row[5]):
        assert offset == at
        assert data[at : at + 56] == b"MVf1" + struct.pack("<BBHQQ", type_, codec, 0, stored, raw) + id
        assert data[at + 56 : at + 64] == xxh(data[at : at + 56])
        payload = data[at + 64 : at + 64 + stored]
        assert data[at + 64 + stored : at + 72 + stored] == xxh(payload)
        if type_ == 1 and codec == 0:
            assert blake3(payload).digest() == id
        at += 72 + stored
    assert at == table_at


def test_the_same_objects_make_the_same_pack() -> None:
    one, two = MemoryStorage(), MemoryStorage()
    put(open_store(one), *CONTENTS)
    put(open_store(two), *CONTENTS)
    assert packs(one) == packs(two)


def test_names_and_keys_of_packs() -> None:
    name = "0f" * 32
    assert pack_name(pack_key(name)) == name
    for key in (
        "packs/x.pack",
        f"packs/{name}",
        f"packs/{name.upper()}.pack",
        f"trash/{name}.pack",
        f"packs/{name}.pack\n",
    ):
        assert pack_name(key) is None


def readable(storage: MemoryStorage) -> dict[bytes, bytes]:
    """Everything a store gives back of the sample, by what it should be; what is damaged is left out."""
    store, found = open_store(storage), {}
    ids = {content: BlobId.of(content) for content in CONTENTS} | {TREE: TreeId.of(TREE)}
    for content, id in ids.items():
        with contextlib.suppress(Damaged):
            found[content] = store.get(id)
    return found


def test_any_flipped_bit_is_found_and_no_read_gives_wrong_bytes() -> None:
    _, data = sample()
    whole = {content: content for content in (*CONTENTS, TREE)}
    assert readable(damaged(data)) == whole
    for at in range(len(data)):
        bad = bytearray(data)
        bad[at] ^= 1 << at % 8
        storage = damaged(bytes(bad))
        report = open_store(storage).verify()
        assert not report.ok, f"byte {at}"
        found = readable(storage)
        lost = {problem.id for problem in report.problems if problem.lost}
        assert found.items() <= whole.items(), f"byte {at}"
        assert len(found) + len(lost) == len(whole), f"byte {at}"
        assert len(lost) <= 1, f"byte {at}"


def test_every_truncation_is_found_and_what_is_left_is_read() -> None:
    key, data = sample()
    before = -1
    for length in range(0, len(data), 7):
        storage = damaged(data[:length])
        report = open_store(storage).verify()
        assert not report.ok and {problem.key for problem in report.problems} == {key}
        found = readable(storage)
        assert all(value in (*CONTENTS, TREE) for value in found.values())
        assert len(found) >= before
        before = len(found)
    assert before == len(CONTENTS) + 1


def test_bytes_after_the_end_are_found() -> None:
    storage = damaged(sample()[1] + b"x")
    assert not open_store(storage).verify().ok
    assert len(readable(storage)) == len(CONTENTS) + 1


@pytest.mark.parametrize("start", range(16, 700, 40))
def test_objects_behind_a_hole_are_still_read(start: int) -> None:
    _, data = sample()
    storage = damaged(data[:start] + bytes(30) + data[start + 30 :])
    report = open_store(storage).verify()
    assert not report.ok
    assert len(readable(storage)) + len(report.lost) == len(CONTENTS) + 1


def test_the_key_table_is_made_anew_from_the_frames() -> None:
    key, data = sample()
    storage = damaged(data)
    (name,) = list_packs(storage)
    size, rows = read_rows(storage, name)
    replace(storage, key, data[:-100])
    with pytest.raises(Damaged):
        read_rows(storage, name)
    assert load_rows(storage, name) == (size - 100, rows)


def test_scanning_finds_no_frame_inside_a_payload_that_holds_a_pack() -> None:
    storage = MemoryStorage()
    inner = sample()[1]
    put(open_store(storage), inner, b"after")
    (name,) = list_packs(storage)
    assert sorted(row.id for row in scan(storage, name)) == sorted([BlobId.of(inner), BlobId.of(b"after")])


def test_a_scan_names_the_gap() -> None:
    _, data = sample()
    storage = damaged(data[:16] + b"?" + data[17:])
    (name,) = list_packs(storage)
    gaps = [item for item in scan(storage, name) if isinstance(item, Gap)]
    assert gaps == [Gap(16, 16 + 72)]


def test_a_pack_under_another_name_is_found() -> None:
    _, data = sample()
    storage = MemoryStorage()
    storage.create(pack_key("00" * 32), data)
    report = open_store(storage).verify()
    assert [problem.message for problem in report.problems] == ["pack does not match the hash that is its name"]


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_as_a_pack_are_survived(data: bytes, magic: bool) -> None:
    storage = damaged(b"MLVRPACK\x01\0\0\0\0\0\0\0" + data if magic else data)
    assert not open_store(storage).verify().ok
    assert readable(storage) == {}


@given(st.integers(0, 2000), st.binary(min_size=1, max_size=100))
def test_any_damage_hurts_what_it_hits_and_nothing_else(at: int, wound: bytes) -> None:
    _, data = sample()
    at %= len(data)
    bad = (data[:at] + wound + data[at + len(wound) :])[: len(data)]
    storage = damaged(bad)
    hit = {row.id for row in _rows() if bad[row.offset : row.end] != data[row.offset : row.end]}
    report = open_store(storage).verify()
    assert report.ok == (bad == data)
    assert len(readable(storage)) == len(CONTENTS) + 1 - len(hit)
    assert {bytes(id) for id in report.lost} <= hit
    if bad[_rows()[-1].end :] == data[_rows()[-1].end :]:  # the key table still names them all
        assert {bytes(id) for id in report.lost} == hit


@cache
def _rows() -> list[Row]:
    storage = damaged(sample()[1])
    return sorted(read_rows(storage, next(iter(list_packs(storage))))[1], key=lambda row: row.offset)
