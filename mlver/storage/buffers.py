"""Memory through which bytes go to and from a disk: whole pages, large ones where the system has them."""

from __future__ import annotations

import contextlib

BLOCK = 4096  # bytes; what begins and ends at multiples of it, any disk takes straight from memory


def pages(length: int) -> memoryview:
    """Return `length` writable bytes, zero, that begin at a page; MemoryError when there are none left.

    Unlike a new `bytes` of that length it costs little to fill: one fault of the system for each 2 MiB.
    """
    import mmap

    try:
        private = getattr(mmap, "MAP_PRIVATE", None)
        found = mmap.mmap(-1, length) if private is None else mmap.mmap(-1, length, private | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"no {length} bytes of memory") from error
    with contextlib.suppress(OSError, AttributeError):  # only a wish
        found.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(found)
