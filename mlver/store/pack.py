"""Packs: files of frames with a sorted key table at the end, named by the hash of their bytes."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from concurrent.futures import Executor, Future, wait
from typing import NamedTuple

from blake3 import blake3

from mlver.errors import Damaged
from mlver.storage.base import Storage
from mlver.store import codec
from mlver.store.frames import (
    CHECKSUM_BYTES,
    FRAME_BYTES,
    HEADER_BYTES,
    LIST,
    RAW,
    TYPES,
    Bytes,
    Header,
    checksum,
    names,
    pack_header,
    parse_header,
    unlawful,
    verify,
)

FOLDER = "packs"
VERSION = 1
PACK_HEADER = struct.pack("<8sII", b"MLVRPACK", VERSION, 0)

_ROW = struct.Struct("<32sBBHIQQQ")
_FOOTER = struct.Struct("<8sQQ8s32s")
_FOOTER_MAGIC = b"MLVRFOOT"
FOOTER_BYTES = _FOOTER.size + 8
SMALLEST_PACK = len(PACK_HEADER) + FOOTER_BYTES
_KEY = re.compile(r"packs/([0-9a-f]{64})\.pack")
_BATCH = 4 << 20


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


class Frame(NamedTuple):
    """An object ready to be appended to a pack."""

    row: Row  # its offset is not known yet, and 0
    header: bytes
    payload: Bytes
    check: bytes


class Packed(NamedTuple):
    """A pack that was written."""

    name: str
    size: int
    rows: list[Row]


def pack_key(name: str) -> str:
    """Return the storage key of the pack `name`."""
    return f"{FOLDER}/{name}.pack"


def pack_name(key: str) -> str | None:
    """Return the name of the pack under `key`, None when it is no pack's key."""
    match = _KEY.fullmatch(key)
    return match[1] if match else None


def make_frame(type: int, id: bytes, data: Bytes, *, squeeze: bool = True) -> Frame:
    """Return `data`, the object `id`, as a frame; with `squeeze` it is compressed if that pays."""
    raw = len(data)
    how, payload = codec.compress(data) if squeeze and type != TYPES[LIST] else (RAW, data)
    stored = len(payload)
    header = pack_header(type, how, stored, raw, id)
    return Frame(Row(id, type, how, 0, stored, raw), header, payload, checksum(payload))


class PackWriter:
    """Appends frames to a new pack. Nothing is visible before `finish`.

    Give an `executor` and bytes are hashed and written there, one batch behind.
    """

    def __init__(self, storage: Storage, executor: Executor | None = None) -> None:
        self._writer = storage.writer(FOLDER)
        self._hash = blake3()
        self._executor = executor
        self._behind: Future[None] | None = None
        self._parts: list[Bytes] = []
        self._held = 0
        self._rows: list[Row] = []
        self.size = 0
        self._put(PACK_HEADER)

    def append(self, frame: Frame) -> None:
        """Add one frame. Its payload must not change afterwards."""
        self._rows.append(frame.row._replace(offset=self.size))
        self._parts += (frame.header, frame.payload, frame.check)
        length = FRAME_BYTES + frame.row.stored
        self.size += length
        self._held += length
        if self._held >= _BATCH:
            self.flush()

    def finish(self) -> Packed:
        """Write key table and footer, make the pack durable under its name, and return it."""
        self._rows.sort()
        table = b"".join(
            _ROW.pack(row.id, row.type, row.codec, 0, 0, row.offset, row.stored, row.raw) for row in self._rows
        )
        table_at = self.size
        self._put(table)
        self.flush()
        self.wait()
        digest = self._hash.digest()
        footer = _FOOTER.pack(_FOOTER_MAGIC, table_at, len(self._rows), checksum(table), digest)
        self._writer.write(footer + checksum(footer))
        name = digest.hex()
        self._writer.commit(pack_key(name))
        return Packed(name, self.size + FOOTER_BYTES, self._rows)

    def abort(self) -> None:
        """Forget the pack. Harmless after `finish`."""
        if self._behind is not None:
            wait((self._behind,))
        self._writer.abort()

    def flush(self) -> None:
        """Write what is held back. The payloads of all flushes but this one may change from now on."""
        self.wait()
        parts, self._parts, self._held = self._parts, [], 0
        if self._executor is None:
            self._write(parts)
        elif parts:
            self._behind = self._executor.submit(self._write, parts)

    def wait(self) -> None:
        """Wait until all flushes are written; raises what went wrong in them."""
        if self._behind is not None:
            self._behind.result()

    def _put(self, data: bytes) -> None:
        self._parts.append(data)
        self.size += len(data)
        self._held += len(data)

    def _write(self, parts: list[Bytes]) -> None:
        data = b"".join(parts)
        self._hash.update(data)
        self._writer.write(data)


def parse_footer(tail: bytes, size: int) -> tuple[int, int, bytes, bytes]:
    """Return (table offset, row count, table checksum, hash) from the last bytes of a pack of `size` bytes."""
    if len(tail) != FOOTER_BYTES or size < SMALLEST_PACK:
        raise Damaged("pack is cut short")
    if checksum(tail[: _FOOTER.size]) != tail[_FOOTER.size :]:
        raise Damaged("footer does not match its checksum")
    magic, table_at, count, table_check, digest = _FOOTER.unpack_from(tail)
    if magic != _FOOTER_MAGIC or table_at < len(PACK_HEADER) or table_at + count * _ROW.size != size - FOOTER_BYTES:
        raise Damaged("footer is unlawful")
    return table_at, count, table_check, digest


def parse_rows(table: bytes, table_at: int) -> list[Row]:
    """Return the rows of a key table that begins at `table_at`; Damaged unless sorted and within bounds."""
    rows = []
    start, before = len(PACK_HEADER), (b"", 0)
    for id, type, how, zero, zeros, offset, stored, raw in _ROW.iter_unpack(table):
        key = (id, type)
        within = start <= offset and offset + FRAME_BYTES + stored <= table_at
        if key <= before or zero or zeros or not within or unlawful(type, how, stored, raw):
            raise Damaged("key table is unlawful")
        rows.append(Row(id, type, how, offset, stored, raw))
        before = key
    return rows


def read_rows(storage: Storage, name: str) -> tuple[int, list[Row]]:
    """Return size and key table of a pack; Damaged when either cannot be believed, KeyError when absent."""
    key = pack_key(name)
    size = storage.size(key)
    table_at, count, table_check, _ = parse_footer(storage.read(key, max(0, size - FOOTER_BYTES)), size)
    table = storage.read(key, table_at, count * _ROW.size)
    if len(table) != count * _ROW.size or checksum(table) != table_check:
        raise Damaged("key table does not match its checksum")
    return size, parse_rows(table, table_at)


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


def list_packs(storage: Storage) -> Iterator[str]:
    """Yield the names of all packs, sorted."""
    for key in storage.list(FOLDER):
        name = pack_name(key)
        if name is not None:
            yield name
