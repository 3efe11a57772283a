"""The rows of a table piece by piece, in their order, so that whoever has enough need not read the rest.

Parquet comes by row group, and only the columns and groups asked for; Arrow files by batch; large text by blocks
of some megabytes. What is small, or of another format, comes whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mlver.kinds.base import Source, Unreadable, Value
from mlver.kinds.tables import arrow_bounds
from mlver.kinds.tables.arrays import empty, same_bytes, within
from mlver.kinds.tables.bounds import Bounds, Condition
from mlver.kinds.tables.delimited import read_delimited, sniff
from mlver.kinds.tables.jsonlines import read_json
from mlver.kinds.tables.parquet_bounds import Unfolding
from mlver.kinds.tables.read import checked, read_table, reasons, refuse_giants
from mlver.kinds.tables.text_blocks import Begun, CannotCut, row_blocks
from mlver.kinds.tables.unpacking import inner_name, is_packed, unpacking
from mlver.kinds.tables.values import family

WHOLE: Final = 16 << 20  # bytes of text that are read at once
_PACKED: Final = 8  # text grows about so many times
_ROWS: Final = 1 << 16  # in a batch, when nobody says how many
_MOST: Final = 1 << 17
_PIECE: Final = 16 << 20  # bytes of a piece: wide rows come fewer at a time
_LEAST: Final = 128
_VARIES: Final = 16  # bytes of a cell that has no fixed width
_BUFFER: Final = 1 << 20  # of one column
_LINES: Final = (".jsonl", ".ndjson")
_SAMPLE: Final = 1 << 16
_SPELLED: Final = 4  # bytes of a text's length, where it is spelled out
_FEW_WORDS: Final = 1 << 12  # bytes of words in a group however small
Choose = Callable[[Any], tuple[Condition | None, Collection[str] | None]]

Fewer = Callable[[int], Collection[str] | None]


def pieces(
    source: Source,
    options: Mapping[str, Value],
    choose: Choose,
    rows: int = _ROWS,
    *,
    worded: bool = False,
    fewer: Fewer | None = None,
) -> Iterator[Any]:
    """Yield tables that together hold all rows a condition may hold for; rows it fails for may be among them.

    `choose(schema)` returns the condition, and the columns wanted (None: all); other columns may be left out.
    `rows` is how many are wanted soon. With `worded` texts of Parquet may come as dictionaries, whatever the first
    table says of their type, which is empty. Raises Unreadable; CannotCut after the first piece, when all that came
    before is to be forgotten and the table to be read whole.
    """
    if source.size == 0:
        raise Unreadable("empty file")
    with source.open() as stream, reasons():
        head = stream.read(16)
        stream.seek(0)
        if head.startswith(b"PAR1"):
            yield from _parquet(stream, choose, rows, worded, fewer)
            return
        if head.startswith(b"ARROW1"):
            arrow_bounds.refuse_unfolding(stream)
            yield from _arrow(stream, choose)
            return
        packed = is_packed(head)
        if source.size * (_PACKED if packed else 1) > WHOLE and not head.startswith(
            (b"ORC", b"\xff\xff\xff\xff", b"FEA1")
        ):
            path = source.path.lower()
            opened: Any = unpacking(stream, head, source.size) if packed else stream
            yield from _text(opened, inner_name(path) if packed else path, options)
            return
    yield read_table(source, options)


def can_stream(head: bytes) -> bool:
    """Whether a file that begins so is read piece by piece, whatever its size."""
    return head.startswith((b"PAR1", b"ARROW1"))


def read_column(source: Source, number: int) -> Any:
    """Return one column of a Parquet or Arrow file, counted from 0; texts of Parquet that repeat as dictionaries."""
    with source.open() as stream, reasons():
        if stream.read(4) == b"PAR1":
            file, name = _of_column(stream, number)
            table = file.read(columns=[name])
        else:
            table = _arrow_column(stream, number).read_all()
        return checked(table).column(0)


def column_parts(source: Source, number: int, rows: int = _ROWS) -> Generator[Any, None, None]:
    """Yield one column as `read_column` reads it, in order, as arrays of at most `rows` or those of the batches."""
    with source.open() as stream, reasons():
        if stream.read(4) == b"PAR1":
            file, name = _of_column(stream, number)
            batches = file.iter_batches(rows, columns=[name])
        else:
            reader = _arrow_column(stream, number)
            batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
        for batch in batches:
            yield from checked(pa.Table.from_batches([batch])).column(0).chunks


def _of_column(stream: BinaryIO, number: int) -> tuple[Any, str]:
    """Return a Parquet file opened so that one column comes as it is quickest read, and the name of that column."""
    file = pq.ParquetFile(pa.PythonFile(stream, mode="r"))
    field = file.schema_arrow.field(number)
    if words := [name for name in _worded(file) if name == field.name]:
        source = pa.PythonFile(stream, mode="r")
        file = pq.ParquetFile(
            source, metadata=file.metadata, read_dictionary=words, pre_buffer=False, buffer_size=_BUFFER
        )
    return file, field.name


def _worded(file: Any) -> list[str]:
    """Return the columns of text in a Parquet file of which each word seems to be written once, and its number after.

    Spelled out, a text takes four bytes beside its letters. What is guessed wrong is read all the same.
    """
    about, schema = file.metadata, file.schema_arrow
    if about.num_columns != len(schema.names):
        return []
    found = []
    for number, field in enumerate(schema):
        if family(field.type) != "text" or pa.types.is_dictionary(field.type):
            continue
        chunks = [about.row_group(group).column(number) for group in range(about.num_row_groups)]
        if chunks and all(c.total_uncompressed_size < _SPELLED * c.num_values + _FEW_WORDS for c in chunks):
            found.append(field.name)
    return found


def _arrow_column(stream: BinaryIO, number: int) -> Any:
    options = pa.ipc.IpcReadOptions(included_fields=[number])
    return pa.ipc.open_file(pa.PythonFile(stream, mode="r"), options=options)


def _parquet(stream: BinaryIO, choose: Choose, rows: int, as_words: bool, fewer: Fewer | None) -> Iterator[Any]:
    file = pq.ParquetFile(pa.PythonFile(stream, mode="r"))
    refuse_giants(file.metadata.num_rows, file.metadata.num_columns, stream)
    unfolding = Unfolding(file, stream)
    none = checked(empty(file.schema_arrow))
    condition, wanted = choose(none.schema)
    known = file.schema_arrow.names
    names = [name for name in known if wanted is None or name in wanted]
    first = [name for name in known if condition is not None and name in condition.columns]
    if none.column_names != known:  # nameless columns were given names
        names, first, fewer = known, known, None
    yield none.select([none.column_names[known.index(name)] for name in names])
    words = _Words()
    if as_words:
        source, known_words = pa.PythonFile(stream, mode="r"), _worded(file)
        file = pq.ParquetFile(
            source, metadata=file.metadata, read_dictionary=known_words, pre_buffer=False, buffer_size=_BUFFER
        )
    for group in range(file.metadata.num_row_groups):
        if condition is not None and not condition.may(_bounds(file, group)).hold:
            continue
        some = fewer(group) if fewer is not None else None
        unfolding.admit(group, some)
        # a look at the columns of the condition alone, before all are read
        look = condition if len(first) < len(names) else None
        if look is not None and not _any_row(file.read_row_group(group, columns=first), look):
            continue
        batches = file.iter_batches(
            min(max(rows, 1), _MOST, max(_PIECE // _width(file.schema_arrow), _LEAST)),
            row_groups=[group],
            columns=names if some is None else some,
            use_threads=not as_words,
        )
        for batch in batches:
            yield words.checked(batch)


def _width(schema: Any) -> int:
    """Return about how many bytes a row has."""
    return sum(max(kind.bit_width // 8, 1) if pa.types.is_primitive(kind) else _VARIES for kind in schema.types)


class _Words:
    """The dictionaries of columns of text: the same one comes with each batch, and is checked and kept once."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def checked(self, batch: Any) -> Any:
        """Return a batch as a table after a full check."""
        columns, sound = list(batch.columns), []
        for number, name in enumerate(batch.schema.names):
            if not pa.types.is_dictionary(columns[number].type):
                continue
            known, words = self._known.get(name), columns[number].dictionary
            if known is not None and same_bytes(known, words) and within(columns[number].indices, len(words)):
                columns[number] = pa.DictionaryArray.from_arrays(
                    columns[number].indices, known, ordered=columns[number].type.ordered, safe=False
                )
                sound.append(name)
            else:
                self._known[name] = words
        return checked(pa.Table.from_arrays(columns, schema=batch.schema), sound)


