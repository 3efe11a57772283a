"""Storing a large blob: read, cut, hash, compress and write at once, in constant memory.

The calling thread reads, cuts and writes; worker threads hash and compress (blake3, xxhash and
zstd let go of the interpreter lock). Buffers go round in a ring.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from blake3 import blake3

from mlver.errors import Refused
from mlver.objects.ids import BlobId
from mlver.store.chunking import Cutter, fill
from mlver.store.frames import LIST, LIST_ITEM_BYTES, MAX_CHUNK, MAX_LIST, RAW, TYPES, pack_list
from mlver.store.packwriter import Frame, make_frame

if TYPE_CHECKING:
    from concurrent.futures import Future

    from mlver.store.session import StoreSession

_BLOB = TYPES["blob"]
_BUFFER = 8 << 20
_DULL = 3
_RING = 3  # one being read, two with the workers
_Made = list[tuple[bytes, int, Frame | None]]


def store_stream(
    session: StoreSession, stream: BinaryIO, head: bytes, progress: Callable[[int], None] | None
) -> tuple[BlobId, int]:
    """Store `head` and the rest of `stream` as one blob; returns its id and length. Redacted as `put_bytes`."""
    cutter, whole, pool = Cutter(), blake3(), session.pool
    ring = [memoryview(bytearray(_BUFFER + MAX_CHUNK)) for _ in range(_RING)]
    at_work: deque[list[Future[_Made]]] = deque()
    hashing: Future[object] | None = None
    chunks: list[tuple[bytes, int]] = []
    carry: bytes | memoryview = b""
    size, turn, last = 0, 0, False
    while not last:
        buffer = ring[turn % _RING]
        turn += 1
        start = len(carry)
        buffer[:start] = carry
        buffer[start : start + len(head)] = head
        filled = start + len(head) + fill(stream, buffer[start + len(head) :])
        head, last = b"", filled < len(buffer)
        if hashing is not None:
            hashing.result()
        hashing = pool.submit(whole.update, buffer[start:filled])
        size += filled - start
        cuts = cutter.cut(buffer[:filled], last)
        half = len(cuts) // 2
        at_work.append([pool.submit(_make, session, buffer, part) for part in (cuts[:half], cuts[half:])])
        carry = buffer[cuts[-1][1] : filled] if cuts else buffer[:filled]
        if len(at_work) == _RING - 1:
            _take(session, at_work.popleft(), chunks)
        if progress is not None:
            progress(filled - start)
    while at_work:
        _take(session, at_work.popleft(), chunks)
    if hashing is not None:
        hashing.result()
    id = BlobId(whole.digest())
    session.refuse_redacted(id)
    _store_list(session, id, chunks)
    return id, size


def _make(session: StoreSession, buffer: memoryview, cuts: list[tuple[int, int]]) -> _Made:
    """Return id, length and, for chunks that are new, the frame of each cut."""
    made: _Made = []
    dull = 0  # how many chunks after one that did not compress are not tried
    ids = [blake3(buffer[start:end]).digest() for start, end in cuts]
    absent = session.store.index.absent(ids)  # one question for all
    for id, (start, end) in zip(ids, cuts, strict=True):
        chunk = buffer[start:end]
        frame = None
        if id in absent or not session.known(_BLOB, id):
            frame = make_frame(_BLOB, id, chunk, squeeze=not dull)
            dull = dull - 1 if dull else _DULL * (frame.row.codec == RAW)
        made.append((id, end - start, frame))
    return made


def _take(session: StoreSession, parts: list[Future[_Made]], chunks: list[tuple[bytes, int]]) -> None:
    for part in parts:
        for id, length, frame in part.result():
            chunks.append((id, length))
            if frame is not None:
                session.append(frame)
    session.settle()
    if len(chunks) * LIST_ITEM_BYTES > MAX_LIST:
        raise Refused("a file this large does not fit the format", hint="split it")


def _store_list(session: StoreSession, id: BlobId, chunks: list[tuple[bytes, int]]) -> None:
    """A blob of one chunk is that chunk; any other needs its list."""
    if len(chunks) > 1 and not session.known(TYPES[LIST], id):
        session.append(make_frame(TYPES[LIST], id, pack_list(chunks)))
        session.settle()
