"""Compressed files of text: what is inside, read piece by piece, with a bound on how much may come out."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from typing import Any, BinaryIO, Final

import pyarrow as pa

from mlver.kinds.base import Unreadable

LIMIT: Final = 1 << 33  # bytes a file may unfold to
FLOOR: Final = 1 << 26  # so much is let through whatever the ratio
RATIO: Final = 250  # beyond it a file may grow so many times; real tables grow 3 to 50 times
_PIECE: Final = 1 << 22

_OPENERS: Final[dict[bytes, Callable[[BinaryIO], Any]]] = {
    b"\x1f\x8b": lambda stream: gzip.GzipFile(fileobj=stream),
    b"\x28\xb5\x2f\xfd": lambda stream: pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd"),
    b"BZh": bz2.BZ2File,
}
_UNREAD: Final = {b"\xfd7zXZ": "xz", b"\x04\x22\x4d\x18": "lz4"}
SUFFIXES: Final = (".gz", ".zst", ".bz2")


def is_packed(head: bytes) -> bool:
    """Whether a file that starts with `head` is compressed as a whole; Unreadable when in a way that is not read."""
    for magic, name in _UNREAD.items():
        if head.startswith(magic):
            raise Unreadable(f"compressed with {name}, which is not read")
    return head.startswith(tuple(_OPENERS))


def unpacked(stream: BinaryIO, head: bytes, size: int) -> bytes:
    """Return all that is packed in `stream`, which starts with `head` and has `size` bytes.

    Unreadable when it grows beyond all measure, or holds nothing; what the libraries raise for
    damaged or truncated data is left to the caller.
    """
    inside = unpacking(stream, head, size)
    parts: list[bytes] = []
    while part := inside.read(_PIECE):
        parts.append(part)
    if not parts:
        raise Unreadable("empty file")
    return b"".join(parts)


def unpacking(stream: BinaryIO, head: bytes, size: int) -> Unpacking:
    """Return what is packed in `stream`, to be read piece by piece."""
    opened = next(opener for magic, opener in _OPENERS.items() if head.startswith(magic))
    return Unpacking(opened(stream), stream, size)


class Unpacking:
    """Reads what is packed; Unreadable when it grows beyond all measure, as soon as that shows."""

    def __init__(self, inside: Any, stream: BinaryIO, size: int) -> None:
        self._inside, self._stream, self._size = inside, stream, size
        self._total = 0

    def read(self, size: int) -> bytes:
        """Return about so many bytes; none at the end."""
        part = bytes(self._inside.read(size))
        self._total += len(part)
        most = most_of(min(self._size, self._stream.tell()))
        if self._total > most:
            raise Unreadable(f"unpacks to more than {most >> 20} MiB, far more than its {self._size} bytes allow")
        return part


def most_of(size: int) -> int:
    """Return how many bytes a packed file of `size` bytes may unfold to."""
    return max(FLOOR, min(LIMIT, size * RATIO))


def inner_name(path: str) -> str:
    """Return a path without the suffix of its compression."""
    return next((path.removesuffix(suffix) for suffix in SUFFIXES if path.endswith(suffix)), path)
