"""Decompression with a limit on what comes out, for the formats joblib writes."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Any, BinaryIO, Final

from mlver.kinds.base import Unreadable
from mlver.kinds.models.limits import CHUNK, INFLATE_FLOOR, INFLATE_MAX, INFLATE_RATIO, LZMA_MEMORY

_MAGIC: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ": "xz",
    b"\x5d\x00": "lzma",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x28\xb5\x2f\xfd": "zstd",
}


def compression_of(head: bytes) -> str:
    """Return the name of the compression a file starts with, `""` for none."""
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    # zlib's header is two bytes whose big-endian value is a multiple of 31 (RFC 1950)
    return "zlib" if head[:1] == b"\x78" and len(head) > 1 and int.from_bytes(head[:2]) % 31 == 0 else ""


class Inflater:
    """Decompresses a stream piece by piece; Unreadable when it is broken or grows beyond all measure."""

    def __init__(self, stream: BinaryIO, method: str, size: int) -> None:
        self._stream = stream
        self._method = method
        self._left = min(INFLATE_MAX, max(INFLATE_FLOOR, size * INFLATE_RATIO))
        self._pending = b""
        self._engine: Any  # three types without a common one; zlib's has no public name
        if method in ("zlib", "gzip"):
            self._engine = zlib.decompressobj(31 if method == "gzip" else 15)
        elif method == "bz2":
            self._engine = bz2.BZ2Decompressor()
        elif method in ("lzma", "xz"):
            self._engine = lzma.LZMADecompressor(
                format=lzma.FORMAT_ALONE if method == "lzma" else lzma.FORMAT_XZ, memlimit=LZMA_MEMORY
            )
        else:
            raise Unreadable(f"compressed with {method}, which is not read")

    def read(self, count: int) -> bytes:
        """Return some bytes, at most `count` or 1 MiB; none at the end."""
        while not self._engine.eof:
            ended = False
            if not self._pending and getattr(self._engine, "needs_input", True):
                self._pending = self._stream.read(CHUNK >> 4)
                ended = not self._pending
            piece = self._step(min(count, CHUNK))
            if piece:
                self._left -= len(piece)
                if self._left < 0:
                    raise Unreadable("unpacks to far more than its size allows")
                return piece
            if ended and not self._engine.eof:
                raise Unreadable(f"ends early: the {self._method} data is truncated")
        if self._engine.unused_data or self._pending or self._stream.read(1):
            raise Unreadable(f"bytes after the end of the {self._method} data")
        return b""

    def _step(self, count: int) -> bytes:
        data, self._pending = self._pending, b""
        try:
            piece: bytes = self._engine.decompress(data, count)
        except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError) as error:
            raise Unreadable(f"broken {self._method} data") from error
        self._pending = getattr(self._engine, "unconsumed_tail", b"")
        return piece
