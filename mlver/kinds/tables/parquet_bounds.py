"""What a Parquet file would unfold to, told from its footer and its dictionaries before anything is unfolded."""

from __future__ import annotations

import io
from collections.abc import Collection
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlver.kinds.base import Unreadable
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.unpacking import most_of

_BUFFER: Final = 1 << 18


def refuse_unfolding(file: Any, stream: BinaryIO) -> None:
    """Unreadable when pages, or words that many rows name, are far more than the bytes of the file make likely."""
    unfolding = Unfolding(file, stream)
    for group in range(file.metadata.num_row_groups):
        unfolding.admit(group)


class Unfolding:
    """What a file unfolds to, told of one row group before it is read, and of those before it."""

    def __init__(self, file: Any, stream: BinaryIO) -> None:
        """Look at the footer alone; Unreadable, or OSError for what pyarrow rejects."""
        size = stream.seek(0, 2)
        footer = file.metadata
        self._most, self._size, self._stream, self._footer = most_of(size), size, stream, footer
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        if sum(group.total_byte_size for group in groups) > self._most:
            raise Unreadable(f"unfolds to more than {self._most >> 20} MiB, far more than its {size} bytes allow")
        _try_footer(footer, size)
        self._columns: dict[str, _Words] = {}
        for number in range(footer.num_columns if groups else 0):
            columns = [group.column(number) for group in groups]
            name = columns[0].path_in_schema
            if columns[0].physical_type != "BYTE_ARRAY" or name not in file.schema_arrow.names:
                continue
            # each row may name the longest word there can be
            if sum(map(_at_most, columns)) > self._most:
                self._columns[name] = _Words(name, file.schema_arrow, footer, stream)

    def admit(self, group: int, columns: Collection[str] | None = None) -> None:
        """Unreadable when the words of all groups asked for, and of this one, are too much, in these columns or all."""
        for name, words in self._columns.items():
            if columns is not None and name not in columns:
                continue
            if words.more(group, self._most) > self._most:
                said = f"repeats long words to more than {self._most >> 20} MiB, in {self._size} bytes"
                raise Unreadable(said)


class _Nothing(io.RawIOBase):
    """A file of some size that gives no bytes; `asked` for some, what stands in the footer was accepted by then.

    Raising would do as well, but for pyarrow, which keeps what a file raises, and so the frames and the tables in them.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size, self._at, self.asked = size, 0, False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        self.asked = True
        return b""


def _try_footer(footer: Any, size: int) -> None:
    """Raise OSError when pyarrow rejects what the footer says of a column.

    Reading a column checks it first, and raises. Asking the metadata for the column checks it as well, where C++
    lets no exception out: the process would end. So each column is read here, out of a file that gives no bytes.
    """
    nothing = _Nothing(size)
    file = pq.ParquetFile(pa.PythonFile(nothing, mode="r"), metadata=footer)
    for group in range(footer.num_row_groups):
        for column in range(footer.num_columns):
            nothing.asked = False
            try:
                next(file.reader.iter_batches(1, [group], column_indices=[column], use_threads=False), None)
            except (OSError, pa.ArrowException):
                if not nothing.asked:
                    raise


def _at_most(column: Any) -> int:
    return int(column.num_values * column.total_uncompressed_size) if column.has_dictionary_page else 0


class _Words:
    """The bytes of all words of a column, or a bound of them, group by group."""

    def __init__(self, name: str, schema: Any, footer: Any, stream: BinaryIO) -> None:
        self._name, self._footer, self._total = name, footer, 0
        self._number = schema.names.index(name) if len(schema.names) == footer.num_columns else None
        source = pa.PythonFile(stream, mode="r")  # of which the first pages are read, and the rest only if need be
        self._file = pq.ParquetFile(
            source, metadata=footer, read_dictionary=[name], pre_buffer=False, buffer_size=_BUFFER
        )

    def more(self, group: int, most: int) -> int:
        """Return the bytes of the groups so far and this one; exact where a bound would be above `most`."""
        about = self._footer.row_group(group).column(self._number) if self._number is not None else None
        longest = _longest(self._file, group, self._name) if about is not None else None
        if about is not None and longest is not None:
            bound = about.num_values * longest + about.total_uncompressed_size
            if self._total + bound <= most:
                self._total += bound
                return self._total
        for chunk in self._file.read_row_group(group, columns=[self._name]).column(0).chunks:
            if not pa.types.is_dictionary(chunk.type):
                self._total += chunk.nbytes
                continue
            lengths = pc.take(pc.cast(pc.binary_length(chunk.dictionary), pa.int64()), chunk.indices)
            self._total += pc.sum(lengths).as_py() or 0
        return self._total


def _longest(file: Any, group: int, name: str) -> int | None:
    """Return the length of the longest word in a column's dictionary, None when a look at the first row does not tell.

    Reading one row of a page that uses the dictionary brings all of it; a single word may be that row's alone.
    """
    batch = next(file.iter_batches(1, row_groups=[group], columns=[name], use_threads=False), None)
    words = batch.column(0) if batch is not None else None
    if words is None or not pa.types.is_dictionary(words.type) or len(words.dictionary) < 2:
        return None
    known = words.dictionary
    wide = np.int64 if pa.types.is_large_string(known.type) or pa.types.is_large_binary(known.type) else np.int32
    ends = np.frombuffer(known.buffers()[1], wide, known.offset + len(known) + 1)[known.offset :]
    return int(np.diff(ends).max())
