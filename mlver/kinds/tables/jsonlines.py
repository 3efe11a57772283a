"""JSONL, and JSON files that are one list of records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import json as arrow_json

from mlver.kinds.base import Unreadable, Value
from mlver.kinds.tables.arrays import fixed
from mlver.kinds.tables.nesting import refuse_deep_json
from mlver.kinds.tables.text_types import EXACT, is_whole

_HEAD: Final = 4096
_PLAIN_LIMIT = 1 << 29  # bytes Python's own reader is asked to take


def read_json(data: Any) -> Any:
    """Return the table of the records in a buffer; a column of mixed types becomes canonical JSON text.

    Raises Unreadable when a line is no JSON object, with the number of the line.
    """
    raw = memoryview(data)
    start = refuse_no_json(bytes(raw[:_HEAD]))
    refuse_deep_json(raw)
    table = fast(raw) if start == b"{" else None
    if table is None:
        if len(raw) > _PLAIN_LIMIT:
            raise Unreadable("records of mixed types, larger than 512 MiB")
        table = _plain(bytes(raw))
    for number, field in enumerate(table.schema):
        column = table.column(number)
        if pa.types.is_floating(field.type) and is_whole(column):
            table = table.set_column(number, field.name, column.cast(pa.int64()))
    return table


def refuse_no_json(text: bytes) -> bytes:
    """Return what the records begin with, { or [ (one list of them); Unreadable for anything else."""
    start = text[:_HEAD].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start not in (b"{", b"["):
        raise Unreadable("no rows" if not start else "not JSON records")
    return start


def fast(raw: memoryview) -> Any:
    """Return what pyarrow reads, or None when it refuses or would lose digits of a number."""
    table = arrow(raw, None)
    if table is not None and any(_with_texts(kind) != kind for kind in table.schema.types):
        # pyarrow takes texts that look like times for times; JSON says they are texts
        table = arrow(raw, pa.schema([(field.name, _with_texts(field.type)) for field in table.schema]))
    if table is None or any(is_rounded(column) for column in table.columns):
        return None
    return table


def arrow(raw: memoryview, schema: Any) -> Any:
    """Return the table Arrow makes of records, columns in `schema` under these types; None when it refuses."""
    size = min(max(len(raw), 1), (1 << 31) - 1)
    for block in (1 << 24, size):
        try:
            return arrow_json.read_json(
                pa.BufferReader(pa.py_buffer(raw)),
                read_options=arrow_json.ReadOptions(block_size=min(block, size)),
                parse_options=arrow_json.ParseOptions(explicit_schema=schema),
            )
        except pa.ArrowException as error:
            if "straddling" not in str(error) or block == size:
                return None
    return None


def _with_texts(kind: Any) -> Any:
    """Return the type with `string` wherever it says timestamp."""
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_with_texts(kind.value_type))
    if pa.types.is_struct(kind):
        fields = [kind.field(number) for number in range(kind.num_fields)]
        return pa.struct([(field.name, _with_texts(field.type)) for field in fields])
    return kind


def is_rounded(column: Any) -> bool:
    """Whether some number of a column may have been an integer with more digits than a double holds."""
    if not pa.types.is_floating(column.type):
        return False
    return any(bool((np.abs(fixed(chunk, np.float64, 0.0)) >= EXACT).any()) for chunk in column.chunks)


def _plain(raw: bytes) -> Any:
    columns, count = columns_of(raw)
    if not columns:
        raise Unreadable("no columns" if count else "no rows")
    return pa.table({name: _column(values) for name, values in columns.items()})


def columns_of(raw: bytes, lines: int = 0, begin: int = 0) -> tuple[dict[str, list[Value]], int]:
    """Return the values of each field, None where a record has none, and how many records there are.

    Unreadable for what are no records.

    `lines` stand before these, up to byte `begin`: a complaint says which record, line or byte it is about.
    """
    columns: dict[str, list[Value]] = {}
    count = 0
    for count, (number, record) in enumerate(_records(raw, lines, begin), 1):
        if not isinstance(record, dict):
            raise Unreadable(f"record {number} is not a JSON object")
        for name, value in record.items():
            columns.setdefault(name, [None] * (count - 1)).append(value)
        for values in columns.values():
            if len(values) < count:
                values.append(None)
    return columns, count


def _records(raw: bytes, lines: int, begin: int) -> Iterator[tuple[int, Value]]:
    """Yield each record with its number (of the line, or in the list)."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8 at byte {begin + error.start}") from error
    if text.lstrip().startswith("["):
        yield from enumerate(_parse(text, 1), 1)
        return
    for number, line in enumerate(text.split("\n"), lines + 1):
        if line.strip():
            yield number, _parse(line, number)


def _parse(text: str, line: int) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_record)
    except json.JSONDecodeError as error:
        raise Unreadable(f"no JSON in line {line + error.lineno - 1}: {error.msg.lower()}") from error
    except RecursionError as error:
        raise Unreadable("JSON nested too deeply") from error
    except ValueError as error:
        raise Unreadable(f"a number of thousands of digits in line {line}") from error


def _record(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    record = dict(pairs)
    if len(record) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Unreadable(f"the field {twice} is given twice in one record")
    return record


def _column(values: list[Value]) -> Any:
    """Return an Arrow array of one type; values that have none in common as canonical JSON text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and float in kinds and all(abs(v) < EXACT for v in values if isinstance(v, int)):
        return pa.array(values, pa.float64(), from_pandas=False)
    if len(kinds) <= 1:
        try:
            return pa.array([_sane(value) for value in values], from_pandas=False)
        except (pa.ArrowException, OverflowError):
            pass
    return plain_array(values, pa.large_string())


def plain_array(values: list[Value], kind: Any) -> Any:
    """Return values as an Arrow array of a type which is theirs; as `large_string`, canonical JSON."""
    if kind == pa.large_string():
        return pa.array([None if value is None else _canonical(value) for value in values], kind)
    return pa.array([_sane(value) for value in values], kind, from_pandas=False)


def _canonical(value: Value) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()


def _sane(value: Value) -> Value:
    """Return the value with half surrogates, which no UTF-8 has, written out."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_sane(name): _sane(item) for name, item in value.items()}
    return [_sane(item) for item in value] if isinstance(value, list) else value
