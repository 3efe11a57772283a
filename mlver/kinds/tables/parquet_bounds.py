"""What a Parquet file would unfold to, told from its footer and its dictionaries before anything is unfolded."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlver.kinds.base import Unreadable
from mlver.kinds.tables.unpacking import most_of

_BUFFER: Final = 1 << 18


def refuse_unfolding(file: Any, stream: BinaryIO) -> None:
    """Unreadable when pages, or words that many rows name, are far more than the bytes of the file make likely."""
    size = stream.seek(0, 2)
    most, footer = most_of(size), file.metadata
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    if sum(group.total_byte_size for group in groups) > most:
        raise Unreadable(f"unfolds to more than {most >> 20} MiB, far more than its {size} bytes allow")
    _try_footer(footer, size)
    for number in range(footer.num_columns if groups else 0):
        columns = [group.column(number) for group in groups]
        # each row may name the longest word there can be
        if columns[0].physical_type == "BYTE_ARRAY" and sum(map(_at_most, columns)) > most:
            total = _length_of_words(columns[0].path_in_schema, file.schema_arrow, stream, most)
            if total > most:
                raise Unreadable(f"repeats long words to more than {most >> 20} MiB, in {size} bytes")


class _NotRead(Exception):
    """Raised in place of reading: what stands in the footer was accepted by then."""


class _Nothing(io.RawIOBase):
    """A file of some size that is never read."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size, self._at = size, 0

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
        raise _NotRead


def _try_footer(footer: Any, size: int) -> None:
    """Raise OSError when pyarrow rejects what the footer says of a column.

    Reading a column checks it first, and raises. Asking the metadata for the column checks it as well, where C++
    lets no exception out: the process would end. So each column is read here, out of a file that gives no bytes.
    """
    file = pq.ParquetFile(pa.PythonFile(_Nothing(size), mode="r"), metadata=footer)
    for group in range(footer.num_row_groups):
        for column in range(footer.num_columns):
            with suppress(_NotRead):
                next(file.reader.iter_batches(1, [group], column_indices=[column], use_threads=False), None)


def _at_most(column: Any) -> int:
    return int(column.num_values * column.total_uncompressed_size) if column.has_dictionary_page else 0


def _length_of_words(name: str, schema: pa.Schema, stream: BinaryIO, most: int) -> int:
    """Return the bytes of all words of a column or a bound of them, none for one in a list or struct.

    Stops beyond `most`.
    """
    if name not in schema.names:
        return 0
    source = pa.PythonFile(stream, mode="r")  # of which the first pages are read, and the rest only if need be
    file, total = pq.ParquetFile(source, read_dictionary=[name], pre_buffer=False, buffer_size=_BUFFER), 0
    number = schema.names.index(name) if len(schema.names) == file.metadata.num_columns else None
    for group in range(file.metadata.num_row_groups):
        about = file.metadata.row_group(group).column(number) if number is not None else None
        longest = _longest(file, group, name) if about is not None else None
        if about is not None and longest is not None:
            bound = about.num_values * longest + about.total_uncompressed_size
            if total + bound <= most:
                total += bound
                continue
        for chunk in file.read_row_group(group, columns=[name]).column(0).chunks:
            if not pa.types.is_dictionary(chunk.type):
                total += chunk.nbytes
                continue
            lengths = pc.take(pc.cast(pc.binary_length(chunk.dictionary), pa.int64()), chunk.indices)
            total += pc.sum(lengths).as_py() or 0
        if total > most:
            break
    return total


def _longest(file: Any, group: int, name: str) -> int | None:
    """Return the length of the longest word in a column's dictionary, None when a look at the first row does not tell.

    Reading one row of a page that uses the dictionary brings all of it; a single word may be that row's alone.
    """
    batch = next(file.iter_batches(1, row_groups=[group], columns=[name]), None)
    words = batch.column(0) if batch is not None else None
    if words is None or not pa.types.is_dictionary(words.type) or len(words.dictionary) < 2:
        return None
    longest = pc.max(pc.binary_length(words.dictionary)).as_py()
    return None if longest is None else int(longest)
