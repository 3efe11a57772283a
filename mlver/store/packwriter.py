"""Writing a pack: frames as they come, then the sorted key table and the footer."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from mlver.storage.base import Storage
from mlver.store import codec
from mlver.store.frames import FRAME_BYTES, LIST, RAW, TYPES, ZSTD, Bytes, checksum, pack_header
from mlver.store.pack import FOLDER, FOOTER, FOOTER_BYTES, FOOTER_MAGIC, PACK_HEADER, ROW, Row, pack_key

if TYPE_CHECKING:
    from mlver.store.drain import Drain

_BATCH = 4 << 20  # bytes; a pack that stays shorter is written in one piece, without threads


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


def make_frame(type: int, id: bytes, data: Bytes, check: bytes | None = None) -> Frame:
    """Return `data`, the object `id`, as a frame, compressed if that pays. `check` is its checksum, if known."""
    check = check or checksum(data)
    how, payload = codec.compress(data, check) if type != TYPES[LIST] else (RAW, data)
    if how == RAW:
        return raw_frame(type, id, data, check)
    return zstd_frame(type, id, len(data), payload)


def zstd_frame(type: int, id: bytes, raw: int, payload: Bytes) -> Frame:
    """Return the object `id` of `raw` bytes as a frame of what zstd made of them."""
    stored = len(payload)
    header = pack_header(type, ZSTD, stored, raw, id)
    return Frame(Row(id, type, ZSTD, 0, stored, raw), header, payload, checksum(payload))


def raw_frame(type: int, id: bytes, data: Bytes, check: bytes) -> Frame:
    """Return `data`, the object `id` with this checksum, as a frame of these very bytes."""
    raw = len(data)
    return Frame(Row(id, type, RAW, 0, raw, raw), pack_header(type, RAW, raw, raw, id), data, check)


class PackWriter:
    """Appends frames to a new pack. Nothing is visible before `finish`.

    What goes into a large pack is hashed and written by threads of its own, a step behind. The pack gets none of
    the names in `taken`: packs of these names are on their way out.
    """

    def __init__(self, storage: Storage, taken: Container[str] = ()) -> None:
        self._taken = taken
        self._writer = storage.writer(FOLDER)
        self._hash = blake3()
        self._drain: Drain | None = None
        self._parts: list[Bytes] = []
        self._held = 0
        self._rows: list[Row] = []
        self.size = 0
        self._put(PACK_HEADER)

    def append(self, frame: Frame) -> None:
        """Add one frame. Its payload must not change before it is flushed."""
        self._rows.append(frame.row._replace(offset=self.size))
        self._parts += (frame.header, frame.payload, frame.check)
        length = FRAME_BYTES + frame.row.stored
        self.size += length
        self._held += length
        if self._held >= _BATCH:
            self.flush()

    def finish(self) -> Packed:
        """Write key table and footer, make the pack durable under its name, and return it."""
        name, table = self.named()
        while name in self._taken:
            self._pad(name)
            name, table = self.named()
        table_at = self.size
        self._put(table)
        self.flush()
        footer = FOOTER.pack(FOOTER_MAGIC, table_at, len(self._rows), checksum(table), bytes.fromhex(name))
        tail = footer + checksum(footer)
        if self._drain is not None:
            self._drain.finish()
        self._writer.write(tail)
        self._writer.commit(pack_key(name))
        return Packed(name, self.size + FOOTER_BYTES, self._rows)

    def named(self) -> tuple[str, bytes]:
        """Return the name of a pack that ends here, and its key table."""
        self.flush()
        if self._drain is not None:
            self._drain.digest()
        self._rows.sort()
        rows = self._rows
        table = b"".join(ROW.pack(row.id, row.type, row.codec, 0, 0, row.offset, row.stored, row.raw) for row in rows)
        return self._hash.copy().update(table).hexdigest(), table

    def abort(self) -> None:
        """Forget the pack. Harmless after `finish`."""
        if self._drain is not None:
            self._drain.close()
        self._writer.abort()

    def flush(self) -> None:
        """Write what is held back, or begin to: the payloads may change from now on."""
        parts, self._parts, self._held = self._parts, [], 0
        if self._drain is not None:
            self._drain.put(parts)
        elif self.size < _BATCH:
            data = b"".join(parts)
            self._hash.update(data)
            self._writer.write(data)
        else:
            from mlver.store.drain import Drain  # its threads are slow to load

            self._drain = Drain(self._writer.write, self._hash, self._writer.tell())
            self._drain.put(parts)

    def _pad(self, name: str) -> None:
        """Add an object that nobody names, so that these bytes get another name."""
        data = f"not {name}".encode()
        self.append(make_frame(TYPES["blob"], blake3(data).digest(), data))

    def _put(self, data: bytes) -> None:
        self._parts.append(data)
        self.size += len(data)
        self._held += len(data)
