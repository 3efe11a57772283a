"""Reading a pack without its key table: frame after frame, going on behind any damage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mlver.errors import Damaged
from mlver.storage.base import Storage
from mlver.store.frames import FRAME_BYTES, HEADER_BYTES, MAGIC, parse_header
from mlver.store.pack import FOOTER_BYTES, PACK_HEADER, Row, open_frame, pack_key, parse_footer, read_rows, row_at

_STEP = 1 << 20
_HOLE = bytes(_STEP)
_HOLES = 128  # steps of zeros in a row after which nothing more is looked for: a hole can be of terabytes


class Gap(NamedTuple):
    """Bytes of a pack that are no frame, from `start` to `end`."""

    start: int
    end: int


def frames_end(storage: Storage, name: str) -> int:
    """Return where the frames of a pack end: at its key table, or at its end if the footer is damaged."""
    key = pack_key(name)
    size = storage.size(key)
    try:
        return parse_footer(storage.read(key, max(0, size - FOOTER_BYTES)), size)[0]
    except Damaged:
        return size


def scan(storage: Storage, name: str) -> Iterator[Row | Gap]:
    """Yield every frame with a lawful header, and the gaps between them, in the order of the file."""
    key = pack_key(name)
    end = frames_end(storage, name)
    offset = len(PACK_HEADER)
    while offset < end:
        row = _row(storage, key, offset, end)
        if row is None:
            found = _next(storage, key, offset + 1, end)
            yield Gap(offset, found)
            offset = found
        else:
            yield row
            offset = row.end


def _row(storage: Storage, key: str, offset: int, end: int) -> Row | None:
    if end - offset < FRAME_BYTES:
        return None
    try:
        row = row_at(parse_header(storage.read(key, offset, HEADER_BYTES)), offset)
    except Damaged:
        return None
    return row if row.end <= end else None


def _next(storage: Storage, key: str, start: int, end: int) -> int:
    """Return the next place at or after `start` where a whole frame can begin, or `end`."""
    holes = 0
    while start < end and holes < _HOLES:
        data = storage.read(key, start, min(_STEP, end - start))
        holes = holes + 1 if data == _HOLE else 0
        at = data.find(MAGIC)
        while at >= 0:
            if _may_begin(data, at) and _row(storage, key, start + at, end) is not None:
                return start + at
            at = data.find(MAGIC, at + 1)
        if len(data) < _STEP:
            break
        start += _STEP - len(MAGIC) + 1
    return end


def _may_begin(data: bytes, at: int) -> bool:
    """Whether a header can begin there, as far as `data` shows; spares reading at every chance likeness."""
    try:
        return len(data) - at < HEADER_BYTES or bool(parse_header(data[at : at + HEADER_BYTES]))
    except Damaged:
        return False


def load_rows(storage: Storage, name: str) -> tuple[int, list[Row]]:
    """Return size and rows of a pack, from its key table or, if that is damaged, from its frames.

    Frames whose payload is damaged are left out then. KeyError when the pack is absent.
    """
    try:
        return read_rows(storage, name)
    except Damaged:
        key = pack_key(name)
        rows = [row for row in scan(storage, name) if isinstance(row, Row) and _whole(storage, key, row)]
        return storage.size(key), sorted(rows)


def _whole(storage: Storage, key: str, row: Row) -> bool:
    try:
        open_frame(storage.read(key, row.offset, row.end - row.offset), row)
    except Damaged:
        return False
    return True
