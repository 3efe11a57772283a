"""BLAKE3 in plain Python, so that evidence can be checked where nothing is installed.

After "BLAKE3: one function, fast everywhere" (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020). About half a
megabyte a second. This file goes into the archives of `mlver evidence`: standard library alone, Python 3.9.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

_START = [
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
]  # fmt: skip
_ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
_MIXED = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip
_FIRST, _LAST, _PARENT, _ROOT, _CONTEXT, _MATERIAL = 1, 2, 4, 8, 32, 64
_WORD = 0xFFFFFFFF
_BLOCK, _CHUNK = 64, 1024

# what is compressed last: chaining value, words of the block, counter, length, flags
_Node = tuple[Sequence[int], Sequence[int], int, int, int]


def _steps() -> list[tuple[int, int, int, int, int, int]]:
    order, found = list(range(16)), []
    for _ in range(7):
        found += [(*four, order[2 * n], order[2 * n + 1]) for n, four in enumerate(_MIXED)]
        order = [order[n] for n in _ORDER]
    return found


_STEPS = _steps()


def blake3_hex(pieces: Iterable[bytes], context: str = "") -> str:
    """Return the BLAKE3-256 of some bytes as hex; with a context, in derive-key mode."""
    if not context:
        return _digest(pieces, _START, 0).hex()
    key = struct.unpack("<8I", _digest([context.encode()], _START, _CONTEXT))
    return _digest(pieces, key, _MATERIAL).hex()


def _digest(pieces: Iterable[bytes], key: Sequence[int], mode: int) -> bytes:
    stack: list[Sequence[int]] = []
    node: _Node = (key, (), 0, 0, 0)
    for number, (chunk, last) in enumerate(_chunks(pieces)):
        node = _chunk_node(chunk, key, number, mode)
        if last:
            break
        value, whole = _compress(*node), number + 1
        while whole % 2 == 0:  # a tree is merged as soon as it is whole
            value, whole = _compress(key, [*stack.pop(), *value], 0, _BLOCK, mode | _PARENT), whole // 2
        stack.append(value)
    while stack:
        node = (key, [*stack.pop(), *_compress(*node)], 0, _BLOCK, mode | _PARENT)
    chain, words, _, length, flags = node
    return struct.pack("<8I", *_compress(chain, words, 0, length, flags | _ROOT))


def _chunks(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield (chunk, whether it is the last): all but the last are whole, and there is always one."""
    rest = b""
    for piece in pieces:
        rest = rest + bytes(piece) if rest else bytes(piece)
        full = max(0, (len(rest) - 1) // _CHUNK) * _CHUNK
        for start in range(0, full, _CHUNK):
            yield rest[start : start + _CHUNK], False
        rest = rest[full:]
    yield rest, True


def _chunk_node(chunk: bytes, key: Sequence[int], number: int, mode: int) -> _Node:
    """Compress all blocks of a chunk but the last, and return that one as a node."""
    chain, flags = key, mode | _FIRST
    blocks = max(1, -(-len(chunk) // _BLOCK))
    for n in range(blocks):
        block = chunk[n * _BLOCK : (n + 1) * _BLOCK]
        words = struct.unpack("<16I", block.ljust(_BLOCK, b"\0"))
        if n == blocks - 1:
            return chain, words, number, len(block), flags | _LAST
        chain, flags = _compress(chain, words, number, _BLOCK, flags), mode
    raise AssertionError("a chunk has a last block")


def _compress(chain: Sequence[int], words: Sequence[int], counter: int, length: int, flags: int) -> list[int]:
    v = [*chain, *_START[:4], counter & _WORD, counter >> 32, length, flags]
    for a, b, c, d, x, y in _STEPS:
        p, q, r, s = v[a], v[b], v[c], v[d]
        p = (p + q + words[x]) & _WORD
        s ^= p
        s = (s >> 16 | s << 16) & _WORD
        r = (r + s) & _WORD
        q ^= r
        q = (q >> 12 | q << 20) & _WORD
        p = (p + q + words[y]) & _WORD
        s ^= p
        s = (s >> 8 | s << 24) & _WORD
        r = (r + s) & _WORD
        q ^= r
        q = (q >> 7 | q << 25) & _WORD
        v[a], v[b], v[c], v[d] = p, q, r, s
    return [v[n] ^ v[n + 8] for n in range(8)]