def _any_row(table: Any, condition: Condition) -> bool:
    return bool(condition.filter(checked(table)).num_rows)


def _bounds(file: Any, group: int) -> dict[str, Bounds]:
    """Return what a file says of the columns of one row group."""
    said = file.metadata.row_group(group)
    found = {}
    for number in range(said.num_columns):
        column = said.column(number)
        known = column.statistics if column.is_stats_set else None
        if known is not None and column.path_in_schema in file.schema_arrow.names:
            low, high = (known.min, known.max) if known.has_min_max else (None, None)
            nulls = known.null_count if known.has_null_count else None
            found[column.path_in_schema] = Bounds(low, high, nulls, said.num_rows)
    return found


def _arrow(stream: BinaryIO, choose: Choose) -> Iterator[Any]:
    file = pa.ipc.open_file(pa.PythonFile(stream, mode="r"))
    none = checked(empty(file.schema))
    known = file.schema.names
    condition, wanted = choose(none.schema)
    looked_at = condition.columns if condition is not None else ()
    if wanted is not None and none.column_names == known:  # nameless columns were given names
        chosen = [number for number, name in enumerate(known) if name in wanted or name in looked_at]
        options = pa.ipc.IpcReadOptions(included_fields=chosen)
        file = pa.ipc.open_file(pa.PythonFile(stream, mode="r"), options=options)
        none = none.select([known[number] for number in chosen])
    yield none
    for number in range(file.num_record_batches):
        yield checked(pa.Table.from_batches([file.get_batch(number)]))


