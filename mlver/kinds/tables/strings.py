"""Hashes of strings, many at a time, straight from Arrow's buffers.

For a string of n <= 64 bytes, cut into little-endian 64-bit words, the last one filled with zeros:
    state = key(lane, "word", "") + n; for each word: state = (state ^ word) * M[lane], state ^= state >> 32
    with M = 0x9E3779B97F4A7C15 for lane 0 and 0xC2B2AE3D27D4EB4F for lane 1.
Every step is one-to-one, so strings of up to 8 bytes of one length never collide in a lane.
For a longer string: XXH3-64 of its bytes, seeded with the lane.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import xxhash

from mlver.kinds.tables.arrays import missing
from mlver.kinds.tables.mixing import U64, Lanes, Rows, key

SHORT: Final = 64
_WORD = 8
_MULTIPLIER = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_HALF = np.uint64(32)
# What to keep of the last word when 0..8 of its bytes belong to the string.
_KEEP: U64 = np.array([(1 << 8 * n) - 1 for n in range(9)], dtype=np.uint64)


def hash_strings(array: Any) -> Lanes:
    """Return both lanes of the hash of each value of a string or binary array; a null counts as empty."""
    data, starts, lengths = _buffers(array)
    lanes = np.empty((2, len(array)), dtype=np.uint64)
    words: U64 = np.ndarray((len(data) - _WORD + 1,), "<u8", buffer=data, strides=(1,))
    longest = int(lengths.max(initial=0))
    for lane in (0, 1):
        np.add(lengths.astype(np.uint64), key(lane, "word", ""), out=lanes[lane])
    for begin in range(0, min(longest, SHORT), _WORD):
        _absorb(lanes, words, starts, lengths, begin)
    if longest > SHORT:
        view = memoryview(data)
        for row in np.flatnonzero(lengths > SHORT):
            value = view[starts[row] : starts[row] + lengths[row]]
            for lane in (0, 1):
                lanes[lane, row] = xxhash.xxh3_64_intdigest(value, seed=lane)
    return lanes


def _absorb(lanes: Lanes, words: U64, starts: Rows, lengths: Rows, begin: int) -> None:
    """Take in the word at byte `begin` of every string that reaches so far."""
    left = lengths - begin
    if int(left.min(initial=1)) > 0:
        taken = words[starts + begin] & _KEEP[np.minimum(left, _WORD)]
        for lane in (0, 1):
            state = lanes[lane]
            state ^= taken
            state *= _MULTIPLIER[lane]
            state ^= state >> _HALF
        return
    rows = np.flatnonzero(left > 0)
    taken = words[starts[rows] + begin] & _KEEP[np.minimum(left[rows], _WORD)]
    for lane in (0, 1):
        state = (lanes[lane, rows] ^ taken) * _MULTIPLIER[lane]
        lanes[lane, rows] = state ^ (state >> _HALF)


def _buffers(array: Any) -> tuple[Any, Rows, Rows]:
    """Return the bytes with a word of padding, and where each value starts and how long it is."""
    _, offsets_buffer, data_buffer = array.buffers()
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    if len(array) == 0 or offsets_buffer is None:
        nothing = np.zeros(len(array), dtype=np.int64)
        return np.zeros(_WORD, dtype=np.uint8), nothing, nothing
    raw: Any = np.frombuffer(offsets_buffer, dtype=np.int64 if wide else np.int32)
    offsets: Rows = raw[array.offset : array.offset + len(array) + 1].astype(np.int64)
    first, last = int(offsets[0]), int(offsets[-1])
    data = np.zeros(last - first + _WORD, dtype=np.uint8)
    if last > first:
        data[: last - first] = np.frombuffer(data_buffer, dtype=np.uint8)[first:last]
    lengths: Rows = offsets[1:] - offsets[:-1]
    if array.null_count:
        lengths[missing(array)] = 0
    return data, offsets[:-1] - first, lengths
