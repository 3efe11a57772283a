"""What is left in a damaged pack: frames that are sound, and those that can be made sound without any other copy.

An id says what the bytes must be, so a guess can be checked. Three kinds of damage need no copy: a frame header that
the key table still has, a checksum that is wrong while the object is right, and a single flipped bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from mlver.errors import Damaged
from mlver.storage.base import Storage
from mlver.store import codec
from mlver.store.frames import CHECKSUM_BYTES, HEADER_BYTES, LIST, TYPES, checksum, pack_header, verify
from mlver.store.pack import Row, open_frame, pack_key, read_rows
from mlver.store.packwriter import Frame
from mlver.store.scan import scan

_LIST = TYPES[LIST]
_LONGEST = 64 << 10  # bytes in which a flipped bit is looked for


@dataclass
class Patience:
    """How much may still be spent on trying bits: bytes hashed, in all. A 64 KiB object takes 2^35, some seconds."""

    left: int = 1 << 37

    def grants(self, length: int) -> bool:
        """Whether all bits of `length` bytes may be tried; if so that is counted."""
        cost = 8 * length * (length + 512)
        if length > _LONGEST or cost > self.left:
            return False
        self.left -= cost
        return True


def candidates(storage: Storage, name: str) -> list[Row]:
    """Return every frame that a pack may hold: those its key table lists, and those found by walking it."""
    found: dict[int, Row] = {}
    for item in scan(storage, name):
        if isinstance(item, Row):
            found[item.offset] = item
    with suppress(Damaged):  # then the frames are all there is
        found |= {row.offset: row for row in read_rows(storage, name)[1]}
    return [row for _, row in sorted(found.items())]


def rescue(storage: Storage, name: str, row: Row) -> tuple[Frame, bool]:
    """Return the frame of an object, and whether it lay there whole; Damaged when it takes more than looking.

    KeyError when the pack is gone.
    """
    data = storage.read(pack_key(name), row.offset, row.end - row.offset)
    try:
        open_frame(data, row)
        return _as_it_lies(row, data), True
    except Damaged as error:
        payload, check = _parts(row, data)
        if _is(row, payload, check):
            return _made_anew(row, payload), False
        raise error


def search(storage: Storage, name: str, row: Row, patience: Patience) -> Frame:
    """Return the frame of an object of which one bit of the payload is flipped; Damaged when it is not just that."""
    data = storage.read(pack_key(name), row.offset, row.end - row.offset)
    payload, check = _parts(row, data)
    if patience.grants(len(payload)):
        for guess in one_bit_off(payload):
            if checksum(guess) == check and _is(row, bytes(guess), check):
                return _made_anew(row, bytes(guess))
    raise Damaged("more than one bit of it is damaged, or it is too large to try")


def one_bit_off(data: bytes) -> Iterator[bytearray]:
    """Yield `data` with each of its bits flipped in turn; it is one buffer, so copy what is to be kept."""
    guess = bytearray(data)
    for at in range(len(guess)):
        for bit in range(8):
            guess[at] ^= 1 << bit
            yield guess
            guess[at] ^= 1 << bit


def find_flip(data: bytes, right: Callable[[bytes], bool], patience: Patience) -> bytes | None:
    """Return `data` with the one bit flipped that makes it `right`, None when there is none such."""
    if not patience.grants(len(data)):
        return None
    return next((bytes(guess) for guess in one_bit_off(data) if right(bytes(guess))), None)


def _parts(row: Row, data: bytes) -> tuple[bytes, bytes]:
    end = HEADER_BYTES + row.stored
    if len(data) != end + CHECKSUM_BYTES:
        raise Damaged("it is cut short")
    return data[HEADER_BYTES:end], data[end:]


def _is(row: Row, payload: bytes, check: bytes) -> bool:
    """Whether a payload is the object of `row`. The id of a list tells nothing, so its checksum must hold but a bit."""
    if row.type == _LIST and _bits_apart(checksum(payload), check) > 1:
        return False
    try:
        verify(row.type, row.id, codec.decode(row.codec, payload, row.raw))
    except Damaged:
        return False
    return len(payload) == row.raw if row.codec == 0 else True


def _bits_apart(a: bytes, b: bytes) -> int:
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()


def _as_it_lies(row: Row, data: bytes) -> Frame:
    end = HEADER_BYTES + row.stored
    return Frame(row._replace(offset=0), data[:HEADER_BYTES], data[HEADER_BYTES:end], data[end:])


def _made_anew(row: Row, payload: bytes) -> Frame:
    header = pack_header(row.type, row.codec, row.stored, row.raw, row.id)
    return Frame(row._replace(offset=0), header, payload, checksum(payload))


def frame_of(storage: Storage, name: str, row: Row) -> Frame:
    """Return a frame as it lies in a sound pack, its object checked; Damaged or KeyError."""
    data = storage.read(pack_key(name), row.offset, row.end - row.offset)
    open_frame(data, row)
    return _as_it_lies(row, data)