def _text(stream: BinaryIO, path: str, options: Mapping[str, Value]) -> Iterator[Any]:
    """Yield the table of each block; CannotCut when blocks do not agree on what their columns are."""
    lines = path.endswith(_LINES)
    if path.endswith(".json"):
        raise CannotCut
    begun = Begun(stream, _SAMPLE)
    try:
        layout = None if lines else sniff(begun.head[:_SAMPLE], "utf8", path, options)
    except Unreadable:
        raise CannotCut from None
    kinds: dict[str, Any] = {}
    for number, block in enumerate(row_blocks(begun, layout.delimiter if layout else None)):
        try:
            block.decode()  # else the whole is Latin-1
            table = read_json(block) if lines else read_delimited(block, path, options, layout)
            names = table.column_names
            table = checked(table)
        except (Unreadable, UnicodeDecodeError):
            raise CannotCut from None  # said better of the whole
        if layout is not None:
            layout = replace(layout, names=tuple(names))
        if number and kinds.keys() != set(table.column_names):
            raise CannotCut
        yield _alike(table, kinds)


def _alike(table: Any, kinds: dict[str, Any]) -> Any:
    """Return the table if its columns are of the families of `kinds`, which learn from it; CannotCut if not."""
    for number, field in enumerate(table.schema):
        kind = kinds.setdefault(field.name, field.type)
        if pa.types.is_null(kind):
            kinds[field.name] = field.type  # nothing stood there so far
        elif pa.types.is_null(field.type):
            table = table.set_column(number, field.name, table.column(number).cast(kind))
        elif family(kind) != family(field.type):
            raise CannotCut
    return table
