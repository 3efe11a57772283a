"""Packs: files of frames with a sorted key table at the end, named by the hash of their bytes."""

from __future__ import annotations

import contextlib
import re
import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mlver.errors import Damaged
from mlver.objects.ids import ID_BYTES
from mlver.storage.base import Storage
from mlver.store import codec
from mlver.store.frames import (
    CHECKSUM_BYTES,
    FRAME_BYTES,
    HEADER_BYTES,
    Bytes,
    Header,
    checksum,
    names,
    parse_header,
    unlawful,
    verify,
)

FOLDER = "packs"
VERSION = 1
PACK_HEADER = struct.pack("<8sII", b"MLVRPACK", VERSION, 0)

ROW = struct.Struct("<32sBBHIQQQ")
FOOTER = struct.Struct("<8sQQ8s32s")
FOOTER_MAGIC = b"MLVRFOOT"
FOOTER_BYTES = FOOTER.size + 8
SMALLEST_PACK = len(PACK_HEADER) + FOOTER_BYTES
_KEY = re.compile(r"packs/([0-9a-f]{64})\.pack")


class Row(NamedTuple):
    """One line of a key table: where in its pack an object's frame begins, and what its header says."""

    id: bytes
    type: int
    codec: int
    offset: int
    stored: int
    raw: int

    @property
    def end(self) -> int:
        """Where the frame ends."""
        return self.offset + FRAME_BYTES + self.stored


class Location(NamedTuple):
    """Where an object lies: the pack's name, and the row of its key table."""

    pack: str
    row: Row

    def __str__(self) -> str:
        return f"pack {self.pack} at byte {self.row.offset}"


def pack_key(name: str) -> str:
    """Return the storage key of the pack `name`."""
    return f"{FOLDER}/{name}.pack"


def pack_name(key: str) -> str | None:
    """Return the name of the pack under `key`, None when it is no pack's key."""
    match = _KEY.fullmatch(key)
    return match[1] if match else None


def parse_footer(tail: bytes, size: int) -> tuple[int, int, bytes, bytes]:
    """Return (table offset, row count, table checksum, hash) from the last bytes of a pack of `size` bytes."""
    if len(tail) != FOOTER_BYTES or size < SMALLEST_PACK:
        raise Damaged("pack is cut short")
    if checksum(tail[: FOOTER.size]) != tail[FOOTER.size :]:
        raise Damaged("footer does not match its checksum")
    magic, table_at, count, table_check, digest = FOOTER.unpack_from(tail)
    if magic != FOOTER_MAGIC or table_at < len(PACK_HEADER) or table_at + count * ROW.size != size - FOOTER_BYTES:
        raise Damaged("footer is unlawful")
    return table_at, count, table_check, digest


def parse_rows(table: bytes, table_at: int) -> list[Row]:
    """Return the rows of a key table that begins at `table_at`; Damaged unless sorted and within bounds."""
    rows = []
    start, before = len(PACK_HEADER), (b"", 0)
    for id, type, how, zero, zeros, offset, stored, raw in ROW.iter_unpack(table):
        key = (id, type)
        within = start <= offset and offset + FRAME_BYTES + stored <= table_at
        if key <= before or zero or zeros or not within or unlawful(type, how, stored, raw):
            raise Damaged("key table is unlawful")
        rows.append(Row(id, type, how, offset, stored, raw))
        before = key
    return rows


def read_rows(storage: Storage, name: str) -> tuple[int, list[Row]]:
    """Return size and key table of a pack; Damaged when either cannot be believed, KeyError when absent."""
    size, table_at, table = read_table(storage, name)
    return size, parse_rows(table, table_at)


def read_table(storage: Storage, name: str) -> tuple[int, int, bytes]:
    """Return the size of a pack, and where its key table begins, and its bytes; Damaged and KeyError as `read_rows`."""
    key = pack_key(name)
    size = storage.size(key)
    table_at, count, table_check, _ = parse_footer(storage.read(key, max(0, size - FOOTER_BYTES)), size)
    table = storage.read(key, table_at, count * ROW.size)
    if len(table) != count * ROW.size or checksum(table) != table_check:
        raise Damaged("key table does not match its checksum")
    return size, table_at, table


def table_holds(table: bytes, id: bytes) -> bool:
    """Whether a key table has an object of this id, of whatever type."""
    size = ROW.size
    at = bisect_left(range(len(table) // size), id, key=lambda number: table[number * size : number * size + ID_BYTES])
    return table[at * size : at * size + ID_BYTES] == id


def header_of(row: Row) -> Header:
    """Return the frame header that belongs to a row."""
    return Header(row.type, row.codec, row.stored, row.raw, row.id)


def present(storage: Storage, location: Location) -> bool:
    """Whether a frame with this header does lie there, whole in length. Its payload is not read."""
    row = location.row
    try:
        found = storage.read(pack_key(location.pack), row.offset, HEADER_BYTES)
        return parse_header(found) == header_of(row) and row.end <= storage.size(pack_key(location.pack))
    except (KeyError, Damaged):
        return False


def read_object(storage: Storage, location: Location) -> bytes:
    """Return the object at `location`, verified against its id; Damaged or KeyError."""
    row = location.row
    data = storage.read(pack_key(location.pack), row.offset, row.end - row.offset)
    try:
        return bytes(open_frame(data, row))
    except Damaged as error:
        raise Damaged(
            f"{names(row.type, row.id)} in {location} is damaged: {error.message}", hint="mlver fsck"
        ) from None


def open_frame(data: bytes | memoryview, row: Row) -> Bytes:
    """Return the object in the bytes of a frame, verified against its id; Damaged."""
    raw = peel_frame(data, row)
    verify(row.type, row.id, raw)
    return raw


def peel_frame(data: bytes | memoryview, row: Row) -> Bytes:
    """Return the object in the bytes of a frame, checked by its checksum but not against its id; Damaged."""
    if parse_header(bytes(data[:HEADER_BYTES])) != header_of(row):
        raise Damaged("another object is there")
    end = HEADER_BYTES + row.stored
    if len(data) != end + CHECKSUM_BYTES:
        raise Damaged("it is cut short")
    payload = data[HEADER_BYTES:end]
    if checksum(payload) != data[end:]:
        raise Damaged("its bytes do not match their checksum")
    return codec.decode(row.codec, payload, row.raw)


def row_at(header: Header, offset: int) -> Row:
    """Return the row of a frame found at `offset`."""
    return Row(header.id, header.type, header.codec, offset, header.stored, header.raw)


def stored_bytes(storage: Storage, keys: Iterable[str]) -> int:
    """Return how many bytes lie under these keys; what gc has moved away meanwhile counts for none."""
    total = 0
    for key in keys:
        with contextlib.suppress(KeyError):
            total += storage.size(key)
    return total


def list_packs(storage: Storage) -> Iterator[str]:
    """Yield the names of all packs, sorted."""
    for key in storage.list(FOLDER):
        name = pack_name(key)
        if name is not None:
            yield name
