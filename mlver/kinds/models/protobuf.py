"""The wire format of protocol buffers, as far as reading a message field by field needs it.

https://protobuf.dev/programming-guides/encoding/. Long fields stay in the file: a reader says where
they lie. Groups, which no format here uses, are refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from mlver.frozen import frozen
from mlver.kinds.base import Unreadable
from mlver.kinds.models.stream import Stream
from mlver.kinds.models.varints import packed_integers

if TYPE_CHECKING:
    import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_MAX_TEXT: Final = 64 << 20


@frozen
class Field:
    """One field of a message: its number, wire type, and a number, or the place of its bytes; and where it ends."""

    number: int
    wire: int
    value: int = 0
    start: int = 0
    size: int = 0
    end: int = 0


class Messages:
    """Reads the fields of messages in one stream. `left` bounds their number in the whole file."""

    def __init__(self, stream: Stream, limit: int) -> None:
        self.stream = stream
        self.left = limit

    def fields(self, start: int, size: int) -> Iterator[Field]:
        """Yield the fields of the message at `start`; the stream may be moved between them."""
        at, end = start, start + size
        while at < end:
            self.stream.at = at
            self.left -= 1
            if self.left < 0:
                raise Unreadable("a protocol buffer of too many fields")
            key = self._varint(end)
            number, wire = key >> 3, key & 7
            if number == 0:
                raise Unreadable("a protocol buffer with a field 0")
            if wire == BYTES:
                length = self._varint(end)
                begin = self.stream.at
                at = begin + length
                field = Field(number, wire, 0, begin, length, at)
            elif wire == VARINT:
                value = self._varint(end)
                at = self.stream.at
                field = Field(number, wire, value, end=at)
            elif wire in (FIXED32, FIXED64):
                width = 4 if wire == FIXED32 else 8
                value = int.from_bytes(self.stream.read(width), "little")
                at = self.stream.at
                field = Field(number, wire, value, end=at)
            else:
                raise Unreadable(f"a protocol buffer with wire type {wire}")
            if at > end:
                raise Unreadable("ends early: a field is longer than its message")
            yield field

    def bytes(self, field: Field, limit: int = _MAX_TEXT) -> bytes:
        """Return the bytes of a field; Unreadable when it has another type, or more than `limit`."""
        if field.wire != BYTES or field.size > limit:
            raise Unreadable("a protocol buffer with a field of the wrong type or size")
        self.stream.at = field.start
        return self.stream.read(field.size)

    def text(self, field: Field) -> str:
        """Return a text field; what is no UTF-8 is written out."""
        return self.bytes(field).decode("utf-8", "backslashreplace")

    def message(self, field: Field) -> Iterator[Field]:
        """Yield the fields of a message inside of a field."""
        if field.wire != BYTES:
            raise Unreadable("a protocol buffer with a field of the wrong type or size")
        return self.fields(field.start, field.size)

    def integers(self, field: Field, limit: int) -> np.ndarray[Any, Any]:
        """Return the numbers of a repeated integer field, packed or one alone, as signed 64-bit integers."""
        import numpy as np

        if field.wire == VARINT:
            return np.array([signed(field.value)], "i8")
        return packed_integers(self.bytes(field, limit))

    def _varint(self, end: int) -> int:
        value = shift = 0
        while shift < 70:
            if self.stream.at >= end:
                raise Unreadable("ends early: a field is longer than its message")
            byte = self.stream.read(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF
            shift += 7
        raise Unreadable("a protocol buffer with an endless number")


def signed(value: int) -> int:
    """Return a 64-bit number as signed."""
    return value - (1 << 64) if value >> 63 else value


def float32(field: Field) -> float:
    """Return the number in a field of four bytes."""
    if field.wire != FIXED32:
        raise Unreadable("a protocol buffer with a field of the wrong type or size")
    number: float = struct.unpack("<f", field.value.to_bytes(4, "little"))[0]
    return number
