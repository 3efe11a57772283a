"""CSV and TSV: delimiter and header found, types by value, and nothing lost on the way to numbers."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from mlver.frozen import frozen
from mlver.kinds.base import Unreadable, Value
from mlver.kinds.tables.arrays import fixed, no_value
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.lenient import MISSING_WORDS
from mlver.kinds.tables.mixing import BLOCK
from mlver.kinds.tables.values import refuse_twins

_DELIMITERS: Final = (",", "\t", ";", "|")
_SAMPLE = 1 << 16
MAX_COLUMNS: Final = 50_000
_FIRST_LINE: Final = 1 << 24  # bytes of it that are looked at
_NUMBER: Final = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*|[-+]?(nan|inf)", re.IGNORECASE)
_EXACT = 2.0**53  # from here on neighbouring integers share a double
_STEP = 1 << 20  # bytes searched at a time


@frozen
class Layout:
    """How the text is cut: the delimiter, and the column names (None: the first row holds them)."""

    delimiter: str
    names: tuple[str, ...] | None


def read_delimited(data: Any, path: str, options: Mapping[str, Value], layout: Layout | None = None) -> Any:
    """Return the table in a buffer of text; Unreadable when rows differ in length or bytes are no text.

    Whole numbers are int64 whatever their spelling (`2`, `2.0`, `2e0`). Digits stay text where a
    number would lose some: leading zeros, and integers that a double can't hold.
    """
    raw, encoding = _text(data)
    layout = layout or sniff(raw[:_SAMPLE].tobytes(), encoding, path, options)
    _refuse_broad(raw, layout.delimiter, encoding)
    table = _parse(raw, encoding, layout, {})
    refuse_twins(table.column_names)
    if encoding == "utf8" and any(pa.types.is_binary(kind) for kind in table.schema.types):
        encoding = "latin1"
        table = _parse(raw, encoding, layout, {})
    _refuse_open_quote(raw, table, encoding)
    if doubtful := _doubtful(raw, table, layout.delimiter):
        texts = _parse(raw, encoding, layout, dict.fromkeys(doubtful, pa.string()))
        for name in doubtful:
            if _loses_digits(texts.column(name)):
                table = table.set_column(table.column_names.index(name), name, texts.column(name))
    return _tidy(table)


def _refuse_broad(raw: memoryview, delimiter: str, encoding: str) -> None:
    """Unreadable for a first line of more columns than Arrow's reader takes: it would end the process."""
    first, end = 0, len(raw)
    mark = delimiter.encode("utf-8" if encoding == "utf8" else encoding)
    for at in range(0, min(end, _FIRST_LINE), _SAMPLE):
        line, ends, _ = raw[at : at + _SAMPLE].tobytes().partition(b"\n")
        first += line.count(mark)
        if first >= MAX_COLUMNS:
            raise Unreadable(f"more than {MAX_COLUMNS:,} columns")
        if ends:
            return


def sniff(head: bytes, encoding: str, path: str, options: Mapping[str, Value]) -> Layout:
    """Return the layout of a text from its first bytes; `delimiter` and `header` in `options` overrule."""
    text = head.decode("utf-8" if encoding == "utf8" else encoding, "replace").removeprefix("\ufeff")
    stated = options.get("delimiter")
    if stated is not None and (not isinstance(stated, str) or len(stated) != 1):
        raise Unreadable("the option delimiter is not one character")
    delimiter = stated or _delimiter(text, path, complete=len(head) < _SAMPLE)
    rows = _rows(text, delimiter, complete=len(head) < _SAMPLE)
    if not rows:
        raise Unreadable("no rows")
    header = options.get("header")
    if header is False or (header is None and not _is_header(rows)):
        return Layout(delimiter, tuple(f"column {number + 1}" for number in range(len(rows[0]))))
    return Layout(delimiter, None)


def _text(data: Any) -> tuple[memoryview, str]:
    raw = memoryview(data)
    head = raw[:_SAMPLE].tobytes()
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw, "utf-16"
    if b"\0" in head:
        raise Unreadable("binary, not text")
    if not head.strip():
        raise Unreadable("no rows")
    if bytes(raw[-1:]) not in (b"\n", b"\r"):
        raw = memoryview(raw.tobytes() + b"\n")  # pyarrow takes a lone header without line end for nothing
    try:
        head[: head.find(b"\n")].decode()
    except UnicodeDecodeError:
        return raw, "latin1"  # a header pyarrow would refuse
    return raw, "utf8"


def _delimiter(text: str, path: str, complete: bool) -> str:
    candidates = ("\t", ",", ";", "|") if path.endswith((".tsv", ".tab")) else _DELIMITERS
    best, fields = candidates[0], 1
    for candidate in candidates:
        widths = {len(row) for row in _rows(text, candidate, complete)}
        if len(widths) == 1 and (width := widths.pop()) > fields:
            best, fields = candidate, width
    return best


