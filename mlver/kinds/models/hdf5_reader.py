"""HDF5 files of the layout every library writes unless told otherwise (superblock 0, groups as B-trees).

Our own reader, for two reasons: libhdf5 can be kept busy for ever by a damaged file, inside of code
that nothing interrupts; and Keras's files need but a small part of it. The format: HDF5 File Format
Specification 3.0. Addresses are followed once, so no file leads around in circles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mlver.kinds.base import Source, Unreadable
from mlver.kinds.models.hdf5_types import NOWHERE, Layout, Newer, Type, filters_of, layout_of, shape_of, type_of, uint
from mlver.kinds.models.stream import Stream

MAGIC: Final = b"\x89HDF\r\n\x1a\n"
_MAX_MESSAGES: Final = 20_000
_MAX_NODES: Final = 500_000
_MAX_TEXT: Final = 64 << 20
_SPACE, _LINKS, _TYPE, _LINK, _EXTERNAL, _LAYOUT = 0x01, 0x02, 0x03, 0x06, 0x07, 0x08
_FILTERS, _ATTRIBUTE, _CONTINUED, _TABLE, _MANY = 0x0B, 0x0C, 0x10, 0x11, 0x15


@dataclass
class Node:
    """A group or a dataset, as its object header describes it. `table` is a group's tree and heap of names."""

    address: int
    table: tuple[int, int] | None = None
    shape: tuple[int, ...] | None = None
    type: Type | None = None
    layout: Layout | None = None
    filters: list[int] = field(default_factory=list)
    outside: bool = False
    attributes: dict[str, Any] = field(default_factory=dict)


