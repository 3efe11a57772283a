"""Reading blobs: a seekable reader over chunks, and a fast copy of the whole."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from blake3 import blake3

from mlver.errors import Damaged, LocalIO
from mlver.objects.ids import BlobId
from mlver.storage.base import Storage
from mlver.store.frames import FRAME_BYTES
from mlver.store.pack import Location, pack_key, peel_frame

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Chunks = Sequence[tuple[BlobId, int]]
_RUN = 8 << 20  # bytes of neighbouring frames read at once
_FEW = 8  # chunks


class BlobReader(io.RawIOBase):
    """A seekable stream over the chunks of a blob. Holds one chunk in memory."""

    def __init__(self, chunks: Chunks, load: Callable[[BlobId], bytes]) -> None:
        self._ids = [id for id, _ in chunks]
        self._ends = list(accumulate(length for _, length in chunks))
        self._load = load
        self._at = 0
        self._held: tuple[int, bytes] = (-1, b"")

    @classmethod
    def open(cls, chunks: Chunks, load: Callable[[BlobId], bytes]) -> BinaryIO:
        """Return a buffered reader of the blob made of `chunks`, which `load` returns verified."""
        return cast(BinaryIO, io.BufferedReader(cls(chunks, load), 64 << 10))

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
        start = self._ends[n - 1] if n else 0
        if self._held[0] != n:
            data = self._load(self._ids[n])
            if len(data) != self._ends[n] - start:
                raise Damaged(f"chunk {self._ids[n]} is not as long as its list says", hint="mlver fsck")
            self._held = (n, data)
        view = memoryview(buffer).cast("B")
        piece = self._held[1][self._at - start :][: len(view)]
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def copy_chunks(
    id: BlobId,
    chunks: Chunks,
    find: Callable[[bytes], list[Location]],
    load: Callable[[BlobId], bytes],
    storage: Storage,
    write: Callable[[Any], object],
) -> None:
    """Hand a blob to `write` in large pieces, and check its hash at the end; Damaged.

    Chunks that lie behind each other are read at once and checked against their checksums only:
    the hash of the whole says more than theirs. `load` returns a chunk that this way does not give.
    """
    # below a few chunks, waking a second thread takes longer than hashing
    whole = blake3(max_threads=2 if len(chunks) > _FEW else 1)
    for run in _runs(chunks, find):
        data = _read_run(run, storage, load)
        whole.update(data)
        write(data)
    if whole.digest() != id:
        for chunk, _ in chunks:
            load(chunk)  # raises and names the chunk that is to blame
        raise Damaged(f"the chunk list of blob {id} is wrong", hint="mlver fsck")


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


def _read_run(run: _Run, storage: Storage, load: Callable[[BlobId], bytes]) -> bytes:
    first, last = run[0][2], run[-1][2]
    if first is None or last is None:
        data = memoryview(b"")
        start = 0
    else:
        start = first.row.offset
        try:
            data = memoryview(storage.read(pack_key(first.pack), start, last.row.end - start))
        except (KeyError, LocalIO):
            data = memoryview(b"")
    pieces: list[Any] = []
    for id, length, place in run:
        piece: Any = None
        if place is not None:
            at = place.row.offset - start
            try:
                piece = peel_frame(data[at : at + FRAME_BYTES + place.row.stored], place.row)
            except Damaged:
                piece = None  # another copy may be sound
        if piece is None:
            piece = load(id)
        if len(piece) != length:
            raise Damaged(f"chunk {id} is not as long as its list says", hint="mlver fsck")
        pieces.append(piece)
    return b"".join(pieces)
