"""What a Parquet file would unfold to, told from its footer and its dictionaries before anything is unfolded."""

from __future__ import annotations

from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlver.kinds.base import Unreadable
from mlver.kinds.tables.unpacking import most_of


def refuse_unfolding(file: Any, stream: BinaryIO) -> None:
    """Unreadable when pages, or words that many rows name, are far more than the bytes of the file make likely."""
    size = stream.seek(0, 2)
    most, footer = most_of(size), file.metadata
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    if sum(group.total_byte_size for group in groups) > most:
        raise Unreadable(f"unfolds to more than {most >> 20} MiB, far more than its {size} bytes allow")
    for number in range(footer.num_columns if groups else 0):
        columns = [group.column(number) for group in groups]
        # each row may name the longest word there can be
        if columns[0].physical_type == "BYTE_ARRAY" and sum(map(_at_most, columns)) > most:
            total = _length_of_words(columns[0].path_in_schema, file.schema_arrow, stream, most)
            if total > most:
                raise Unreadable(f"repeats long words to more than {most >> 20} MiB, in {size} bytes")


def _at_most(column: Any) -> int:
    return int(column.num_values * column.total_uncompressed_size) if column.has_dictionary_page else 0


def _length_of_words(name: str, schema: pa.Schema, stream: BinaryIO, most: int) -> int:
    """Return the bytes of all words of a column, none for one in a list or struct, stopping beyond `most`."""
    if name not in schema.names:
        return 0
    file, total = pq.ParquetFile(pa.PythonFile(stream, mode="r"), read_dictionary=[name]), 0
    for group in range(file.metadata.num_row_groups):
        for chunk in file.read_row_group(group, columns=[name]).column(0).chunks:
            if not pa.types.is_dictionary(chunk.type):
                total += chunk.nbytes
                continue
            lengths = pc.take(pc.cast(pc.binary_length(chunk.dictionary), pa.int64()), chunk.indices)
            total += pc.sum(lengths).as_py() or 0
        if total > most:
            break
    return total