class Reader:
    """Reads objects of one file by their address."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._left = _MAX_NODES
        self._text_left = _MAX_TEXT
        head = self.at(0, 96)
        if head[:8] != MAGIC:
            raise Unreadable("not an HDF5 file")
        if head[8] > 1 or head[13] != 8 or head[14] != 8:
            raise Newer
        shift = 4 if head[8] == 1 else 0
        if uint(head, 24 + shift, 8) or head[8] == 1:
            raise Newer
        if uint(head, 40, 8) > stream.end:
            raise Unreadable("ends early: the HDF5 file is truncated")
        self.root = uint(head, 64, 8)

    @property
    def source(self) -> Source:
        """The file."""
        return self.stream.source

    def at(self, address: int, size: int) -> bytes:
        """Return `size` bytes from `address` on; Unreadable when they are not there."""
        self._left -= 1
        if self._left < 0:
            raise Unreadable("an HDF5 file of too many parts")
        if address > self.stream.end:
            raise Unreadable("an HDF5 address outside of the file")
        self.stream.at = address
        return self.stream.read(size)

    def node(self, address: int) -> Node:
        """Return the object whose header is at `address`."""
        node = Node(address)
        for kind, shared, raw in self._messages(address):
            if kind == _SPACE:
                node.shape = shape_of(raw)
            elif kind == _TYPE:
                node.type = Type(0, name="a shared type") if shared else type_of(raw)
            elif kind == _LAYOUT:
                node.layout = layout_of(raw)
            elif kind == _FILTERS:
                node.filters = list(filters_of(raw))
            elif kind == _TABLE:
                node.table = (uint(raw, 0, 8), uint(raw, 8, 8))
            elif kind == _EXTERNAL:
                node.outside = True
            elif kind == _ATTRIBUTE:
                self._attribute(raw, node.attributes)
            elif kind in (_LINKS, _LINK) or (kind == _MANY and uint(raw, len(raw) - 16, 8) != NOWHERE):
                raise Newer
        return node

    def _messages(self, address: int) -> Iterator[tuple[int, bool, bytes]]:
        """Yield type, whether it is shared, and the bytes of each message of an object header."""
        start = self.at(address, 16)
        if start[:4] == b"OHDR":
            raise Newer
        if start[0] != 1:
            raise Unreadable("an HDF5 object without a header")
        count, blocks, seen = 0, [(address + 16, uint(start, 8, 4))], {address + 16}
        while blocks:
            begin, size = blocks.pop(0)
            block, at = self.at(begin, size), 0
            while at + 8 <= size and count < uint(start, 2, 2):
                kind, length, flags = uint(block, at, 2), uint(block, at + 2, 2), block[at + 4]
                raw = block[at + 8 : at + 8 + length]
                at += 8 + length
                count += 1
                if count > _MAX_MESSAGES or len(raw) < length:
                    raise Unreadable("an HDF5 object with a broken header")
                if kind == _CONTINUED:
                    after = (uint(raw, 0, 8), uint(raw, 8, 8))
                    if after[0] in seen:
                        raise Unreadable("an HDF5 header that leads back to itself")
                    seen.add(after[0])
                    blocks.append(after)
                else:
                    yield kind, bool(flags & 2), raw

    def members(self, table: tuple[int, int]) -> Iterator[tuple[str, int | str]]:
        """Yield name and address of each member of a group; of a link by name, the path it leads to."""
        heap = self.at(table[1], 32)
        if heap[:4] != b"HEAP":
            raise Unreadable("an HDF5 group without names")
        start, size = uint(heap, 24, 8), uint(heap, 8, 8)
        todo, seen = [table[0]], {table[0]}
        while todo:
            address = todo.pop()
            head = self.at(address, 8)
            if head[:4] == b"SNOD":
                entries = self.at(address + 8, 40 * uint(head, 6, 2))
                for at in range(0, len(entries), 40):
                    yield self._member(entries[at : at + 40], start, size)
                continue
            if head[:4] != b"TREE" or head[4] != 0:
                raise Unreadable("an HDF5 group without a tree")
            raw = self.at(address + 24, 16 * uint(head, 6, 2) + 8)
            below = [uint(raw, at, 8) for at in range(8, len(raw), 16)]
            if seen.intersection(below) or len(set(below)) != len(below):
                raise Unreadable("an HDF5 tree that leads back to itself")
            seen.update(below)
            todo.extend(reversed(below))

    def _member(self, entry: bytes, heap: int, size: int) -> tuple[str, int | str]:
        name = self._name(heap, size, uint(entry, 0, 8))
        if uint(entry, 16, 4) == 2:
            return name, self._name(heap, size, uint(entry, 24, 4))
        return name, uint(entry, 8, 8)

    def _name(self, heap: int, size: int, offset: int) -> str:
        if offset >= size:
            raise Unreadable("an HDF5 name outside of its heap")
        raw = self.at(heap + offset, min(size - offset, 1 << 10, max(0, self.stream.end - heap - offset)))
        name, end, _ = raw.partition(b"\0")
        if not end or not name:
            raise Unreadable("an HDF5 name without an end")
        return name.decode("utf-8", "backslashreplace")

    def _attribute(self, raw: bytes, into: dict[str, Any]) -> None:
        version, sizes = uint(raw, 0, 1), [uint(raw, at, 2) for at in (2, 4, 6)]
        if version not in (1, 2, 3):
            raise Newer
        at, parts = 9 if version == 3 else 8, []
        for size in sizes:
            parts.append(raw[at : at + size])
            at += -(-size // 8) * 8 if version == 1 else size
        name, kind, shape = (
            parts[0].rstrip(b"\0").decode("utf-8", "backslashreplace"),
            type_of(parts[1]),
            shape_of(parts[2]),
        )
        if shape is not None and not (version > 1 and uint(raw, 1, 1)):
            into[name] = self.values(kind, shape, raw[at:])

    def values(self, kind: Type, shape: tuple[int, ...], raw: bytes) -> Any:
        """Return texts or numbers as plain values, of other types only how many bytes there are."""
        count = 1
        for size in shape:
            count *= size
        if count * kind.size > len(raw):
            raise Unreadable("an HDF5 attribute that is cut short")
        pieces = (raw[at : at + kind.size] for at in range(0, count * kind.size, kind.size))
        if kind.text == "fixed":
            found: list[Any] = [piece.rstrip(b"\0 ").decode("utf-8", "backslashreplace") for piece in pieces]
        elif kind.text == "variable":
            found = [self._variable(piece) for piece in pieces]
        elif kind.dtype is not None and not kind.dtype.special:
            import numpy as np

            found = np.frombuffer(raw[: count * kind.size], kind.dtype.numpy()).tolist()
        else:
            return raw[: count * kind.size]
        return found if shape else found[0]

    def _variable(self, piece: bytes) -> str:
        """Return a text of variable length: its length, and its place in a global heap."""
        length, address, wanted = uint(piece, 0, 4), uint(piece, 4, 8), uint(piece, 12, 4)
        if not length:
            return ""
        head = self.at(address, 16)
        self._text_left -= length
        if head[:4] != b"GCOL" or self._text_left < 0:
            raise Unreadable("an HDF5 text that is nowhere")
        at, end = address + 16, address + uint(head, 8, 8)
        while at + 16 <= end:
            entry = self.at(at, 16)
            index, size = uint(entry, 0, 2), uint(entry, 8, 8)
            if index == wanted and length <= size:
                return self.at(at + 16, length).rstrip(b"\0").decode("utf-8", "backslashreplace")
            if not index:
                break
            at += 16 + -(-size // 8) * 8
        raise Unreadable("an HDF5 text that is nowhere")
