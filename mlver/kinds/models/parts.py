"""A stretch of a file, or bytes in memory, as files of their own."""

from __future__ import annotations

import io
from typing import BinaryIO

from mlver.frozen import frozen
from mlver.kinds.base import Source
from mlver.kinds.models.values import Payload, Span


class _Window(io.RawIOBase):
    """The bytes `start` to `start + size` of a stream it owns, as a stream from 0."""

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        super().__init__()
        self._stream, self._start, self._size, self._at = stream, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader hands in
        self._stream.seek(self._start + self._at)
        piece = self._stream.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        self._stream.close()
        super().close()


@frozen
class PartSource:
    """`size` bytes of another file from `offset` on."""

    whole: Source
    offset: int
    size: int
    path: str

    def open(self) -> BinaryIO:
        """Return a fresh seekable reader."""
        return io.BufferedReader(_Window(self.whole.open(), self.offset, self.size))


@frozen
class MemorySource:
    """A file that is only in memory; `packed` are the bytes it takes where it was unpacked from."""

    path: str
    data: bytes
    packed: int | None = None

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return len(self.data)

    def open(self) -> BinaryIO:
        """Return a fresh seekable reader."""
        return io.BytesIO(self.data)


def stored(source: Source) -> int:
    """Return how many bytes a file takes where it is stored, which may be packed."""
    packed = source.packed if isinstance(source, MemorySource) else None
    return source.size if packed is None else packed


def payload(source: Source, offset: int, size: int) -> Payload:
    """Return a stretch of a file as array bytes that are read when they are needed."""
    if isinstance(source, PartSource):
        return Span(source.whole, source.offset + offset, size)
    if isinstance(source, MemorySource):
        return source.data[offset : offset + size]
    return Span(source, offset, size)
