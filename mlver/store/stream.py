"""Storing a large blob: read, cut, hash, compress and write at once, in constant memory.

One thread reads ahead and hashes the whole, the calling one cuts, hashes the chunks and copies them into the pack,
whose own threads hash and write it (`drain.py`). So only one of them works in small steps: several that do stop each
other at the interpreter's lock, though blake3, zstd and the cutter let go of it. Chunks that compress take long
enough each to be made by several workers. Buffers go round in a ring.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from blake3 import blake3

from mlver.errors import Refused
from mlver.objects.ids import BlobId
from mlver.storage.buffers import pages
from mlver.store.chunking import Cutter, fill
from mlver.store.frames import LIST, LIST_ITEM_BYTES, MAX_CHUNK, MAX_LIST, RAW, TYPES, Bytes, checksum, pack_list
from mlver.store.packwriter import Frame, make_frame, raw_frame

if TYPE_CHECKING:
    from concurrent.futures import Future

    from mlver.store.session import StoreSession

_BLOB = TYPES["blob"]
_BUFFER = 4 << 20
_PIECE = 1 << 20  # bytes read and hashed at once, while they are in the processor's cache
_AHEAD = 1  # buffers being read
_AT_WORK = 3  # buffers with the workers
_DULL = 3
_Made = list[tuple[bytes, int, Frame | None]]


def store_stream(
    session: StoreSession, stream: BinaryIO, head: bytes, progress: Callable[[int], None] | None
) -> tuple[BlobId, int]:
    """Store `head` and the rest of `stream` as one blob; returns its id and length. Redacted as `put_bytes`."""
    cutter, chunks = Cutter(), _Chunks(session)
    carry: Bytes = b""
    with _Reader(session, stream, head) as reader:
        for buffer, end, last in reader:
            start = MAX_CHUNK - len(carry)
            buffer[start:MAX_CHUNK] = carry
            view = buffer[start:end]
            cuts = cutter.cut(view, last)
            carry = bytes(view[cuts[-1][1] :] if cuts else view)
            reader.free += chunks.add(buffer, start, cuts)
            if progress is not None:
                progress(end - MAX_CHUNK)
        reader.free += chunks.finish()
        id = BlobId(reader.whole.digest())
    session.refuse_redacted(id)
    _store_list(session, id, chunks.found)
    return id, reader.size


class _Reader:
    """Reads a stream ahead, in a thread, and hashes all of it in `whole`.

    Yields a buffer, where its bytes end and whether they are the last; the first MAX_CHUNK bytes of each buffer are
    left free. A buffer that nobody needs any more belongs into `free`: the one that was put there last is used first.
    """

    def __init__(self, session: StoreSession, stream: BinaryIO, head: bytes) -> None:
        self._thread, self.free = session.reading, session.buffers
        self._stream, self._head = stream, head
        self.whole, self.size = blake3(), 0
        self._ahead: deque[Future[tuple[memoryview, int, bool]]] = deque()
        self._ended = False

    def __iter__(self) -> Iterator[tuple[memoryview, int, bool]]:
        self._begin()
        last = False
        while not last:
            buffer, end, last = self._ahead.popleft().result()
            while not last and len(self._ahead) < _AHEAD:
                self._begin()
            self.size += end - MAX_CHUNK
            yield buffer, end, last

    def _begin(self) -> None:
        buffer = self.free.pop() if self.free else pages(MAX_CHUNK + _BUFFER)
        self._ahead.append(self._thread.submit(self._read, buffer))

    def _read(self, buffer: memoryview) -> tuple[memoryview, int, bool]:
        end = MAX_CHUNK
        while end < len(buffer) and not self._ended:  # nothing is read behind an end: the file may grow meanwhile
            piece = buffer[end : end + _PIECE]
            head, self._head = self._head, b""
            piece[: len(head)] = head
            count = len(head) + fill(self._stream, piece[len(head) :])
            self.whole.update(piece[:count])
            end += count
            self._ended = count < len(piece)
        return buffer, end, self._ended

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        for read in self._ahead:  # the stream is not touched any more after that
            if not read.cancel() and read.exception() is None:
                self.free.append(read.result()[0])


class _Chunks:
    """Stores chunks in the order they come in. `found` has the id and length of each."""

    def __init__(self, session: StoreSession) -> None:
        self._session = session
        self._at_work: deque[tuple[list[Future[_Made]], memoryview]] = deque()
        self._shrinks = False  # whether of what was made last a chunk did
        self.found: list[tuple[bytes, int]] = []

    def add(self, buffer: memoryview, start: int, cuts: list[tuple[int, int]]) -> list[memoryview]:
        """Store the chunks that were cut behind `start`; return the buffers that are not needed any more."""
        if not self._shrinks:
            free = self.finish()
            self._take(_make(self._session, buffer[start:], cuts))
            return [*free, buffer]
        half = len(cuts) // 2
        make = [self._session.pool.submit(_make, self._session, buffer[start:], p) for p in (cuts[:half], cuts[half:])]
        self._at_work.append((make, buffer))
        return [self._wait()] if len(self._at_work) > _AT_WORK else []

    def finish(self) -> list[memoryview]:
        """Store what is still being made; return the buffers it was made of."""
        return [self._wait() for _ in range(len(self._at_work))]

    def _wait(self) -> memoryview:
        makers, buffer = self._at_work.popleft()
        for made in makers:
            self._take(made.result())
        return buffer

    def _take(self, made: _Made) -> None:
        frames = [frame for _, _, frame in made if frame is not None]
        self.found += [(id, length) for id, length, _ in made]
        if frames:
            self._shrinks = any(frame.row.codec != RAW for frame in frames)
        for frame in frames:
            self._session.append(frame)
        self._session.settle()
        if len(self.found) * LIST_ITEM_BYTES > MAX_LIST:
            raise Refused("a file this large does not fit the format", hint="split it")


def _make(session: StoreSession, buffer: memoryview, cuts: list[tuple[int, int]]) -> _Made:
    """Return id, length and, for chunks that are new, the frame of each cut."""
    made: _Made = []
    dull = 0  # how many chunks after one that did not compress are not tried
    # both hashes of a chunk while it is in the processor's cache
    hashed = [(blake3(chunk).digest(), checksum(chunk), chunk) for chunk in (buffer[at:end] for at, end in cuts)]
    places = session.store.index.find_all(_BLOB, [id for id, _, _ in hashed])  # one question for all
    for id, check, chunk in hashed:
        frame = None
        if not session.known(_BLOB, id, places.get(id, ())):
            frame = raw_frame(_BLOB, id, chunk, check) if dull else make_frame(_BLOB, id, chunk, check)
            dull = dull - 1 if dull else _DULL * (frame.row.codec == RAW)
        made.append((id, len(chunk), frame))
    return made


def _store_list(session: StoreSession, id: BlobId, chunks: list[tuple[bytes, int]]) -> None:
    """A blob of one chunk is that chunk; any other needs its list."""
    if len(chunks) > 1 and not session.known(TYPES[LIST], id):
        session.append(make_frame(TYPES[LIST], id, pack_list(chunks)))
        session.settle()
