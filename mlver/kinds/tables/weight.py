"""What a table takes in memory when it is read whole, told before it is read; and how much there is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from mlver.kinds.base import Source, Unreadable
from mlver.kinds.tables.read import reasons
from mlver.kinds.tables.unpacking import inner_name, is_packed

ROOM: Final = 256 << 20  # bytes that tables may take which are read whole
COPIES: Final = 8  # of a table, or part of one, are in memory at a time while it is compared whole
_PACKED: Final = 8  # text grows about so many times, columns half as much
_COLUMNS: Final = (b"ARROW1", b"\xff\xff\xff\xff", b"\x93NUMPY")
_TEXT: Final = (".csv", ".tsv", ".tab", ".txt")
_CELL: Final = 8  # bytes
_LARGE: Final = 32 << 20  # bytes of a file
_WHOLE: Final = 2 * COPIES  # times what a table takes, one of few columns with the names of its rows takes
_GROUPS: Final = (
    ("", "memory.max", "memory.current"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
)  # of control groups, the new ones and the old


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


def are_heavy(sources: Sequence[Source], room: int) -> bool:
    """Whether comparing these as wholes takes more memory than `room` bytes; Unreadable for what cannot be."""
    return COPIES * sum(map(weight, sources)) > room


def refuse_too_large(source: Source) -> None:
    """Raise Unreadable when reading the table whole takes more memory than is free. Looks only at large files."""
    if source.size < _LARGE:
        return
    takes, free = weight(source) * _WHOLE, free_memory()
    if free is not None and takes > free:
        there = f"it takes about {takes >> 20:,} MiB of memory to read it whole, and {free >> 20:,} are free"
        raise Unreadable(f"{there}; Parquet sorted by its key is read in pieces")


def refuse_too_heavy(size: int) -> None:
    """Raise Unreadable when so many bytes of rows that differ take more memory to compare than is free."""
    if size < _LARGE:
        return
    takes, free = size * COPIES, free_memory()
    if free is not None and takes > free:
        there = f"to compare them takes about {takes >> 20:,} MiB of memory, and {free >> 20:,} are free"
        raise Unreadable(f"too many rows differ: {there}")


def free_memory(root: Path = Path("/")) -> int | None:
    """Return how many bytes of memory are free, here and under the limit of a container; None where nobody says.

    Of memory in use, what the page cache holds counts as free.
    """
    limits = [
        limit - used + _cached(root / "sys/fs/cgroup" / group / "memory.stat")
        for group, most, now in _GROUPS
        if (limit := _number(root / "sys/fs/cgroup" / group / most)) is not None
        and (used := _number(root / "sys/fs/cgroup" / group / now)) is not None
    ]
    if (found := _field(root / "proc/meminfo", "MemAvailable:")) is not None:
        limits.append(found << 10)
    return min(limits, default=None)


def _cached(stat: Path) -> int:
    return _field(stat, "inactive_file") or _field(stat, "total_inactive_file") or 0


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # there is none, or it is "max"
        return None


def _field(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(words[1]) for line in lines if (words := line.split())[:1] == [name]), None)
