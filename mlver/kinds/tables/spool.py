"""A table that does not come in pieces, written once into a temporary Arrow file, which does.

Types are those of the table when it is read whole, so text may have to be gone through again: a first time they are
guessed from what was seen so far, and where later rows say otherwise it begins anew, knowing better.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Event
from typing import Any, BinaryIO, Final, Protocol

import pyarrow as pa

from mlver.kinds.base import Source, Unreadable, Value
from mlver.kinds.tables.delimited_blocks import DelimitedBlocks
from mlver.kinds.tables.json_blocks import JsonBlocks
from mlver.kinds.tables.late import frugal
from mlver.kinds.tables.meeting import without_dictionaries
from mlver.kinds.tables.read import has, reasons, refuse_no_text, stripes
from mlver.kinds.tables.text_blocks import Again, CannotCut
from mlver.kinds.tables.unpacking import inner_name, is_packed, unpacking
from mlver.storage.scratch import Appending, Scratch

_ROWS: Final = 1 << 16  # in a batch
_LINES: Final = (".jsonl", ".ndjson")
_LISTS: Final = (".json",)
_COLUMNS: Final = (b"PAR1", b"ARROW1", b"FEA1", b"\x93NUMPY")


class Blocks(Protocol):
    """A table in blocks, of types that may change as more is seen."""

    def tables(self, stream: Any) -> Iterator[Any]:
        """Yield the rows of each block under the types known when it was read; Again when they are to be forgotten."""


class Spooled:
    """A table in a temporary Arrow file, for all who read a Source."""

    def __init__(self, path: str, scratch: Scratch) -> None:
        self.path, self._scratch = path, scratch

    @property
    def size(self) -> int:
        """Bytes of the Arrow file."""
        return self._scratch.size

    def open(self) -> BinaryIO:
        """Return a fresh reader."""
        return self._scratch.open()


def spooled(source: Source, options: Mapping[str, Value], stop: Event | None = None) -> Source:
    """Return the table of a source as an Arrow file, in which it is under the types it has when it is read whole.

    A few blocks of it are in memory at a time. It ends when `stop` is set; what is made then is good for nothing.
    Unreadable as for `read_table`; CannotCut for a format, or a text, that has to be read whole; LocalIO when there is
    no place for the file.
    """
    scratch = Scratch()
    with frugal(), reasons():
        blocks = _blocks_of(source, options)
        while not _settled(scratch, blocks, source, stop or Event()):
            scratch.clear()
    return Spooled(source.path, scratch)


def _blocks_of(source: Source, options: Mapping[str, Value]) -> Blocks:
    with source.open() as stream:
        head = stream.read(16)
    if head.startswith(_COLUMNS):
        raise CannotCut
    path, packed = source.path.lower(), is_packed(head)
    if packed:
        path = inner_name(path)
    elif head.startswith((b"ORC", b"\xff\xff\xff\xff")):
        return _Batches()
    refuse_no_text(path)
    if path.endswith(_LISTS):
        raise CannotCut
    if path.endswith(_LINES):
        return JsonBlocks()
    return DelimitedBlocks(path, options)


def _settled(scratch: Scratch, blocks: Blocks, source: Source, stop: Event) -> bool:
    try:
        return _written(scratch, blocks, source, stop)
    except Again:
        return False


def _written(scratch: Scratch, blocks: Blocks, source: Source, stop: Event) -> bool:
    """Write the table, until told to `stop`; whether all of it is of one schema. Blocks are read to the end anyway."""
    writer, schema, settled = None, None, True
    with source.open() as opened:
        stream: Any = opened
        head = stream.read(16)
        stream.seek(0)
        if is_packed(head):
            stream = unpacking(stream, head, source.size)
        for table in blocks.tables(stream):
            if stop.is_set():
                return True
            if writer is None:
                schema = table.schema
                writer = pa.ipc.new_file(pa.PythonFile(Appending(scratch), mode="w"), schema)
            settled = settled and table.schema == schema
            if settled:
                writer.write_table(table, max_chunksize=_ROWS)
    if writer is None:
        raise Unreadable("no rows")
    writer.close()
    return settled


class _Batches:
    """ORC and Arrow streams."""

    def tables(self, stream: BinaryIO) -> Iterator[Any]:
        """Yield the stripes or batches, with plain texts where they came by number; CannotCut where that is inside."""
        for table in map(without_dictionaries, stripes(stream)):
            if any(has(kind, pa.types.is_dictionary) for kind in table.schema.types):
                raise CannotCut  # each batch may have other words, which a file cannot hold
            yield table
