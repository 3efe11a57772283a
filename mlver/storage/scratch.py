"""A file for what does not fit into memory; it has no name and is gone when nobody holds it any more.

It lies where TMPDIR says, or else in /tmp or /var/tmp, where there is more room: /tmp is memory on many machines.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import weakref
from typing import BinaryIO, cast

from mlver.errors import LocalIO

_USUAL, _OTHER = "/tmp", "/var/tmp"  # noqa: S108 - the file has no name that anybody could guess


class Scratch:
    """Bytes that are written once, and then read by as many as like."""

    def __init__(self) -> None:
        """Raise LocalIO when there is no place for it."""
        self._file = _nameless()
        weakref.finalize(self, self._file.close)
        self.size = 0

    def append(self, data: memoryview | bytes) -> int:
        """Write bytes behind those there are, and return where they begin; LocalIO when the disk is full."""
        begin, view = self.size, memoryview(data).cast("B")
        try:
            while len(view):
                written = os.pwrite(self._file.fileno(), view, self.size)
                self.size += written
                view = view[written:]
        except OSError as error:
            raise LocalIO(
                f"a temporary file cannot grow: {error.strerror}", hint="set TMPDIR to another disk"
            ) from None
        return begin

    def clear(self) -> None:
        """Begin anew."""
        os.ftruncate(self._file.fileno(), 0)
        self.size = 0

    def read_at(self, begin: int, size: int) -> bytes:
        """Return bytes from one place, fewer at the end."""
        parts: list[bytes] = []
        while size and (part := os.pread(self._file.fileno(), size, begin)):  # two GiB at most come at a time
            parts.append(part)
            begin, size = begin + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def open(self) -> BinaryIO:
        """Return a fresh reader of what is there."""
        return cast(BinaryIO, io.BufferedReader(_Reader(self), 1 << 16))


def _nameless() -> BinaryIO:
    where = "the system's temporary folders"
    try:
        where = tempfile.gettempdir()
        if where == _USUAL and os.access(_OTHER, os.W_OK):
            where = max((_USUAL, _OTHER), key=lambda place: shutil.disk_usage(place).free)
        return cast(BinaryIO, tempfile.TemporaryFile(prefix="mlver-", dir=where, buffering=0))
    except OSError as error:
        raise LocalIO(f"cannot make a file in {where}: {error.strerror}", hint="set TMPDIR to another") from None


class Appending(io.RawIOBase):
    """A Scratch as a file that is written from its beginning to its end."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: memoryview | bytes) -> int:  # type: ignore[override]
        """Take in all of it; LocalIO as `append`."""
        begin = self._scratch.append(data)
        return self._scratch.size - begin

    def tell(self) -> int:
        """Return how much was written."""
        return self._scratch.size


class _Reader(io.RawIOBase):
    def __init__(self, scratch: Scratch) -> None:
        self._scratch, self._at = scratch, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(offset + (0, self._at, self._scratch.size)[whence], 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._scratch.read_at(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
