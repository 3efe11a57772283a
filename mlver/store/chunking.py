"""Content-defined cutting: where a blob is cut depends on its bytes alone.

FastCDC (Xia et al., IEEE TPDS 2020) as the package pyfastcdc has it. The numbers here are part of
the format: with others nothing is damaged, but old and new chunks no longer match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

from mlver.store.frames import MAX_CHUNK

if TYPE_CHECKING:
    from pyfastcdc import FastCDC

MIN_CHUNK = 16 << 10
AVERAGE_CHUNK = 64 << 10
NORMALISATION: Final = 1
SEED = 0
WHOLE = 64 << 10  # blobs up to this size are never cut


class Cutter:
    """Cuts a stream that arrives in pieces. One instance serves one stream at a time."""

    def __init__(self) -> None:
        from pyfastcdc import FastCDC

        self._cdc: FastCDC = FastCDC(
            AVERAGE_CHUNK, min_size=MIN_CHUNK, max_size=MAX_CHUNK, normalized_chunking=NORMALISATION, seed=SEED
        )

    def cut(self, buffer: memoryview, last: bool) -> list[tuple[int, int]]:
        """Return (start, end) of the chunks in `buffer`, which begins at the start of a chunk.

        Unless the stream ends here, the bytes after the last chunk returned belong to one that is
        not complete: put them at the front of the next buffer. A buffer longer than MAX_CHUNK
        always holds one chunk at least.
        """
        cuts = [(chunk.offset, chunk.offset + chunk.length) for chunk in self._cdc.cut_buf(buffer)]
        if not last and cuts:
            cuts.pop()
        return cuts


def fill(stream: BinaryIO, view: memoryview) -> int:
    """Read into `view` until it is full or the stream ends; returns the number of bytes."""
    filled = 0
    readinto = getattr(stream, "readinto", None)
    while filled < len(view):
        if readinto is not None:
            count = readinto(view[filled:]) or 0
        else:
            piece = stream.read(len(view) - filled)
            count = len(piece)
            view[filled : filled + count] = piece
        if not count:
            break
        filled += count
    return filled
