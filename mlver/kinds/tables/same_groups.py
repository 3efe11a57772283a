"""Row groups of two Parquet files that are the same bytes: their rows need not be unfolded to know that they are equal.

A writer that ends groups where the rows say so (`writing.py`) makes most groups of a table that grew come again.
"""

from __future__ import annotations

from collections import defaultdict, deque
from itertools import islice
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mlver.kinds.base import Source
from mlver.kinds.tables.read import reasons

_PIECE: Final = 1 << 20
_SAID: Final = (
    "path_in_schema", "physical_type", "compression", "encodings", "has_dictionary_page", "num_values",
    "total_compressed_size", "total_uncompressed_size", "file_path",
)  # fmt: skip
Range = tuple[int, int]  # where bytes begin, and how many there are


def same_groups(old: Source, new: Source) -> tuple[frozenset[int], frozenset[int]]:
    """Return the row groups of each file that the other has byte for byte, as pairs; none of other formats.

    Only groups of which the footers say the same are read. Both footers have to have been tried (parquet_bounds.py).
    Raises Unreadable for bytes that are none.
    """
    with old.open() as first, new.open() as second, reasons():
        if first.read(4) != b"PAR1" or second.read(4) != b"PAR1":
            return frozenset(), frozenset()
        about = [pq.ParquetFile(pa.PythonFile(stream, mode="r")).metadata for stream in (first, second)]
        if about[0].schema != about[1].schema or about[0].created_by != about[1].created_by:
            return frozenset(), frozenset()
        return _pairs(about[0], first, about[1], second)


def _pairs(old: Any, first: BinaryIO, new: Any, second: BinaryIO) -> tuple[frozenset[int], frozenset[int]]:
    """Return the groups that are the same; each of `new` is held against three of `old` at most, of its size."""
    known: dict[tuple[int, int], deque[int]] = defaultdict(deque)
    for number in range(old.num_row_groups):
        known[_size(old.row_group(number))].append(number)
    pairs: dict[int, int] = {}
    last = -1
    for number in range(new.num_row_groups):
        group = new.row_group(number)
        alike = known.get(_size(group), deque())
        while alike and alike[0] in pairs:
            alike.popleft()
        for twin in dict.fromkeys((last + 1, number, *islice(alike, 1))):
            if twin in pairs or twin >= old.num_row_groups:
                continue
            other = old.row_group(twin)
            alike_said = _size(other) == _size(group) and _said(other) == _said(group)
            if alike_said and _same(_ranges(other), first, _ranges(group), second):
                pairs[twin] = number
                last = twin
                break
    return frozenset(pairs), frozenset(pairs.values())


def _size(group: Any) -> tuple[int, int]:
    return group.num_rows, group.total_byte_size


def _said(group: Any) -> tuple[object, ...]:
    """Return all that a footer says of a group but where it lies."""
    columns = [group.column(number) for number in range(group.num_columns)]
    said = [tuple(str(getattr(column, name)) for name in _SAID) for column in columns]
    within = [column.data_page_offset - _begin(column) for column in columns]
    return group.num_rows, tuple(said), tuple(within)


def _begin(column: Any) -> int:
    first: int = column.data_page_offset
    words = column.dictionary_page_offset if column.has_dictionary_page else None
    return words if words is not None and 0 < words < first else first


def _ranges(group: Any) -> list[Range]:
    columns = (group.column(number) for number in range(group.num_columns))
    return [(_begin(column), column.total_compressed_size) for column in columns]


def _same(mine: list[Range], first: BinaryIO, theirs: list[Range], second: BinaryIO) -> bool:
    return all(_alike(first, a, second, b, size) for (a, size), (b, _) in zip(mine, theirs, strict=True))


def _alike(first: BinaryIO, a: int, second: BinaryIO, b: int, size: int) -> bool:
    """Whether so many bytes of two files are the same, from one place in each."""
    if a < 0 or b < 0 or size < 0:
        return False
    first.seek(a)
    second.seek(b)
    while size > 0:
        one, two = first.read(min(size, _PIECE)), second.read(min(size, _PIECE))
        if not one or one != two:
            return False
        size -= len(one)
    return True
