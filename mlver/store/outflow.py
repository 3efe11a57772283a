"""The way of a large blob out of its packs: read ahead, checked, hashed and written, each a step behind the other.

Chunks that lie in a pack as they are get read straight to where they are written from: the system leaves out what
stands between them (`preadv`), so nothing is copied on the way. The others are unpacked to there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from itertools import chain, cycle
from struct import Struct
from typing import Any

from blake3 import blake3
from xxhash import xxh3_64_intdigest

from mlver.errors import LocalIO
from mlver.storage.base import Storage
from mlver.storage.buffers import BLOCK, pages
from mlver.store.frames import FRAME_BYTES, HEADER_BYTES, MAX_CHUNK, RAW
from mlver.store.pack import pack_key
from mlver.store.runs import RUN_BYTES, Load, Run, of_length, read_run, whole_pieces

_RING = 4  # one being read, one checked, two on their way to the hash and the disk
_AROUND = Struct("<24x32s8xQ")  # of a frame but its chunk: the id in its header, and the checksum
_ROOM = BLOCK + 2 * (RUN_BYTES + MAX_CHUNK)


def pour(runs: Iterable[Run], storage: Storage, load: Load, whole: blake3, write: Callable[[Any], object]) -> None:
    """Hand the chunks of `runs` to `write`, one behind the other, from memory that is used again; hash them in `whole`.

    Each is checked by the id in its header and by its checksum; `load` returns one that is not to be had where it
    should lie. Pieces are many pages long, each whole but the last. Threads read, hash and write: theirs are few and
    long calls, for those who ask for the interpreter all the time stop each other.
    """
    with ExitStack() as threads:
        reading, hashing, writing = (threads.enter_context(_Thread(name)) for name in ("read", "hash", "disk"))
        ring = [_Basin() for _ in range(_RING)]
        basins, start, rest = cycle(ring), 0, b""
        before: tuple[_Basin, Future[None]] | None = None
        for group in chain(_groups(runs), (None,)):
            ahead = None
            if group is not None:
                basin = next(basins)
                basin.take(group, start)
                ahead = basin, reading.submit(basin.read, storage)
                start = basin.end % BLOCK
            if before is not None:
                full, read = before
                read.result()
                full.settle(rest, load)
                stop = full.end - (full.end % BLOCK if ahead else 0)
                rest = bytes(full.memory[stop : full.end])
                full.lend(hashing.submit(whole.update, full.memory[full.start : full.end]))
                full.lend(writing.submit(write, full.memory[:stop]))
            before = ahead
        for basin in ring:
            basin.wait()


class _Thread(ThreadPoolExecutor):
    """One thread. What still waits for it when its block is left is given up."""

    def __init__(self, name: str) -> None:
        super().__init__(1, f"mlver-{name}")

    def __exit__(self, *_: object) -> None:
        self.shutdown(wait=True, cancel_futures=True)


class _Basin:
    """Memory that begins at a page, for runs that follow each other."""

    def __init__(self) -> None:
        self.memory = pages(_ROOM)
        self.start = self.end = 0
        self._stretches: list[_Stretch] = []
        self._lent: list[Future[Any]] = []

    def take(self, runs: list[Run], start: int) -> None:
        """Make room for some runs, behind `start` bytes of what came before them."""
        self.wait()
        self._stretches, self.start, self.end = [], start, start
        for run in runs:
            end = self.end + sum(length for _, length, _ in run)
            self._stretches.append(_Stretch(run, self.memory[self.end : end]))
            self.end = end

    def read(self, storage: Storage) -> None:
        """Read what lies in packs."""
        for stretch in self._stretches:
            stretch.read(storage)

    def settle(self, before: bytes, load: Load) -> None:
        """Check all that was read and bring the rest; put what came before in front of it. Damaged."""
        self.memory[: self.start] = before
        for stretch in self._stretches:
            stretch.settle(load)

    def lend(self, use: Future[Any]) -> None:
        """Remember who is using the memory."""
        self._lent.append(use)

    def wait(self) -> None:
        """Come back when nobody uses the memory; raises what went wrong meanwhile."""
        while self._lent:
            self._lent.pop().result()


class _Stretch:
    """A run, and the memory its chunks belong in. When all lie in the pack as they are, they are read to there."""

    def __init__(self, run: Run, memory: memoryview) -> None:
        self._run, self._memory = run, memory
        plain = all(place and place.row.codec == RAW and place.row.raw == length for _, length, place in run)
        self._frames = memoryview(b"")
        # header and checksum of each frame; zeros are neither, should what is in memory be of before
        self._around = memoryview(bytearray(FRAME_BYTES * len(run) * plain))

    def read(self, storage: Storage) -> None:
        first = self._run[0][2]
        if not self._around or first is None:
            self._frames = read_run(self._run, storage)
            return
        with suppress(KeyError, LocalIO):  # another copy may be to be had
            storage.read_into(pack_key(first.pack), first.row.offset, [*self._parts()])

    def _parts(self) -> Iterator[memoryview]:
        """Yield where the bytes of the frames go: a header, a chunk, its checksum with the next header, a chunk ..."""
        yield self._around[:HEADER_BYTES]
        start, between = 0, HEADER_BYTES
        for _, length, _ in self._run:
            yield self._memory[start : start + length]
            yield self._around[between : between + FRAME_BYTES]
            start, between = start + length, between + FRAME_BYTES

    def settle(self, load: Load) -> None:
        start = 0
        if not self._around:
            for piece in whole_pieces(self._run, self._frames, load):
                self._memory[start : start + len(piece)] = piece
                start += len(piece)
            return
        for (id, length, _), (found, check) in zip(self._run, _AROUND.iter_unpack(self._around), strict=True):
            piece = self._memory[start : start + length]
            if found != id or check != xxh3_64_intdigest(piece):
                piece[:] = of_length(id, length, load(id))
            start += length


def _groups(runs: Iterable[Run]) -> Iterator[list[Run]]:
    """Put short runs together, until there is as much as a long one."""
    group: list[Run] = []
    size = 0
    for run in runs:
        group.append(run)
        size += sum(length for _, length, _ in run)
        if size >= RUN_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group
