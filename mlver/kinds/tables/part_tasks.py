"""What is asked of a worker about the parts of a partitioned table, and its answers.

Answers are bytes: the schema of a part, rows as Arrow streams, names of rows as 64-bit words. Nothing in them is code,
and whoever asked takes them apart with `opened`.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mlver.kinds.base import Source, Spec, Unreadable, Value
from mlver.kinds.folder import Part, PartTask
from mlver.kinds.tables.apart import ReadWhole
from mlver.kinds.tables.arrays import empty, positions
from mlver.kinds.tables.keying import Keying, RowKeying, by_columns
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.mixing import U64, Rows, distinct
from mlver.kinds.tables.on_disk import in_pieces, rows_on_disk
from mlver.kinds.tables.pair import Pair
from mlver.kinds.tables.partitions import as_texts, part_table, with_path
from mlver.kinds.tables.pieces import pieces, read_column
from mlver.kinds.tables.units import TableUnits

SCHEMA, ROWS, NAMES, COLUMN = "schema", "rows", "names", "column"
_LENGTH: Final = struct.Struct("<Q")
_SMALL: Final = 1 << 20  # bytes of a part that is read whole, which is quicker
_CUT: Final = (b"PAR1", b"ARROW1")  # what such files begin with can be read by column


def answer(task: PartTask) -> bytes:
    """Answer a task; `b""` when the parts have to be read whole, or cannot be read, which is said better then."""
    answers = {SCHEMA: _schema, ROWS: _rows, NAMES: _names, COLUMN: _column}
    try:
        return answers[task.what](
            replace(task, old=_opened(task.old, task.specs[0]), new=_opened(task.new, task.specs[1]))
        )
    except (Unreadable, ReadWhole, pa.ArrowException):
        return b""


def _opened(part: Part | None, spec: Spec) -> Part | None:
    return None if part is None else replace(part, source=in_pieces(part.source, spec))


def packed(said: Mapping[str, Value], blobs: Sequence[bytes]) -> bytes:
    """Return an answer of plain values and some byte strings."""
    members = [json.dumps(said).encode(), *blobs]
    return b"".join(_LENGTH.pack(len(member)) + member for member in members)


def opened(answered: bytes, members: int) -> tuple[dict[str, Value], list[bytes]]:
    """Take an answer apart that has so many byte strings; ReadWhole when it is none."""
    found, place = [], 0
    while place + _LENGTH.size <= len(answered):
        (size,) = _LENGTH.unpack_from(answered, place)
        place += _LENGTH.size
        found.append(answered[place : place + size])
        place += size
    if place != len(answered) or len(found) != members + 1:
        raise ReadWhole
    try:
        said = json.loads(found[0])
    except ValueError:
        raise ReadWhole from None
    if not isinstance(said, dict):
        raise ReadWhole
    return said, found[1:]


def to_stream(table: Any) -> bytes:
    """Return a table as an Arrow stream."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def from_stream(data: bytes, schema: Any) -> Any:
    """Return the table in an Arrow stream, fully checked; ReadWhole when it is none of that schema."""
    try:
        table = pa.ipc.open_stream(data).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError):
        raise ReadWhole from None
    if table.schema != schema:
        raise ReadWhole
    return table


def to_words(lane: U64) -> bytes:
    """Return 64-bit words as bytes, low byte first."""
    return lane.astype("<u8").tobytes()


def from_words(data: bytes) -> U64:
    """Return the words in `data`; ReadWhole when it cannot be words."""
    if len(data) % 8:
        raise ReadWhole
    return np.frombuffer(data, dtype="<u8").astype(np.uint64)


def to_schema(data: bytes) -> Any:
    """Return the schema in an answer to SCHEMA; ReadWhole when it is none."""
    try:
        return pa.ipc.read_schema(pa.py_buffer(data))
    except (pa.ArrowException, OSError, ValueError):
        raise ReadWhole from None


def _one(task: PartTask) -> tuple[Part, Spec, Mapping[str, Value]]:
    """Return the only part of a task, how it is read, and the words about its side."""
    if task.old is not None:
        return task.old, task.specs[0], task.words["sides"][0]
    assert task.new is not None
    return task.new, task.specs[1], task.words["sides"][1]


