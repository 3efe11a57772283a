"""Long lists of numbers in protocol buffers, many at a time: packed, or each with its key before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mlver.kinds.base import Unreadable

if TYPE_CHECKING:
    import numpy as np

_FIRST: Final = 1 << 8  # bytes looked at for a run; more and more while it goes on
_MOST: Final = 1 << 22


def packed_integers(raw: bytes) -> np.ndarray[Any, Any]:
    """Return the numbers of a packed field as signed 64-bit integers; Unreadable when the last one has no end."""
    if raw and raw[-1] & 0x80:
        raise Unreadable("ends early: a field is longer than its message")
    return _decoded(raw)[0]


def integer_run(raw: bytes, at: int, key: int) -> tuple[list[np.ndarray[Any, Any]], int]:
    """Return the numbers that follow at `at`, each after the byte `key`, and where they end."""
    found: list[np.ndarray[Any, Any]] = []
    size = _FIRST
    while at < len(raw):
        piece = raw[at : at + size]
        try:
            values, starts = _decoded(piece)
        except Unreadable:  # something else begins in this stretch, whose bytes are no numbers
            if size == _FIRST or not found:
                break
            size = _FIRST
            continue
        keys, numbers = starts[0::2], values[1::2]
        good = (values[0::2] == key)[: len(numbers)]
        count = len(numbers) if good.all() else int(good.argmin())
        if not count:
            break
        found.append(numbers[:count])
        whole = count == len(numbers)
        at += int(keys[count]) if count < len(keys) else len(_ended(piece))
        if not whole:
            break
        size = min(size * 2, _MOST)
    return found, at


def float_run(raw: bytes, at: int, key: int) -> tuple[list[np.ndarray[Any, Any]], int]:
    """Return the 32-bit floats that follow at `at`, each after the byte `key`, and where they end."""
    import numpy as np

    found: list[np.ndarray[Any, Any]] = []
    size = _FIRST
    while len(raw) - at >= 5:
        count = min(size, (len(raw) - at)) // 5
        rows = np.frombuffer(raw, np.uint8, count * 5, at).reshape(count, 5)
        good = rows[:, 0] == key
        count = count if good.all() else int(good.argmin())
        if not count:
            break
        found.append(np.ascontiguousarray(rows[:count, 1:]).view("<f4").reshape(-1))
        at += count * 5
        if count < len(rows):
            break
        size = min(size * 2, _MOST)
    return found, at


def _ended(piece: bytes) -> bytes:
    """Return the piece up to the end of its last whole number."""
    end = len(piece)
    while end and piece[end - 1] & 0x80:
        end -= 1
    return piece[:end]


def _decoded(raw: bytes) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return all whole numbers in `raw` as signed integers, and where each begins."""
    import numpy as np

    data = np.frombuffer(_ended(raw), np.uint8)
    if not len(data):
        return np.zeros(0, "i8"), np.zeros(0, "i8")
    ends = np.flatnonzero(data < 0x80)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if int(lengths.max()) > 10:
        raise Unreadable("a protocol buffer with an endless number")
    places = np.arange(len(data)) - np.repeat(starts, lengths)
    bits = (data & 0x7F).astype("u8") << (places * 7).astype("u8")
    return np.add.reduceat(bits, starts).view("i8"), starts
