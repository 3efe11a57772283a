"""One frame: an object with its id, lengths and checksums, as it lies in a pack.

docs/spec/format.md describes the bytes. The checksum of the header stands apart from that of the
payload, so that lengths are known to be right before they are used.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from xxhash import xxh3_64_digest

from mlver.errors import Damaged
from mlver.objects.ids import ID_BYTES, ID_TYPES, BlobId, ObjectId

Bytes = bytes | bytearray | memoryview

MAGIC = b"MVf1"
LIST = "list"
TYPES = {"blob": 1, LIST: 2, "tree": 3, "commit": 4, "environment": 5, "derivation": 6, "facts": 7, "operation": 8}
NAMES = {code: name for name, code in TYPES.items()}
RAW, ZSTD = 0, 1

_HEADER = struct.Struct("<4sBBHQQ32s")
CHECKSUM_BYTES = 8
HEADER_BYTES = _HEADER.size + CHECKSUM_BYTES
FRAME_BYTES = HEADER_BYTES + CHECKSUM_BYTES  # all of a frame but its payload

MAX_CHUNK = 256 << 10
MAX_OBJECT = 128 << 20
MAX_LIST = 1 << 30
_LIST_ITEM = struct.Struct("<32sI")
LIST_ITEM_BYTES = _LIST_ITEM.size


class Header(NamedTuple):
    """What a frame says of itself; `type` and `codec` are the codes of the format."""

    type: int
    codec: int
    stored: int
    raw: int
    id: bytes


def pack_header(type: int, codec: int, stored: int, raw: int, id: bytes) -> bytes:
    """Return the bytes of a frame's header."""
    fields = _HEADER.pack(MAGIC, type, codec, 0, stored, raw, id)
    return fields + xxh3_64_digest(fields)[::-1]


def parse_header(data: bytes) -> Header:
    """Return the header in the first HEADER_BYTES of `data`; Damaged unless it is a lawful one."""
    if len(data) < HEADER_BYTES:
        raise Damaged("frame header is cut short")
    if data[_HEADER.size : HEADER_BYTES] != checksum(data[: _HEADER.size]):
        raise Damaged("frame header does not match its checksum")
    magic, type_, codec, zero, stored, raw, id_ = _HEADER.unpack_from(data)
    header = Header(type_, codec, stored, raw, id_)
    if magic != MAGIC or zero:
        raise Damaged("not a frame header")
    if problem := unlawful(type_, codec, stored, raw):
        raise Damaged(f"frame header is unlawful: {problem}")
    return header


def unlawful(type: int, codec: int, stored: int, raw: int) -> str | None:
    """Return what is wrong with the numbers of a header or key table row, None when nothing is."""
    if type not in NAMES:
        return f"unknown type {type}"
    if raw > limit(type):
        return f"{raw} bytes are too many for a {NAMES[type]}"
    if codec == RAW:
        return None if stored == raw else "stored and raw length differ"
    if codec != ZSTD or type == TYPES[LIST]:
        return f"unknown codec {codec}"
    return None if stored < raw else "compression that does not shorten"


def limit(type: int) -> int:
    """Return the largest raw length of an object of this type."""
    if type == TYPES["blob"]:
        return MAX_CHUNK
    return MAX_LIST if type == TYPES[LIST] else MAX_OBJECT


def checksum(data: Bytes) -> bytes:
    """Return XXH3-64 of `data`, little endian."""
    return xxh3_64_digest(data)[::-1]


def pack_list(chunks: list[tuple[bytes, int]]) -> bytes:
    """Return the payload of a chunk list: for each chunk its id and its length."""
    return b"".join(_LIST_ITEM.pack(id, length) for id, length in chunks)


def parse_list(data: bytes) -> list[tuple[BlobId, int]]:
    """Return the chunks of a list; Damaged unless it has two or more, none empty, none too large."""
    if len(data) % LIST_ITEM_BYTES or len(data) < 2 * LIST_ITEM_BYTES:
        raise Damaged("chunk list has a wrong length")
    chunks = [(BlobId(id), length) for id, length in _items(data)]
    if not all(0 < length <= MAX_CHUNK for _, length in chunks):
        raise Damaged("chunk list has an unlawful length")
    return chunks


def _items(data: bytes) -> Iterator[tuple[bytes, int]]:
    return _LIST_ITEM.iter_unpack(data)


def list_length(data: bytes) -> int:
    """Return the length of the blob a chunk list stands for; Damaged as `parse_list`."""
    return sum(length for _, length in parse_list(data))


def names(type: int, id: bytes) -> str:
    """Return type and id for people, such as `tree 0123...`."""
    return f"{NAMES.get(type, f'type {type}')} {id.hex()}"


def verify(type: int, id: bytes, data: Bytes) -> None:
    """Damaged unless `data` is the object `id` of this type. A list is checked for its form alone."""
    if type == TYPES[LIST]:
        parse_list(bytes(data))
    elif ID_TYPES[NAMES[type]].of(data) != id:  # type: ignore[arg-type]
        raise Damaged(f"{names(type, id)} does not match its id")


def type_of(id: ObjectId) -> int:
    """Return the type code of a typed id; Damaged for a type that packs do not hold."""
    code = TYPES.get(id.type_name)
    if code is None or len(id) != ID_BYTES:
        raise Damaged(f"packs hold no object of type {id.type_name!r}")
    return code