def _rows(text: str, delimiter: str, complete: bool, limit: int = 50) -> list[list[str]]:
    lines = text.splitlines(keepends=True)
    found: list[list[str]] = []
    try:
        for row in csv.reader(lines, delimiter=delimiter):
            if row:
                found.append(row)
            if len(found) > limit:
                return found[:limit]
    except csv.Error:
        return found
    return found if complete or len(found) < 2 else found[:-1]


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: different names, none a number. The first may be empty (an index)."""
    first = [cell.strip() for cell in rows[0]]
    if any(_NUMBER.fullmatch(cell) for cell in first):
        return False
    return len(rows) == 1 or all(first[1:])


def _parse(raw: memoryview, encoding: str, layout: Layout, types: Mapping[str, Any]) -> Any:
    quoted = b'"' in bytes(raw[:_SAMPLE]) or b'"' in raw.tobytes()
    return arrow_csv.read_csv(
        pa.BufferReader(pa.py_buffer(raw)),
        read_options=arrow_csv.ReadOptions(
            encoding=encoding, column_names=list(layout.names) if layout.names else None, block_size=1 << 23
        ),
        parse_options=arrow_csv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=quoted),
        convert_options=arrow_csv.ConvertOptions(
            null_values=list(MISSING_WORDS),
            true_values=["true", "True", "TRUE"],
            false_values=["false", "False", "FALSE"],
            column_types=dict(types),
            include_columns=list(types),  # none: all of them
        ),
    )


def _refuse_open_quote(raw: memoryview, table: Any, encoding: str) -> None:
    """Unreadable when the last field begins with a quote that nothing closes: it has swallowed the rest."""
    if not table.num_rows or not pa.types.is_string(table.schema.types[-1]):
        return
    value = (table.column(table.num_columns - 1)[-1].as_py() or "").encode("utf-8" if encoding == "utf8" else encoding)
    tail = bytes(raw[-len(value) - 4 :]).rstrip(b"\r\n") if len(value) < 1 << 20 else b'"'
    if tail.endswith(b'"' + value.rstrip(b"\r\n")) and not tail.endswith(b'""'):
        raise Unreadable("a quote is opened and never closed")


def _doubtful(raw: memoryview, table: Any, delimiter: str) -> list[str]:
    """Return the number columns whose text might say more than their numbers."""
    whole = [field.name for field in table.schema if pa.types.is_integer(field.type)]
    found = whole if whole and _zero_leads(raw, delimiter) else []
    for field in table.schema:
        if pa.types.is_floating(field.type):
            chunks = [fixed(chunk, np.float64, 0.0) for chunk in table.column(field.name).chunks]
            if any(bool((np.isfinite(part) & (np.abs(part) >= _EXACT)).any()) for part in chunks):
                found.append(field.name)
    return found


def _zero_leads(raw: memoryview, delimiter: str) -> bool:
    """Whether some cell starts with 0 and another digit. A regular expression takes 20 times as long."""
    data = np.frombuffer(raw, dtype=np.uint8)
    starts = np.zeros(256, dtype=bool)
    starts[list(b'\n\r"-' + delimiter.encode("latin-1", "replace"))] = True
    for begin in range(0, max(len(data) - 1, 1), _STEP):
        part = data[max(begin - 1, 0) : begin + _STEP + 1]
        zeros = np.flatnonzero(part[:-1] == ord("0"))
        zeros = zeros[(part[zeros + 1] >= ord("0")) & (part[zeros + 1] <= ord("9"))]
        if starts[part[np.maximum(zeros - 1, 0)]].any():
            return True
    return False


def _loses_digits(texts: Any) -> bool:
    long_or_padded = pc.match_substring_regex(texts, r"^\s*-?(0\d+|[1-9]\d{15,})\s*$")
    return bool(pc.any(long_or_padded).as_py())


def _tidy(table: Any) -> Any:
    """Return the table with whole doubles as int64, and nothing where a text is empty."""
    for number, field in enumerate(table.schema):
        column = table.column(number)
        if pa.types.is_floating(field.type) and is_whole(column):
            column = column.cast(pa.int64())
        elif pa.types.is_string(field.type):
            column = pc.if_else(pc.binary_length(column).cast(pa.bool_()), column, no_value(field.type))
        else:
            continue
        table = table.set_column(number, field.name, column)
    return table


def is_whole(column: Any) -> bool:
    """Whether a float column holds nothing but whole numbers that int64 holds exactly (and nulls)."""
    for chunk in column.chunks:
        for begin in range(0, len(chunk), BLOCK):
            part = fixed(chunk.slice(begin, BLOCK), np.float64, 0.0)
            if not ((np.trunc(part) == part) & (np.abs(part) < _EXACT)).all():
                return False
    return True
