"""The arithmetic under table digests: keys from names, and the mixing of 64-bit words.

Digest version 1. All sums and products are modulo 2**64; there are two independent lanes, 0 and 1.

    key(lane, tag, column) = XXH3-64 of "mlver.table.1" NUL tag NUL column (UTF-8), seeded with the lane
    mix(x)                 = x ^= x >> 30, x *= 0xBF58476D1CE4E5B9, x ^= x >> 27, x *= 0x94D049BB133111EB, x ^= x >> 31
                             (the finaliser of SplitMix64: Steele, Lea, Flood, OOPSLA 2014, variant 13 of D. Stafford)
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import xxhash

U64: TypeAlias = npt.NDArray[np.uint64]
Lanes: TypeAlias = npt.NDArray[np.uint64]  # shape (2, rows): both lanes of each row's digest
Rows: TypeAlias = npt.NDArray[np.int64]  # positions of rows in a table
Mask: TypeAlias = npt.NDArray[np.bool_]

BLOCK: Final = 1 << 15  # rows worked on at a time: the scratch arrays then stay in the cache of one core

_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)


@lru_cache(maxsize=65536)
def key(lane: int, tag: str, column: str) -> np.uint64:
    """Return the 64-bit key of one lane for values of class `tag` in `column`."""
    name = column.encode("utf-8", "surrogatepass")
    return np.uint64(xxhash.xxh3_64_intdigest(b"mlver.table.1\0" + tag.encode() + b"\0" + name, seed=lane))


def mix(words: U64) -> U64:
    """Mix every word in place (see above) and return the array."""
    scratch = np.right_shift(words, _S30)
    words ^= scratch
    words *= _FIRST
    np.right_shift(words, _S27, out=scratch)
    words ^= scratch
    words *= _SECOND
    np.right_shift(words, _S31, out=scratch)
    words ^= scratch
    return words


def distinct(words: U64) -> U64:
    """Return each of these words once, in order. `np.unique` hashes, which takes ten times as long."""
    ordered = np.sort(words)
    fresh = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=fresh[1:])
    return ordered[fresh]
