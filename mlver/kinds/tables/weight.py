"""What a table takes in memory when it is read whole, told before it is read."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from mlver.kinds.base import Source
from mlver.kinds.tables.read import reasons
from mlver.kinds.tables.unpacking import inner_name, is_packed

COPIES: Final = 8  # of a table, or part of one, are in memory at a time while it is compared whole
_PACKED: Final = 8  # text grows about so many times, columns half as much
_COLUMNS: Final = (b"ARROW1", b"\xff\xff\xff\xff", b"\x93NUMPY")
_TEXT: Final = (".csv", ".tsv", ".tab", ".txt")
_CELL: Final = 8  # bytes


def weight(source: Source) -> int:
    """Return about how many bytes the table is in memory; Unreadable when the file says what cannot be."""
    with source.open() as stream, reasons():
        head = stream.read(16)
        if head.startswith(b"PAR1"):
            return _of_footer(pq.ParquetFile(pa.PythonFile(stream, mode="r")).metadata)
    if head.startswith(b"ORC"):
        return source.size * _PACKED // 2
    if head.startswith(_COLUMNS):
        return source.size
    packed, path = is_packed(head), source.path.lower()
    size = source.size * _PACKED if packed else source.size
    # a number is half as long as it is spelled; records name each cell, and may have to be made one by one
    return size // 2 if (inner_name(path) if packed else path).endswith(_TEXT) else size


def _of_footer(footer: pq.FileMetaData) -> int:
    """Return the bytes of all columns, each at least as wide as its cells are when words and runs are spelled out."""
    said = sum(footer.row_group(number).total_byte_size for number in range(footer.num_row_groups))
    return max(int(said), int(footer.num_rows * footer.num_columns) * _CELL)
