"""Reading blobs: a seekable reader over chunks, and a fast copy of the whole."""

from __future__ import annotations

import io
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from blake3 import blake3

from mlver.errors import Damaged
from mlver.objects.ids import BlobId
from mlver.storage.base import Storage
from mlver.store.frames import Bytes
from mlver.store.runs import RUN_BYTES, Chunks, Find, Load, read_run, runs_of, verified_pieces, whole_pieces

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_T = TypeVar("_T")
LoadMany = Callable[[Chunks], Iterable[Bytes]]
_FEW = 8  # chunks, for which waking other threads takes longer than they save


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
        last = bisect_left(self._ends, min(self._at + len(view), self._at + RUN_BYTES, self._ends[-1]))
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


def each_chunk(chunks: Chunks, find: Find, load: Callable[[BlobId], _T], storage: Storage) -> Iterator[Bytes | _T]:
    """Yield the bytes of each chunk, verified against its id, else what `load` returns; neighbours are read at once."""
    for run in runs_of(chunks, find):
        yield from verified_pieces(run, read_run(run, storage), load)


def copy_chunks(
    id: BlobId, chunks: Chunks, find: Find, load: Load, storage: Storage, write: Callable[[Any], object]
) -> None:
    """Hand a blob to `write` in large pieces, and check its hash at the end; Damaged.

    Chunks that lie behind each other are read at once, ahead, and checked against their checksums only: the hash of
    the whole says more than theirs. `load` returns a chunk that this way does not give. `find` is asked once for each
    chunk, in their order. Another thread may call `write`, and the memory it is given is used again.
    """
    whole, runs = blake3(max_threads=1), runs_of(chunks, find)
    if len(chunks) <= _FEW:
        for run in runs:
            joined = b"".join(whole_pieces(run, read_run(run, storage), load))
            whole.update(joined)
            write(joined)
    else:
        from mlver.store.outflow import pour  # its threads are slow to load

        pour(runs, storage, load, whole, write)
    if whole.digest() != id:
        for chunk, _ in chunks:
            load(chunk)  # raises and names the chunk that is to blame
        raise Damaged(f"the chunk list of blob {id} is wrong", hint="mlver fsck")
