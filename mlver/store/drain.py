"""The way of many bytes to a disk: collected in large buffers, hashed, and written, each a step behind the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from blake3 import blake3

from mlver.storage.buffers import BLOCK, pages
from mlver.store.frames import Bytes

_PIECE = 4 << 20  # bytes hashed and written at once
_RING = 4  # one being filled, one hashed, two on their way to the disk


class Drain:
    """Gives bytes to `write`, which must not keep them, and hashes them in `hasher`; one thread hashes, one writes.

    Their calls are few and long: threads that ask for the interpreter all the time stop each other, so copying into
    the buffers is left to the caller. Pieces are written from buffers that begin at a page, at places that are
    multiples of one: a storage may hand them to the disk without another copy. `start` is how many bytes were written
    before.
    """

    def __init__(self, write: Callable[[memoryview], object], hasher: blake3, start: int) -> None:
        self._write, self._hasher = write, hasher
        self._hashing = ThreadPoolExecutor(1, "mlver-hash")
        self._writing = ThreadPoolExecutor(1, "mlver-disk")
        self._ring = [pages(_PIECE) for _ in range(_RING)]
        self._under_way: list[list[Future[object]]] = [[] for _ in range(_RING)]
        self._turn = 0
        self._start = self._hashed = self._end = start % BLOCK  # what of the buffer at hand is to be written

    def put(self, parts: Iterable[Bytes]) -> None:
        """Append `parts`; raises what went wrong with earlier ones."""
        buffer, end = self._ring[self._turn], self._end
        for part in parts:
            start, end = end, end + len(part)
            if end < _PIECE:
                buffer[start:end] = part
                continue
            rest = memoryview(part)
            while start + len(rest) >= _PIECE:
                room = _PIECE - start
                buffer[start:] = rest[:room]
                rest, start = rest[room:], 0
                self._end = _PIECE
                self._send()
                buffer = self._ring[self._turn]
            end = len(rest)
            buffer[:end] = rest
        self._end = end

    def digest(self) -> None:
        """Bring the hash up to date with all that was put."""
        self._hash()
        self._await(self._turn)

    def finish(self) -> None:
        """Hash and write all that was put."""
        self._send()
        for turn in range(_RING):
            self._await(turn)
        self.close()

    def close(self) -> None:
        """End the threads, wherever they are. What is not written stays so."""
        self._hashing.shutdown(wait=True, cancel_futures=True)
        self._writing.shutdown(wait=True, cancel_futures=True)

    def _hash(self) -> None:
        piece = self._ring[self._turn][self._hashed : self._end]
        self._under_way[self._turn].append(self._hashing.submit(self._hasher.update, piece))
        self._hashed = self._end

    def _send(self) -> None:
        """Let the buffer at hand be hashed and written, and take the next, once it is."""
        self._hash()
        piece = self._ring[self._turn][self._start : self._end]
        self._under_way[self._turn].append(self._writing.submit(self._write, piece))
        self._turn = (self._turn + 1) % _RING
        self._start = self._hashed = self._end = 0
        self._await(self._turn)

    def _await(self, turn: int) -> None:
        done, self._under_way[turn] = self._under_way[turn], []
        for each in done:
            each.result()