def _schema(task: PartTask) -> bytes:
    """Return the schema of a part with the columns of its path, from its header where that has one."""
    part, spec, side = _one(task)
    if _has_columns(part.source):
        empty = next(pieces(part.source, spec.options, lambda schema: (None, None))).slice(0, 0)
        table = with_path(empty, part.path, side["kinds"])
    else:
        table = part_table(part, spec.options, side["kinds"])
    schema: bytes = table.schema.serialize().to_pybytes()
    return schema


def _rows(task: PartTask) -> bytes:
    """Return how many rows both parts have, and those that are not the same in both; what names rows, for a check."""
    if (found := _rows_in_pieces(task)) is not None:
        return found
    pair, names, keys = _compared(task)
    words = [b"", b"", b""]
    if keys:
        rows = pair.changed_old, pair.alignment.removed, pair.changed_new, pair.alignment.added
        left, come = np.sort(np.concatenate(rows[:2])), np.sort(np.concatenate(rows[2:]))
    else:
        assert isinstance(names[0], RowKeying) and isinstance(names[1], RowKeying)
        left, come, apart = _unlike(pair, (names[0], names[1]), from_words(task.words["names"]))
        words[2] = to_words(apart)
    ranges = [_range(table, keys) if keys and keys[0] not in pair.readings else None for table in (pair.old, pair.new)]
    if keys and None in ranges:
        words[:2] = (to_words(keying.digests[0]) for keying in names)
    said = {"rows": [pair.old.num_rows, pair.new.num_rows], "ranges": ranges}
    taken = [
        to_stream(table.take(positions(rows)).combine_chunks()) for table, rows in ((pair.old, left), (pair.new, come))
    ]
    return packed(said, [*taken, *words])


def _names(task: PartTask) -> bytes:
    """Return half of the digest of each row's key, on both sides."""
    if _come_in_pieces(task):
        return packed({}, [_words_of(keys) for keys in _keys(task)])
    _, names, _ = _compared(task)
    return packed({}, [to_words(keying.digests[0]) for keying in names])


def _come_in_pieces(task: PartTask) -> bool:
    """Whether both parts can be compared piece by piece, under one schema, by columns that stand in them."""
    key, sides = task.specs[1].key, task.words["sides"]
    if task.old is None or task.new is None or not key or min(task.old.source.size, task.new.source.size) < _SMALL:
        return False
    same = ("joined", "kinds", "clash")
    if any(sides[0][what] != sides[1][what] for what in same) or any(
        name in (*sides[1]["kinds"], *sides[1]["clash"]) for name in key
    ):
        return False
    schemas = [side["schemas"][part.path] for part, side in zip((task.old, task.new), sides, strict=True)]
    known = to_schema(schemas[1]).names
    if schemas[0] != schemas[1] or any(name not in known for name in key):
        return False
    return _has_columns(task.old.source) and _has_columns(task.new.source)


def _rows_in_pieces(task: PartTask) -> bytes | None:
    """Answer ROWS without either part in memory; None when that cannot be.

    Rows that are dropped are the same under the schema of the files, so they are under that of all parts; rows that
    stay are compared once more by whoever asked.
    """
    if not _come_in_pieces(task):
        return None
    assert task.old is not None and task.new is not None
    sides = task.words["sides"]
    try:
        apart = rows_on_disk(task.old.source, task.new.source, task.specs)
        both = ((apart.old, task.old, sides[0]), (apart.new, task.new, sides[1]))
        told = [_united(with_path(table, part.path, side["kinds"]), part, side) for table, part, side in both]
    except ReadWhole:
        return None
    keys = _keys(task)
    if [table.num_rows for table in keys] != [apart.rows_old, apart.rows_new]:
        raise Unreadable("a part changed while it was read")
    ranges = [_range(table, apart.key) for table in keys]
    words = [b"", b""] if None not in ranges else [_words_of(table) for table in keys]
    said = {"rows": [apart.rows_old, apart.rows_new], "ranges": ranges}
    return packed(said, [*map(to_stream, told), *words, b""])


