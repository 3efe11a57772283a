"""Writing a pack: frames as they come, then the sorted key table and the footer."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from mlver.storage.base import Storage
from mlver.store import codec
from mlver.store.frames import FRAME_BYTES, LIST, RAW, TYPES, Bytes, checksum, pack_header
from mlver.store.pack import FOLDER, FOOTER, FOOTER_BYTES, FOOTER_MAGIC, PACK_HEADER, ROW, Row, pack_key

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

_BATCH = 4 << 20


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


def make_frame(type: int, id: bytes, data: Bytes, *, squeeze: bool = True) -> Frame:
    """Return `data`, the object `id`, as a frame; with `squeeze` it is compressed if that pays."""
    raw = len(data)
    how, payload = codec.compress(data) if squeeze and type != TYPES[LIST] else (RAW, data)
    stored = len(payload)
    header = pack_header(type, how, stored, raw, id)
    return Frame(Row(id, type, how, 0, stored, raw), header, payload, checksum(payload))


class PackWriter:
    """Appends frames to a new pack. Nothing is visible before `finish`.

    Give an `executor` and bytes are hashed and written there, one batch behind. The pack gets none of the
    names in `taken`: packs of these names are on their way out.
    """

    def __init__(self, storage: Storage, executor: Executor | None = None, taken: Container[str] = ()) -> None:
        self._taken = taken
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
        while True:
            self.flush()
            self.wait()
            self._rows.sort()
            table = b"".join(
                ROW.pack(row.id, row.type, row.codec, 0, 0, row.offset, row.stored, row.raw) for row in self._rows
            )
            name = self._hash.copy().update(table).hexdigest()
            if name not in self._taken:
                break
            self._pad(name)
        table_at = self.size
        self._put(table)
        self.flush()
        self.wait()
        digest = self._hash.digest()
        footer = FOOTER.pack(FOOTER_MAGIC, table_at, len(self._rows), checksum(table), digest)
        self._writer.write(footer + checksum(footer))
        self._writer.commit(pack_key(name))
        return Packed(name, self.size + FOOTER_BYTES, self._rows)

    def abort(self) -> None:
        """Forget the pack. Harmless after `finish`."""
        if self._behind is not None:
            self._behind.exception()  # waits; what went wrong is being told already
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

    def _pad(self, name: str) -> None:
        """Add an object that nobody names, so that these bytes get another name."""
        data = f"not {name}".encode()
        self.append(make_frame(TYPES["blob"], blake3(data).digest(), data))

    def _put(self, data: bytes) -> None:
        self._parts.append(data)
        self.size += len(data)
        self._held += len(data)

    def _write(self, parts: list[Bytes]) -> None:
        data = b"".join(parts)
        self._hash.update(data)
        self._writer.write(data)
