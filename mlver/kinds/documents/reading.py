"""Bytes to text, text to numbers, and the limits every document is held to."""

from __future__ import annotations

from math import isinf

from mlver.kinds.base import Source, Unreadable, Value, read_all

MIB = 1 << 20
MAX_BYTES = 64 * MIB
MAX_DEPTH = 100
MAX_DIGITS = 4300  # what CPython itself prints and reads without complaint
_MAX_BITS = 14_284  # log2(10**4300)


def read_text(source: Source, limit: int = MAX_BYTES) -> str:
    """Return the file as text, without a byte order mark; Unreadable above `limit` bytes or when not UTF-8."""
    data = read_all(source, limit)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"line {line}: not UTF-8 text") from None


def line_at(text: str, position: int) -> int:
    """Return the 1-based line of a character position."""
    return text.count("\n", 0, position) + 1


class Overflow(ValueError):
    """A number too large for a float; its text is the argument."""


def read_float(text: str) -> float:
    """Return the number; Overflow when it is too large for a float (1e999) and not an infinity by name."""
    value = float(text)
    if isinf(value) and "inf" not in text.lower():
        raise Overflow(text)
    return value


def overflow(text: str, number: str) -> Unreadable:
    """Return the refusal of a document that holds `number`."""
    return Unreadable(f"line {line_at(text, text.find(number))}: the number {number[:40]} does not fit a float")


def checked(value: Value) -> Value:
    """Return a parsed document unchanged; Unreadable when it is nested too deep or holds a giant integer.

    A loop, not a recursion: what it guards against is what would break recursions later.
    """
    stack = [(value, 1)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise too_deep()
        for item in node.values() if isinstance(node, dict) else node if isinstance(node, list) else (node,):
            if isinstance(item, (dict, list)):
                stack.append((item, depth + 1))
            elif isinstance(item, int) and item.bit_length() > _MAX_BITS:
                raise Unreadable(f"an integer of more than {MAX_DIGITS} digits")
    return value


def too_deep() -> Unreadable:
    """Return the refusal of a document nested deeper than `MAX_DEPTH`."""
    return Unreadable(f"nested more than {MAX_DEPTH} deep")
