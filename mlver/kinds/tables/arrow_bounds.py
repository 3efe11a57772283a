"""What an Arrow file would unfold to, told from the headers of its messages before any is unpacked.

Each packed buffer begins with the length it unfolds to; the place of the buffers stands in a FlatBuffer in front of
them (Arrow columnar format, "Encapsulated message format"; format/Message.fbs).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from mlver.kinds.base import Unreadable
from mlver.kinds.tables.unpacking import most_of

_DICTIONARY, _RECORDS = 2, 3
_METADATA: Final = 1 << 26  # bytes of one header
_LEAST: Final = 1 << 23  # rows let through whatever the size of the file
_ROWS_PER_BYTE: Final = 64
_CONTINUES = b"\xff\xff\xff\xff"


def refuse_unfolding(stream: BinaryIO) -> None:
    """Unreadable when what is packed is far more than the bytes make likely; leaves `stream` at its start.

    What is malformed otherwise is left to the reader, which checks it.
    """
    size = stream.seek(0, 2)
    stream.seek(0)
    stream.seek(8 if stream.read(6) == b"ARROW1" else 0)
    total = 0
    try:
        for metadata, body in _messages(stream, size):
            rows, unfolded = _record_batch(metadata, stream, body)
            total += unfolded
            if total > most_of(size) or rows > max(_LEAST, size * _ROWS_PER_BYTE):
                raise Unreadable(f"says it has {rows} rows and {total} bytes, in {size} bytes")
    except (struct.error, IndexError):
        pass  # the reader says it better
    finally:
        stream.seek(0)


def _messages(stream: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Yield the header of each message and where its body begins."""
    while stream.read(4) == _CONTINUES:
        (length,) = struct.unpack("<i", stream.read(4))
        if length <= 0:
            return
        if length > _METADATA or length > size:
            raise Unreadable(f"a header of {length} bytes, in {size} bytes")
        metadata = stream.read(length)
        body = stream.tell()
        yield metadata, body
        stream.seek(body + _Table.root(metadata).number(3, "<q"))


def _record_batch(metadata: bytes, stream: BinaryIO, body: int) -> tuple[int, int]:
    """Return the rows of a message and the bytes its packed buffers say they hold."""
    message = _Table.root(metadata)
    kind, header = message.number(1, "<B"), message.table(2)
    batch = header.table(1) if kind == _DICTIONARY and header else header
    if kind not in (_DICTIONARY, _RECORDS) or batch is None:
        return 0, 0
    total = 0
    if batch.table(3) is not None:  # packed
        for start, length in batch.pairs(2):
            stream.seek(body + start)
            if length > 8:
                total += max(0, struct.unpack("<q", stream.read(8))[0])
    return batch.number(0, "<q"), total


class _Table:
    """One table of a FlatBuffer: fields by number."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._fields = at - struct.unpack_from("<i", data, at)[0]
        if not 0 <= self._fields < len(data):
            raise IndexError
        (self._length,) = struct.unpack_from("<H", data, self._fields)

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, struct.unpack_from("<I", data)[0])

    def _place(self, field: int) -> int | None:
        slot = 4 + 2 * field
        if slot + 2 > self._length:
            return None
        (offset,) = struct.unpack_from("<H", self._data, self._fields + slot)
        return self._at + offset if offset else None

    def number(self, field: int, form: str) -> int:
        place = self._place(field)
        return 0 if place is None else int(struct.unpack_from(form, self._data, place)[0])

    def table(self, field: int) -> _Table | None:
        place = self._place(field)
        return None if place is None else _Table(self._data, place + struct.unpack_from("<I", self._data, place)[0])

    def pairs(self, field: int) -> Iterator[tuple[int, int]]:
        place = self._place(field)
        if place is None:
            return
        start = place + struct.unpack_from("<I", self._data, place)[0]
        (count,) = struct.unpack_from("<I", self._data, start)
        for number in range(count):
            yield struct.unpack_from("<qq", self._data, start + 4 + 16 * number)
