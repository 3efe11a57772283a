"""Mutations that know a little of structure: numbers at their boundaries, tokens of the format, splices of two inputs."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_NUMBERS = (
    b"0", b"-1", b"1", b"255", b"256", b"65536", b"2147483647", b"2147483648", b"4294967296", b"-2147483649",
    b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616", b"1e308",
    b"1e999", b"-1e999", b"1e-999", b"NaN", b"Infinity", b"-0.0", b"0x10", b"1_000", b"00", b"9" * 400, b"9" * 5000,
)  # fmt: skip
_BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFF, 0x0A, 0x20, 0x22, 0x27, 0x5C)
_WORDS = (
    b"", b"\0", b"\n", b"\r\n", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", "\u202e".encode(), "\U0001f600".encode(), b"[", b"]",
    b"{", b"}", b"(", b")", b'"', b"'", b":", b",", b"=", b"\\u0000", b"\\ud800", b"null", b"true", b"/", b"../", b"%s", b"*",
    b"<", b">", b"#", b"@", b"&", b"!", b"|", b"- ", b"\t", b" ",
)  # fmt: skip
_SIZES = (1, 2, 4, 8)
_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1, 1 << 63)
_LONGEST = 1 << 18


def mutated(seeds: Sequence[bytes], words: Sequence[bytes], chance: random.Random) -> bytes:
    """Return one input: a seed changed in one to a handful of places; one in fifty is the seed itself."""
    data = bytearray(chance.choice(seeds))
    if chance.random() < 0.02:
        return bytes(data)
    for _ in range(chance.choice((1, 1, 1, 1, 1, 2, 2, 3, 7))):
        chance.choice(_MUTATIONS)(data, seeds, words, chance)
        if len(data) > _LONGEST:
            del data[_LONGEST:]
    return bytes(data)


_Mutation = Callable[[bytearray, Sequence[bytes], Sequence[bytes], random.Random], None]


def _at(data: bytearray, chance: random.Random) -> int:
    """Return a place: at the ends more often, where headers and footers are."""
    if chance.random() < 0.3:
        near = min(len(data), 64)
        return chance.randrange(near + 1) if chance.random() < 0.7 else len(data) - chance.randrange(near + 1)
    return chance.randrange(len(data) + 1)


def _flip(data: bytearray, _: Sequence[bytes], __: Sequence[bytes], chance: random.Random) -> None:
    if data:
        data[min(_at(data, chance), len(data) - 1)] ^= 1 << chance.randrange(8)


def _byte(data: bytearray, _: Sequence[bytes], __: Sequence[bytes], chance: random.Random) -> None:
    if data:
        data[min(_at(data, chance), len(data) - 1)] = chance.choice(_BYTES)


def _noise(data: bytearray, _: Sequence[bytes], __: Sequence[bytes], chance: random.Random) -> None:
    at = _at(data, chance)
    data[at : at + chance.randrange(9)] = chance.randbytes(chance.randrange(9))


def _remove(data: bytearray, _: Sequence[bytes], __: Sequence[bytes], chance: random.Random) -> None:
    at = _at(data, chance)
    del data[at : at + chance.choice((1, 1, 2, 4, 8, 30, 200))]


def _cut(data: bytearray, _: Sequence[bytes], __: Sequence[bytes], chance: random.Random) -> None:
    del data[_at(data, chance) :]


def _repeat(data: bytearray, _: Sequence[bytes], __: Sequence[bytes], chance: random.Random) -> None:
    at = _at(data, chance)
    data[at:at] = data[at : at + chance.choice((1, 2, 8, 40))] * chance.choice((1, 2, 2, 10, 300))


def _splice(data: bytearray, seeds: Sequence[bytes], _: Sequence[bytes], chance: random.Random) -> None:
    other = chance.choice(seeds)
    at, there = _at(data, chance), chance.randrange(len(other) + 1)
    if chance.random() < 0.5:
        data[at:] = other[there:]
    else:
        length = chance.randrange(60)
        data[at : at + length] = other[there : there + length]


def _integer(data: bytearray, _: Sequence[bytes], __: Sequence[bytes], chance: random.Random) -> None:
    size, at = chance.choice(_SIZES), _at(data, chance)
    if at + size > len(data):
        return
    order = chance.choice(("little", "big"))
    value = chance.choice(_EDGES)
    if chance.random() < 0.4:
        value = int.from_bytes(data[at : at + size], order) + chance.choice((-1, 1, 2, -8, 8))
    data[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, order)


def _number(data: bytearray, seeds: Sequence[bytes], words: Sequence[bytes], chance: random.Random) -> None:
    found = list(_NUMBER.finditer(data, max(0, _at(data, chance) - 200)))[:20]
    if not found:
        return _integer(data, seeds, words, chance)
    match = chance.choice(found)
    data[match.start() : match.end()] = chance.choice(_NUMBERS)


def _word(data: bytearray, _: Sequence[bytes], words: Sequence[bytes], chance: random.Random) -> None:
    at = _at(data, chance)
    word = chance.choice(words) if words and chance.random() < 0.7 else chance.choice(_WORDS)
    data[at : at + (chance.randrange(len(word) + 1) if chance.random() < 0.4 else 0)] = word


def _nest(data: bytearray, _: Sequence[bytes], words: Sequence[bytes], chance: random.Random) -> None:
    at = _at(data, chance)
    word = chance.choice((b"[", b"{", b"(", b'{"a":', b"- ", b"[[", b"not ", b"-", b"a.", b"(1+", *words[:6]))
    data[at:at] = word * chance.choice((2, 10, 70, 300, 3000))


def _swap(data: bytearray, _: Sequence[bytes], __: Sequence[bytes], chance: random.Random) -> None:
    a, b, size = _at(data, chance), _at(data, chance), chance.choice((1, 4, 8, 32))
    if max(a, b) + size <= len(data) and abs(a - b) >= size:
        data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


_MUTATIONS: tuple[_Mutation, ...] = (
    _flip, _flip, _byte, _noise, _remove, _cut, _repeat, _splice, _integer, _integer, _number, _word, _word, _nest, _swap,
)  # fmt: skip