def _keys(task: PartTask) -> list[Any]:
    """Return the columns that name rows of both parts, under the types they have in the whole."""
    assert task.old is not None and task.new is not None
    found = []
    for part, side in zip((task.old, task.new), task.words["sides"], strict=True):
        schema = to_schema(side["joined"])
        own = next(pieces(part.source, {}, lambda schema: (None, None))).column_names
        columns = {
            name: read_column(part.source, own.index(name)).cast(schema.field(name).type) for name in task.specs[1].key
        }
        found.append(pa.table(columns))
    return found


def _words_of(keys: Any) -> bytes:
    return to_words(by_columns(keys, tuple(keys.column_names)).digests[0])


def _compared(task: PartTask) -> tuple[Pair, tuple[Keying, Keying], tuple[str, ...]]:
    sides = [
        TableUnits(_table(part, spec, side), spec.key, guess=False)
        for part, spec, side in zip((task.old, task.new), task.specs, task.words["sides"], strict=True)
    ]
    pair, mine, theirs = sides[0].against(sides[1])
    if mine.columns != task.specs[1].key or theirs.columns != task.specs[1].key:
        raise ReadWhole
    return pair, (mine, theirs), task.specs[1].key


def _table(part: Part | None, spec: Spec, side: Mapping[str, Value]) -> Any:
    """Return a part under the schema of all parts of its side; without a part no rows."""
    none = empty(to_schema(side["joined"]))
    if part is None:
        return none
    return _united(part_table(part, spec.options, side["kinds"]), part, side)


def _united(table: Any, part: Part, side: Mapping[str, Value]) -> Any:
    """Return rows of a part under the schema of all parts."""
    none = empty(to_schema(side["joined"]))
    if table.schema != to_schema(side["schemas"][part.path]):
        raise ReadWhole
    united = pa.concat_tables([none, as_texts(table, side["clash"])], promote_options="permissive").combine_chunks()
    if united.schema != none.schema:
        raise ReadWhole
    return united


def _unlike(pair: Pair, names: tuple[RowKeying, RowKeying], more: U64) -> tuple[Rows, Rows, U64]:
    """Return the rows of which one side has more copies, all copies of them on both sides, and their words.

    Rows with one of the words `more` are wanted, too.
    """
    lanes = names[0].lane, names[1].lane
    apart = distinct(np.concatenate([lanes[0][pair.alignment.removed], lanes[1][pair.alignment.added]]))
    wanted = np.concatenate([apart, more])
    left, come = (np.flatnonzero(np.isin(lane, wanted)) for lane in lanes)
    return left, come, apart


def _range(table: Any, keys: tuple[str, ...]) -> list[int] | None:
    """Return the lowest and the highest key of rows named by one column of whole numbers; None for other names."""
    if len(keys) != 1:
        return None
    column = table.column(keys[0])
    if not pa.types.is_integer(column.type):
        return None
    ends = pc.min_max(column)
    return [ends["min"].as_py(), ends["max"].as_py()] if len(column) else []


def _column(task: PartTask) -> bytes:
    """Return one column of a part under the type it has in the whole."""
    part, spec, side = _one(task)
    field = to_schema(side["joined"]).field(task.words["column"])
    if not _has_columns(part.source):
        return to_stream(_table(part, spec, side).select([field.name]))
    own = next(pieces(part.source, spec.options, lambda schema: (None, None))).column_names
    if field.name in own and field.name not in (*side["kinds"], *side["clash"]):
        column = read_column(part.source, own.index(field.name)).cast(field.type)
    elif field.name in own:
        return to_stream(_table(part, spec, side).select([field.name]))
    else:
        rows = pa.table({"": pa.nulls(task.words["rows"][part.path])})
        kinds = {name: whole for name, whole in side["kinds"].items() if name == field.name}
        table = (
            with_path(rows, part.path, kinds) if kinds else rows.append_column(field, pa.nulls(len(rows), field.type))
        )
        column = as_texts(table, side["clash"]).column(field.name).cast(field.type)
    return to_stream(pa.table([column], schema=pa.schema([field])))


def _has_columns(source: Source) -> bool:
    with source.open() as stream:
        return stream.read(16).startswith(_CUT)
