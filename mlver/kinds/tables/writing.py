"""Parquet that the store can share between versions: row groups are cut where the rows say, not where a counter does.

Rows appended, inserted or removed then change the groups they stand in, and all others keep their bytes. The idea is
that of content-defined chunking (Muthitacharoen and others, LBFS, SOSP 2001), on rows instead of bytes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mlver.errors import UsageError
from mlver.kinds.tables.digest import row_digests
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.mixing import Rows
from mlver.kinds.tables.values import decoded, family
from mlver.storage.durable import NewFile

ROWS: Final = 16_384  # rows of a group, on average
_SPREAD: Final = 4  # a group has at least a quarter of that, and at most four times as many
_SAMPLE: Final = 10_000
_REPEATS: Final = 20  # a dictionary pays when each value of a sample is there so often


def write_table(table: Any, path: str | os.PathLike[str], *, key: str | Sequence[str] = (), rows: int = ROWS) -> int:
    """Write a table as Parquet (zstd) so that versions of it share what they have in common; returns the row groups.

    `table` is a pyarrow Table, or a data frame of pandas or polars. `key` names the columns that name a row: whether
    a group ends behind a row is decided by these alone, so that a changed cell never moves a border; without a key, by
    the whole row. `rows` is how many a group has on average. The file is replaced whole or not at all.
    Raises UsageError for a column that is not there or a table that Parquet cannot hold, LocalIO when the disk refuses.
    """
    table = _table(table)
    columns = [key] if isinstance(key, str) else list(key)
    if missing := [name for name in columns if name not in table.column_names]:
        raise UsageError(f"no column {missing[0]!r} in the table", hint=f"there are {', '.join(table.column_names)}")
    if rows < _SPREAD:
        raise UsageError(f"row groups of {rows} rows are too small", hint=f"the default is {ROWS}")
    try:
        return _write(table, _borders(table.select(columns) if columns else table, rows), Path(path))
    except pa.ArrowException as error:
        raise UsageError(f"Parquet cannot hold this table: {str(error)[:200]}") from error


def _table(given: Any) -> Any:
    """Return what was given as a pyarrow Table whose columns have names of their own; UsageError when it is none."""
    try:
        table = given if isinstance(given, pa.Table) else pa.table(given)
    except (TypeError, ValueError, pa.ArrowException) as error:
        said = f"a {type(given).__name__} is no table: {str(error)[:200]}"
        raise UsageError(said, hint="a pyarrow Table, or a data frame of pandas or polars") from error
    if repeated := [name for name, times in Counter(table.column_names).items() if times > 1]:
        raise UsageError(f"two columns are called {repeated[0]!r}")
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type) and pa.types.is_string_view(field.type.value_type):
            kind = pa.dictionary(field.type.index_type, pa.large_string(), field.type.ordered)  # Arrow writes no other
            table = table.set_column(place, field.with_type(kind), table.column(place).cast(kind))
    return table


def _write(table: Any, ends: Sequence[int], target: Path) -> int:
    with NewFile(target.absolute().parent, sync=False) as file:
        with pq.ParquetWriter(
            pa.PythonFile(_Sink(file), mode="w"), table.schema, compression="zstd", use_dictionary=_few(table)
        ) as writer:
            begin = 0
            for end in ends:
                writer.write_table(table.slice(begin, end - begin), row_group_size=max(end - begin, 1))
                begin = end
        file.commit(target.absolute())
    return len(ends)


def _borders(named: Any, rows: int) -> list[int]:
    """Return where the groups end, the last at the end of the table."""
    least, most, count = rows // _SPREAD, rows * _SPREAD, named.num_rows
    marked: Rows = np.flatnonzero(row_digests(named)[0] % np.uint64(rows - least) == 0) + 1
    ends: list[int] = []
    begin = 0
    while begin < count:
        place = int(np.searchsorted(marked, begin + least))
        end = int(marked[place]) if place < len(marked) else count
        begin = min(end, begin + most, count)
        ends.append(begin)
    return ends


def _few(table: Any) -> list[str]:
    """Return the text columns whose values repeat: in small groups the dictionary of others is as long as they are."""
    found = []
    for field in table.schema:
        if family(field.type) != "text":
            continue
        sample = table.column(field.name).slice(0, _SAMPLE)  # by number, as a view or as JSON: texts all the same
        words = pa.chunked_array([decoded(chunk).cast(pa.large_string()) for chunk in sample.chunks], pa.large_string())
        if pc.count_distinct(words).as_py() * _REPEATS <= len(words):
            found.append(field.name)
    return found


class _Sink:
    """What pyarrow writes to: a file that is not there before it is whole."""

    def __init__(self, file: NewFile) -> None:
        self._file = file
        self.closed = False

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self._file.write(data)
        return size

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        """Nothing is held back here."""

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False
