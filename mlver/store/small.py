"""Storing many small blobs: looked up, compressed and checked in batches, each by one call of native code.

The calling thread reads and hashes while another compresses the batch before. Both wait little for each other: what
a batch calls lets go of the interpreter once for all of it, not once for each file.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from mlver.objects.ids import BlobId
from mlver.store import codec
from mlver.store.frames import FRAME_BYTES, TYPES, checksum
from mlver.store.packwriter import Frame, make_frame, raw_frame, zstd_frame

if TYPE_CHECKING:
    from concurrent.futures import Future

    from mlver.store.session import StoreSession

_BLOB = TYPES["blob"]
_COUNT = 512  # blobs in a batch
_BYTES = 4 << 20
_AHEAD = 2  # batches being compressed, or waiting for it


class _Item(NamedTuple):
    id: BlobId
    data: bytes
    check: bytes


class SmallBlobs:
    """Takes blobs of at most WHOLE bytes. What was added is stored once `flush` returns.

    Memory holds a few batches. One thread at a time, like the session.
    """

    def __init__(self, session: StoreSession) -> None:
        self._session = session
        self._items: dict[bytes, _Item] = {}
        self._held = 0
        self._made: deque[Future[list[Frame]]] = deque()

    def add(self, data: bytes) -> BlobId:
        """Take the bytes of a file and return their id; Redacted as `put_bytes`."""
        id = BlobId(blake3(data).digest())
        if id not in self._items:
            self._session.refuse_redacted(id)
            self._items[id] = _Item(id, data, checksum(data))
            self._held += FRAME_BYTES + len(data)
            if len(self._items) >= _COUNT or self._held >= _BYTES:
                self._send()
        return id

    def flush(self) -> None:
        """Store all that was added."""
        self._send()
        while self._made:
            self._take()

    def _send(self) -> None:
        items, self._items, self._held = self._items, {}, 0
        session = self._session
        absent = session.store.index.absent(items) if items else set()
        new = [item for id, item in items.items() if id in absent or not session.known(_BLOB, id)]
        if new:
            self._made.append(session.pool.submit(make_frames, new))
        while len(self._made) > _AHEAD:
            self._take()

    def _take(self) -> None:
        for frame in self._made.popleft().result():
            self._session.append(frame)
        self._session.settle()


def make_frames(items: list[_Item]) -> list[Frame]:
    """Return what `make_frame` does for each of several blobs; Damaged as it."""
    zstd = codec.compressor()
    tried = [item for item in items if len(item.data) >= codec.SMALLEST]
    if len(tried) < 2 or not hasattr(zstd, "multi_compress_to_buffer"):
        return [make_frame(_BLOB, item.id, item.data, item.check) for item in items]
    packed = zstd.multi_compress_to_buffer([item.data for item in tried], threads=1)
    shrunk = {
        item.id: packed[number].tobytes()
        for number, item in enumerate(tried)
        if codec.pays(len(packed[number]), len(item.data))
    }
    _check(shrunk, [item for item in tried if item.id in shrunk])
    return [_frame(item, shrunk.get(item.id)) for item in items]


def _frame(item: _Item, payload: bytes | None) -> Frame:
    if payload is None:
        return raw_frame(_BLOB, item.id, item.data, item.check)
    return zstd_frame(_BLOB, item.id, len(item.data), payload)


def _check(shrunk: dict[BlobId, bytes], items: list[_Item]) -> None:
    """Decompress again, so that neither bad memory nor a defect of the compressor is ever written."""
    if not items:
        return
    sizes = array("Q", (len(item.data) for item in items)).tobytes()
    zstd = codec.decompressor()
    found = zstd.multi_decompress_to_buffer([shrunk[item.id] for item in items], decompressed_sizes=sizes, threads=1)
    for number, item in enumerate(items):
        codec.check_back(found[number].tobytes(), item.check)
