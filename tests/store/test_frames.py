import struct

import pytest

from mlver.errors import Damaged
from mlver.objects.ids import BlobId, TreeId
from mlver.store.frames import (
    HEADER_BYTES,
    LIST,
    MAX_CHUNK,
    TYPES,
    checksum,
    pack_header,
    pack_list,
    parse_header,
    parse_list,
    verify,
)

ID = bytes(range(32))


def test_a_header_is_these_bytes() -> None:
    assert pack_header(3, 1, 5, 1000, ID).hex() == (
        "4d566631030100000500000000000000e803000000000000" + ID.hex() + "fef26cb73db22e8d"
    )  # fmt: skip


def test_type_codes_are_fixed() -> None:
    assert TYPES == {
        "blob": 1, "list": 2, "tree": 3, "commit": 4, "environment": 5, "derivation": 6, "facts": 7, "operation": 8,
    }  # fmt: skip


def test_a_header_comes_back() -> None:
    assert parse_header(pack_header(3, 1, 5, 1000, ID)) == (3, 1, 5, 1000, ID)


@pytest.mark.parametrize("bit", range(8 * HEADER_BYTES))
def test_any_flipped_bit_of_a_header_is_seen(bit: int) -> None:
    data = bytearray(pack_header(3, 1, 5, 1000, ID))
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Damaged):
        parse_header(bytes(data))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ((0, 0, 5, 5), "unknown type"),
        ((9, 0, 5, 5), "unknown type"),
        ((1, 2, 4, 5), "unknown codec"),
        ((1, 0, 4, 5), "differ"),
        ((1, 1, 5, 5), "shorten"),
        ((1, 1, 40, MAX_CHUNK + 1), "too many"),
        ((3, 1, 40, 1 << 60), "too many"),
        ((2, 1, 40, 72), "unknown codec"),
    ],
)
def test_a_header_that_promises_too_much_is_refused(fields: tuple[int, int, int, int], why: str) -> None:
    with pytest.raises(Damaged, match=why):
        parse_header(pack_header(*fields, ID))


def test_a_header_cut_short_is_refused() -> None:
    with pytest.raises(Damaged):
        parse_header(pack_header(3, 1, 5, 1000, ID)[:-1])


def test_a_list_is_pairs_of_id_and_length() -> None:
    data = pack_list([(ID, 1), (ID[::-1], MAX_CHUNK)])
    assert data == ID + struct.pack("<I", 1) + ID[::-1] + struct.pack("<I", MAX_CHUNK)
    assert parse_list(data) == [(BlobId(ID), 1), (BlobId(ID[::-1]), MAX_CHUNK)]


@pytest.mark.parametrize(
    "data",
    [b"", b"x" * 36, b"x" * 73, pack_list([(ID, 1), (ID, 0)]), pack_list([(ID, MAX_CHUNK + 1), (ID, 1)])],
)
def test_an_unlawful_list_is_refused(data: bytes) -> None:
    with pytest.raises(Damaged):
        parse_list(data)


def test_bytes_of_one_type_do_not_pass_for_another() -> None:
    data = b'{"entries":[]}'
    verify(TYPES["tree"], TreeId.of(data), data)
    verify(TYPES["blob"], BlobId.of(data), data)
    for type_, id_ in (("blob", TreeId.of(data)), ("tree", BlobId.of(data)), ("commit", TreeId.of(data))):
        with pytest.raises(Damaged):
            verify(TYPES[type_], id_, data)
    with pytest.raises(Damaged):
        verify(TYPES[LIST], BlobId.of(data), data)


def test_the_checksum_is_xxh3_64_little_endian() -> None:
    assert checksum(b"") == (0x2D06800538D394C2).to_bytes(8, "little")
