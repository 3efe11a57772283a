"""Reads the bytes of a pickle stream: exact lengths, frames, lines, and arrays left where they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

import blake3

from mlver.kinds.base import Source, Unreadable
from mlver.kinds.models.inflate import Inflater, compression_of
from mlver.kinds.models.limits import CHUNK, MAX_LINE, SPAN_FROM
from mlver.kinds.models.values import Payload, Span

_CROSSES = "an opcode that crosses the end of its frame"
_SHORT = "ends early: the file is truncated"


class Reader:
    """A forward reader that knows its position and the pickle frame it is in.

    A frame must end where an opcode ends; loaders disagree on streams where it does not, so those
    are Unreadable, and so is a read past the end.
    """

    def __init__(self, source: Source, stream: BinaryIO) -> None:
        method = compression_of(stream.read(8))
        stream.seek(0)
        self._stream = stream
        self._span_source = None if method else source
        self._size: int | None = None if method else source.size
        self._more: Callable[[int], bytes] = Inflater(stream, method, source.size).read if method else stream.read
        self._buffer = b""
        self._at = 0
        self._frame_end: int | None = None
        self.position = 0
        self.compression = method

    def byte(self) -> int:
        """Return the next byte."""
        if self._at < len(self._buffer):
            value = self._buffer[self._at]
            self._at += 1
            self.position += 1
            if self.position == self._frame_end:
                self._frame_end = None
            return value
        return self.read(1)[0]

    def read(self, count: int) -> bytes:
        """Return exactly `count` bytes."""
        self._claim(count)
        end = self._at + count
        if end <= len(self._buffer):
            piece = self._buffer[self._at : end]
            self._at = end
            return piece
        parts = [self._buffer[self._at :]]
        missing = count - len(parts[0])
        self._buffer, self._at = b"", 0
        while missing > 0:
            piece = self._more(max(CHUNK, missing) if self._size is not None else CHUNK)
            if not piece:
                raise Unreadable(_SHORT)
            parts.append(piece[:missing])
            if len(piece) > missing:
                self._buffer, self._at = piece, missing
            missing -= len(parts[-1])
        return b"".join(parts)

    def uint(self, width: int) -> int:
        """Return a little-endian unsigned integer of `width` bytes."""
        return int.from_bytes(self.read(width), "little")

    def line(self, limit: int = MAX_LINE) -> bytes:
        """Return the bytes up to the next newline, without it."""
        parts: list[bytes] = []
        total = 0
        frame_end = self._frame_end
        while True:
            if self._at >= len(self._buffer):
                self._refill()
            found = self._buffer.find(b"\n", self._at)
            stop = found + 1 if found >= 0 else len(self._buffer)
            total += stop - self._at
            if total > limit:
                raise Unreadable("a line that never ends")
            parts.append(self.read(stop - self._at))
            if frame_end is not None and self.position > frame_end:
                raise Unreadable(_CROSSES)
            if found >= 0:
                return b"".join(parts)[:-1]

    def payload(self, count: int) -> Payload:
        """Return `count` bytes; long ones of a plain file as a Span that is read when it is needed."""
        if self._span_source is None or count < SPAN_FROM:
            return self.read(count)
        span = Span(self._span_source, self.position, count)
        self._claim(count)
        self._stream.seek(self.position)
        self._buffer, self._at = b"", 0
        return span

    def frame(self, length: int) -> None:
        """Enter a frame of `length` bytes; Unreadable inside another one."""
        if self._frame_end is not None:
            raise Unreadable("a frame inside a frame")
        if self._size is not None and self.position + length > self._size:
            raise Unreadable(_SHORT)
        self._frame_end = self.position + length if length else None

    def leave_frames(self) -> None:
        """Make sure that no frame is open, as there must be none where raw array bytes begin."""
        if self._frame_end is not None:
            raise Unreadable("array bytes inside a frame")

    def rest(self) -> tuple[int, str]:
        """Return how many bytes are left and the BLAKE3 of them, reading to the end of the file."""
        self._frame_end = None
        digest = blake3.blake3()
        count = 0
        piece = self._buffer[self._at :] or self._more(CHUNK)
        while piece:
            digest.update(piece)
            count += len(piece)
            piece = self._more(CHUNK)
        return count, digest.hexdigest()

    def _refill(self) -> None:
        self._buffer, self._at = self._more(CHUNK), 0
        if not self._buffer:
            raise Unreadable(_SHORT)

    def _claim(self, count: int) -> None:
        end = self.position + count
        if self._size is not None and end > self._size:
            raise Unreadable(_SHORT)
        if self._frame_end is not None:
            if end > self._frame_end:
                raise Unreadable(_CROSSES)
            if end == self._frame_end:
                self._frame_end = None
        self.position = end
