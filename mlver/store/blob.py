"""Reading blobs: a seekable reader over chunks, and a fast copy of the whole."""

from __future__ import annotations

import io
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from blake3 import blake3

from mlver.errors import Damaged, LocalIO
from mlver.objects.ids import BlobId
from mlver.storage.base import Storage
from mlver.store.frames import FRAME_BYTES, Bytes
from mlver.store.pack import Location, Row, open_frame, pack_key, peel_frame

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Chunks = Sequence[tuple[BlobId, int]]
Load = Callable[[BlobId], bytes]
LoadMany = Callable[[Chunks], Iterable[Bytes]]
_RUN = 8 << 20  # bytes of neighbouring frames read at once
_FEW = 8  # chunks


class BlobReader(io.RawIOBase):
    """A seekable stream over the chunks of a blob. Holds one chunk in memory, or those of one large read."""

    def __init__(self, chunks: Chunks, load: Load, many: LoadMany | None = None) -> None:
        self._chunks = chunks
        self._ends = list(accumulate(length for _, length in chunks))
        self._load, self._many = load, many
        self._at = 0
        self._held: tuple[int, Bytes] = (-1, b"")

    @classmethod
    def open(cls, chunks: Chunks, load: Load, many: LoadMany | None = None) -> BinaryIO:
        """Return a buffered reader of the blob made of `chunks`, which `load` returns verified, `many` several."""
        return cast(BinaryIO, io.BufferedReader(cls(chunks, load, many), 64 << 10))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1]}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        n = bisect_right(self._ends, self._at)
        if n == len(self._ends):
            return 0
        view = memoryview(buffer).cast("B")
        last = bisect_left(self._ends, min(self._at + len(view), self._at + _RUN, self._ends[-1]))
        if self._many is None or last <= n or self._held[0] == n:
            return self._give(n, view)
        given = 0
        for number, data in enumerate(self._many(self._chunks[n : last + 1]), n):
            self._hold(number, data)
            given += self._give(number, view[given:])
        self._held = (self._held[0], bytes(self._held[1]))  # of all that was read at once only the last is kept
        return given

    def _give(self, n: int, view: memoryview) -> int:
        """Copy what chunk `n` has from here on, as far as there is room; return how many bytes that were."""
        if self._held[0] != n:
            self._hold(n, self._load(self._chunks[n][0]))
        start = self._ends[n - 1] if n else 0
        piece = self._held[1][self._at - start :][: len(view)]
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _hold(self, n: int, data: Bytes) -> None:
        id, length = self._chunks[n]
        if len(data) != length:
            raise Damaged(f"chunk {id} is not as long as its list says", hint="mlver fsck")
        self._held = (n, memoryview(data))


def each_chunk(
    chunks: Chunks, find: Callable[[bytes], list[Location]], load: Load, storage: Storage
) -> Iterator[Bytes]:
    """Yield the bytes of each chunk, verified against its id; those that lie behind each other are read at once."""
    for run in _runs(chunks, find):
        yield from _pieces(run, _read(run, storage), load, open_frame)


def copy_chunks(
    id: BlobId,
    chunks: Chunks,
    find: Callable[[bytes], list[Location]],
    load: Load,
    storage: Storage,
    write: Callable[[Any], object],
    *,
    behind: bool = False,
) -> None:
    """Hand a blob to `write` in large pieces, and check its hash at the end; Damaged.

    Chunks that lie behind each other are read at once, ahead, and checked against their checksums only: the hash of
    the whole says more than theirs. `load` returns a chunk that this way does not give. `find` is asked once for each
    chunk, in their order. With `behind`, another thread may call `write`, and the memory it is given is used again.
    """
    few = len(chunks) <= _FEW  # then waking other threads takes longer than they save
    whole = blake3(max_threads=1 if few or behind else 2)
    runs = _runs(chunks, find)
    read = ((run, _read(run, storage)) for run in runs) if few else _read_ahead(runs, storage)
    pieces = (_whole_pieces(run, data, load) for run, data in read)
    if behind and not few:
        _write_behind(pieces, whole, write)
    else:
        for each in pieces:
            joined = b"".join(each)
            whole.update(joined)
            write(joined)
    if whole.digest() != id:
        for chunk, _ in chunks:
            load(chunk)  # raises and names the chunk that is to blame
        raise Damaged(f"the chunk list of blob {id} is wrong", hint="mlver fsck")


def _write_behind(pieces: Iterable[Iterable[Bytes]], whole: blake3, write: Callable[[Any], object]) -> None:
    from mlver.store.drain import Drain  # its threads are slow to load

    drain = Drain(write, whole, 0)
    try:
        for each in pieces:
            drain.put(each)
        drain.finish()
    finally:
        drain.close()


_Run = list[tuple[BlobId, int, Location | None]]


def _runs(chunks: Chunks, find: Callable[[bytes], list[Location]]) -> Iterator[_Run]:
    """Group chunks whose frames follow each other in one pack."""
    run: _Run = []
    end: tuple[str, int] | None = None
    size = 0
    for id, length in chunks:
        places = find(id)
        place = next((p for p in places if (p.pack, p.row.offset) == end), places[0] if places else None)
        follows = place is not None and (place.pack, place.row.offset) == end
        if run and not (follows and size < _RUN):
            yield run
            run, size = [], 0
        run.append((id, length, place))
        size += length
        end = (place.pack, place.row.end) if place else None
    if run:
        yield run


def _read_ahead(runs: Iterable[_Run], storage: Storage) -> Iterator[tuple[_Run, memoryview]]:
    """Yield each run with its bytes; a thread reads the next meanwhile."""
    from concurrent.futures import Future, ThreadPoolExecutor

    before: tuple[_Run, Future[memoryview]] | None = None
    with ThreadPoolExecutor(1, "mlver-read") as thread:
        for run in runs:
            ahead = thread.submit(_read, run, storage)
            if before is not None:
                yield before[0], before[1].result()
            before = run, ahead
        if before is not None:
            yield before[0], before[1].result()


def _read(run: _Run, storage: Storage) -> memoryview:
    """Return the bytes of a run, frames and all; none when they are not to be had there."""
    first, last = run[0][2], run[-1][2]
    if first is not None and last is not None:
        with suppress(KeyError, LocalIO):  # another copy may be to be had
            start = first.row.offset
            return memoryview(storage.read(pack_key(first.pack), start, last.row.end - start))
    return memoryview(b"")


def _whole_pieces(run: _Run, data: memoryview, load: Load) -> Iterator[Bytes]:
    for (id, length, _), piece in zip(run, _pieces(run, data, load, peel_frame), strict=True):
        if len(piece) != length:
            raise Damaged(f"chunk {id} is not as long as its list says", hint="mlver fsck")
        yield piece


def _pieces(run: _Run, data: memoryview, load: Load, unwrap: Callable[[memoryview, Row], Bytes]) -> Iterator[Bytes]:
    """Yield the chunks of a run, taken out of their frames in `data` by `unwrap`, else by `load`."""
    start = run[0][2].row.offset if run[0][2] is not None else 0
    for id, _, place in run:
        piece: Bytes | None = None
        if place is not None:
            at = place.row.offset - start
            with suppress(Damaged):  # another copy may be sound
                piece = unwrap(data[at : at + FRAME_BYTES + place.row.stored], place.row)
        yield load(id) if piece is None else piece
