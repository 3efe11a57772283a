"""Large text in blocks of whole rows, so that each can be read alone."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

BLOCK: Final = 8 << 20  # bytes
_FIRST: Final = 1 << 20  # of the first block: the first rows are asked for most
_LONGEST: Final = 8 * BLOCK  # of a row
_BOM: Final = codecs.BOM_UTF8
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class CannotCut(Exception):
    """The text cannot be read in pieces as it would be read whole."""


class Again(Exception):
    """What was read so far is not what it is by what was learned by now; it has to be read again."""


def row_blocks(stream: Any, delimiter: str | None) -> Iterator[bytes]:
    """Yield the text as blocks that end where a row does.

    Rows are lines, or with a `delimiter` lines in which quoted fields may hold line ends. CannotCut for text without
    lines, and where quotes stand in the middle of fields, so that only a parser can tell which line ends are quoted.
    """
    rest, size, first = b"", min(_FIRST, BLOCK), True
    while data := stream.read(size):
        size = min(2 * size, BLOCK)
        data = rest + data
        cut = _last_row_end(data, delimiter, len(_BOM) if first and data.startswith(_BOM) else 0)
        if cut == 0:
            if len(data) > _LONGEST:
                raise CannotCut
            rest = data
            continue
        yield data[:cut] if first else _after(data[:cut], delimiter)
        rest, first = data[cut:], False
    if rest:
        yield rest if first else _after(rest, delimiter)


def _after(block: bytes, delimiter: str | None) -> bytes:
    """Return a block that is not the first so that a mark at its beginning is text to whoever reads it alone."""
    if not block.startswith(_BOM):
        return block
    if delimiter is None:
        raise CannotCut
    return b"\n" + block


def _last_row_end(data: bytes, delimiter: str | None, begin: int) -> int:
    """Return where the last whole row ends: behind a line end with an even number of quotes before it.

    `begin` is where the first field does.
    """
    if delimiter is None or b'"' not in data:
        return data.rfind(b"\n") + 1
    values = np.frombuffer(data, dtype=np.uint8)
    quotes = np.flatnonzero(values == ord('"'))
    opening = quotes[::2]
    starts = np.zeros(256, dtype=bool)
    starts[list(b'\n\r"' + delimiter.encode("latin-1", "replace"))] = True  # a quote: the one before was doubled
    if not (starts[values[np.maximum(opening - 1, 0)]] | (opening == begin)).all():
        raise CannotCut
    end = len(data)
    while (end := data.rfind(b"\n", 0, end)) >= 0 and (before := int(np.searchsorted(quotes, end))) % 2:
        end = int(quotes[before - 1])  # it is quoted: all that follows this quote is
    return end + 1


class Begun:
    """Text of which the first bytes are looked at before it is read; UTF-16 is read as UTF-8.

    UnicodeDecodeError, now or later, for UTF-16 that is none.
    """

    def __init__(self, stream: Any, size: int) -> None:
        """Look at so many bytes, or all there are: `head`."""
        self._stream = stream
        self._decoder: codecs.IncrementalDecoder | None = None
        self.head = b""
        if (mark := self._more(2)) in _UTF_16:
            self._decoder = codecs.getincrementaldecoder("utf-16")()
            self._decoder.decode(mark)
            mark = b""
        self.head = mark + self._more(size - len(mark))
        self._ahead = self.head

    def read(self, size: int) -> bytes:
        """Return about so many bytes; none at the end."""
        if self._ahead:
            data, self._ahead = self._ahead[:size], self._ahead[size:]
            return data
        return self._next(size)

    def _more(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := self._next(size - len(data))):
            data += more
        return data

    def _next(self, size: int) -> bytes:
        if self._decoder is None:
            return bytes(self._stream.read(size))
        while data := self._stream.read(size):
            if text := self._decoder.decode(data):
                return text.encode()
        return self._decoder.decode(b"", final=True).encode()
