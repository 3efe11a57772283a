"""The opcodes that only push a value: numbers, text and bytes, in each of the forms protocols 0 to 5 have."""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable
from typing import Any, Final

from mlver.kinds.base import Unreadable
from mlver.kinds.models.reader import Reader


def _text(raw: bytes) -> str:
    # surrogatepass as pickle has it; the import-free codec call keeps the codec registry out of this
    return raw.decode("utf-8", "surrogatepass")


def _int_line(reader: Reader) -> int | bool:
    line = reader.line(5000)
    return {b"00": False, b"01": True}[line] if line in (b"00", b"01") else _number(line)


def _number(line: bytes) -> int:
    text = line.strip()
    if not text.removeprefix(b"-").isdigit():
        raise Unreadable("a number that is none")
    return int(text)


def _string_line(reader: Reader) -> str:
    raw = reader.line()
    if len(raw) < 2 or raw[:1] != raw[-1:] or raw[:1] not in (b'"', b"'"):
        raise Unreadable("a string without quotes")
    return codecs.escape_decode(raw[1:-1])[0].decode("latin-1")


def _signed(raw: bytes) -> int:
    return int.from_bytes(raw, "little", signed=True)


def _length(reader: Reader, width: int) -> int:
    size = reader.uint(width)
    if size >= 1 << (31 if width == 4 else 62):
        raise Unreadable("a length beyond all measure")
    return size


def _big(reader: Reader) -> int:
    raw = reader.read(_length(reader, 4))
    if len(raw) > 1 << 16:
        raise Unreadable("a number of more than 64 KiB")
    return _signed(raw)


def _raw(width: int) -> Callable[[Reader], Any]:
    return lambda reader: reader.payload(_length(reader, width))


def _latin(width: int) -> Callable[[Reader], Any]:
    # Python 2's str; numpy's bytes among them, hence Latin-1
    return lambda reader: reader.read(_length(reader, width)).decode("latin-1")


def _unicode(width: int) -> Callable[[Reader], Any]:
    return lambda reader: _text(reader.read(_length(reader, width)))


LITERALS: Final[dict[int, Callable[[Reader], Any]]] = {
    ord("N"): lambda reader: None,
    0x88: lambda reader: True,
    0x89: lambda reader: False,
    ord("I"): _int_line,
    ord("L"): lambda reader: _number(reader.line(5000).removesuffix(b"L")),
    ord("F"): lambda reader: float(reader.line(500)),
    ord("S"): _string_line,
    ord("V"): lambda reader: codecs.raw_unicode_escape_decode(reader.line())[0],
    ord("J"): lambda reader: _signed(reader.read(4)),
    ord("K"): lambda reader: reader.uint(1),
    ord("M"): lambda reader: reader.uint(2),
    0x8A: lambda reader: _signed(reader.read(reader.uint(1))),
    0x8B: _big,
    ord("G"): lambda reader: struct.unpack(">d", reader.read(8))[0],
    ord("T"): _latin(4),
    ord("U"): _latin(1),
    ord("X"): _unicode(4),
    0x8C: _unicode(1),
    0x8D: _unicode(8),
    ord("B"): _raw(4),
    ord("C"): _raw(1),
    0x8E: _raw(8),
    0x96: _raw(8),
    ord("]"): lambda reader: [],
    ord(")"): lambda reader: (),
}
