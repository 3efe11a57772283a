"""Compression of payloads: zstd where it pays, and never a byte more out than was declared."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from mlver.errors import Damaged
from mlver.store.frames import RAW, ZSTD, Bytes, checksum

if TYPE_CHECKING:
    from zstandard import ZstdCompressor, ZstdDecompressor

LEVEL = 1
_SAMPLE = 4096
_SAMPLED_ABOVE = 16 << 10  # shorter payloads are compressed whole, to see
SMALLEST = 64  # bytes; what is shorter is not tried
_WINDOW = 1 << 27  # the largest window a reader needs for 128 MiB
_AMPLE = 4 << 20  # bytes; below that nothing can hurt
_RATIO = 200  # what names objects by their hashes is nowhere near; what is made of blanks is far beyond

_MAGIC = b"\x28\xb5\x2f\xfd"

_local = threading.local()  # a zstd context serves one thread at a time


def compress(data: Bytes, check: bytes | None = None) -> tuple[int, Bytes]:
    """Return (codec, payload): compressed when that saves a sixteenth, else `data` itself.

    What zstd made is decompressed again and held against `check`, the XXH3 of `data`, so that neither bad memory
    nor a defect of the compressor is ever written.
    """
    length = len(data)
    if length < SMALLEST:
        return RAW, data
    zstd = compressor()
    if length > _SAMPLED_ABOVE and len(zstd.compress(data[:_SAMPLE])) > _SAMPLE - _SAMPLE // 16:
        return RAW, data
    packed = zstd.compress(data)
    if not pays(len(packed), length):
        return RAW, data
    check_back(decompress(packed, length), check or checksum(data))
    return ZSTD, packed


def check_back(data: Bytes, check: bytes) -> None:
    """Raise Damaged when what was decompressed again is not what had this XXH3 before."""
    if checksum(data) != check:
        raise Damaged("compressed bytes do not decompress to what they were made of: memory or library fault")


def decode(codec: int, payload: Bytes, raw: int) -> Bytes:
    """Return the `raw` bytes in a payload; Damaged when there are more or fewer, or they cannot be read."""
    if codec == RAW:
        return payload
    return decompress(payload, raw)


def decompress(payload: Bytes, raw: int) -> bytes:
    """Return exactly `raw` bytes out of one zstd frame; Damaged otherwise. Never allocates more."""
    import zstandard

    if _blown_up(len(payload), raw):
        raise Damaged(f"compressed payload of {len(payload)} bytes says it holds {raw}")
    try:
        if zstandard.frame_content_size(payload) != raw:
            raise Damaged("compressed payload declares another length")
        data = decompressor().decompress(payload, max_output_size=raw, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Damaged(f"compressed payload is unreadable: {error}") from None
    if len(data) != raw:
        raise Damaged("compressed payload has another length than it declares")
    return data


def unfold(data: bytes, most: int) -> bytes:
    """Return what one zstd frame holds, or `data` itself when it is none; Damaged above `most` bytes."""
    if not data.startswith(_MAGIC):
        return data
    import zstandard

    try:
        declared = zstandard.frame_content_size(data)
    except zstandard.ZstdError as error:
        raise Damaged(f"compressed bytes are unreadable: {error}") from None
    if not 0 <= declared <= most:
        raise Damaged("compressed bytes declare no length, or too large a one")
    return decompress(data, declared)


def _blown_up(packed: int, raw: int) -> bool:
    """Whether so few bytes stand for so many that no mlver packed them: it stores such payloads as they are."""
    return raw > _AMPLE and raw > _RATIO * packed


def pays(packed: int, raw: int) -> bool:
    """Whether so many bytes are worth being stored compressed to so few: that saves a sixteenth, and is no bomb."""
    return packed <= raw - raw // 16 and not _blown_up(packed, raw)


def compressor() -> ZstdCompressor:
    """Return the compressor of this thread."""
    zstd: ZstdCompressor | None = getattr(_local, "compressor", None)
    if zstd is None:
        import zstandard

        zstd = _local.compressor = zstandard.ZstdCompressor(level=LEVEL)
    return zstd


def decompressor() -> ZstdDecompressor:
    """Return the decompressor of this thread."""
    zstd: ZstdDecompressor | None = getattr(_local, "decompressor", None)
    if zstd is None:
        import zstandard

        zstd = _local.decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    return zstd
