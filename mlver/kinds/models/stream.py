"""A forward look through a part of a file: exact reads, skips, and never past its end."""

from __future__ import annotations

from types import TracebackType
from typing import Final

from mlver.kinds.base import Source, Unreadable
from mlver.kinds.models.limits import CHUNK

_AHEAD: Final = 1 << 16


class Stream:
    """Reads `source` from `at` to `end`; use as a context manager."""

    def __init__(self, source: Source, what: str) -> None:
        self.source = source
        self.end = source.size
        self.at = 0
        self._what = what
        self._stream = source.open()
        self._buffer, self._from = b"", 0

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def read(self, count: int) -> bytes:
        """Return exactly `count` bytes; Unreadable when there are fewer."""
        self._claim(count)
        start = self.at - self._from
        if start < 0 or start + count > len(self._buffer):
            self._stream.seek(self.at)
            self._buffer, self._from, start = self._fill(max(count, _AHEAD)), self.at, 0
        piece = self._buffer[start : start + count]
        if len(piece) < count:
            raise Unreadable(f"became shorter while it was read: {self._what}")
        self.at += count
        return piece

    def skip(self, count: int) -> int:
        """Go past `count` bytes and return where they begin; Unreadable when there are fewer."""
        self._claim(count)
        self.at += count
        return self.at - count

    def _claim(self, count: int) -> None:
        if count < 0 or count > self.end - self.at:
            raise Unreadable(f"ends early: the {self._what} file is truncated")

    def _fill(self, count: int) -> bytes:
        parts, left = [], min(count, self.end - self.at)
        while left > 0 and (piece := self._stream.read(min(left, CHUNK))):
            parts.append(piece)
            left -= len(piece)
        return b"".join(parts)
