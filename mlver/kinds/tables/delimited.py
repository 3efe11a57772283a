"""CSV and TSV: delimiter and header found, types by value, and nothing lost on the way to numbers."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import pyarrow as pa
from pyarrow import csv as arrow_csv

from mlver.frozen import frozen
from mlver.kinds.base import Unreadable, Value
from mlver.kinds.tables.lenient import MISSING_WORDS
from mlver.kinds.tables.text_types import seen_in, typed
from mlver.kinds.tables.values import refuse_twins

_DELIMITERS: Final = (",", "\t", ";", "|")
_SAMPLE = 1 << 16
MAX_COLUMNS: Final = 50_000
_FIRST_LINE: Final = 1 << 24  # bytes of it that are looked at
_NUMBER: Final = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*|[-+]?(nan|inf)", re.IGNORECASE)
LATIN: Final = "latin1"
UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


@frozen
class Layout:
    """How the text is cut: the delimiter, and the column names (None: the first row holds them)."""

    delimiter: str
    names: tuple[str, ...] | None


@frozen
class Delimited:
    """Text that is cut by a layout: whole rows, the first with the names unless the layout has them."""

    raw: memoryview
    encoding: str
    layout: Layout

    def parse(self, types: Mapping[str, Any], only: Iterable[str] = ()) -> Any:
        """Return the table, or `only` some columns, under the types of Arrow's reader, those in `types` under these.

        ArrowInvalid when rows differ in length, or a cell is not of the type asked for.
        """
        names = list(self.layout.names) if self.layout.names else None
        return arrow_csv.read_csv(
            pa.BufferReader(pa.py_buffer(self.raw)),
            read_options=arrow_csv.ReadOptions(encoding=self.encoding, column_names=names, block_size=1 << 23),
            parse_options=arrow_csv.ParseOptions(delimiter=self.layout.delimiter, newlines_in_values=self._quoted),
            convert_options=arrow_csv.ConvertOptions(
                null_values=list(MISSING_WORDS),
                true_values=["true", "True", "TRUE"],
                false_values=["false", "False", "FALSE"],
                column_types=dict(types),
                include_columns=list(only),  # none: all of them
            ),
        )

    @cached_property
    def _quoted(self) -> bool:
        return b'"' in bytes(self.raw[:_SAMPLE]) or b'"' in self.raw.tobytes()

    def texts(self, names: Iterable[str]) -> Any:
        """Return the cells of some columns as they are spelled."""
        names = list(names)
        return self.parse(dict.fromkeys(names, pa.string()), names)

    def refuse_open_quote(self, table: Any) -> None:
        """Unreadable when the last field begins with a quote that nothing closes: it has swallowed the rest."""
        if not table.num_rows or not pa.types.is_string(table.schema.types[-1]):
            return
        raw, coding = self.raw, "utf-8" if self.encoding == "utf8" else self.encoding
        value = (table.column(table.num_columns - 1)[-1].as_py() or "").encode(coding)
        tail = bytes(raw[-len(value) - 4 :]).rstrip(b"\r\n") if len(value) < 1 << 20 else b'"'
        if tail.endswith(b'"' + value.rstrip(b"\r\n")) and not tail.endswith(b'""'):
            raise Unreadable("a quote is opened and never closed")


def read_delimited(data: Any, path: str, options: Mapping[str, Value], layout: Layout | None = None) -> Any:
    """Return the table in a buffer of text; Unreadable when rows differ in length or bytes are no text.

    Whole numbers are int64 whatever their spelling (`2`, `2.0`, `2e0`). Digits stay text where a
    number would lose some: leading zeros, and integers that a double can't hold.
    """
    raw, encoding = as_text(data)
    layout = layout or sniff(raw[:_SAMPLE].tobytes(), encoding, path, options)
    refuse_broad(raw, layout.delimiter, encoding)
    text = Delimited(raw, encoding, layout)
    table = text.parse({})
    refuse_twins(table.column_names)
    if encoding == "utf8" and not_utf8(table):
        text = Delimited(raw, LATIN, layout)
        table = text.parse({})
    text.refuse_open_quote(table)
    seen = seen_in(table, raw, layout.delimiter, text.texts)
    return typed(table, {name: one.type for name, one in seen.items()}, text.texts)


def not_utf8(table: Any) -> bool:
    """Whether some column is not text under UTF-8: then all are read as Latin-1."""
    return any(pa.types.is_binary(kind) for kind in table.schema.types)


def refuse_broad(raw: memoryview, delimiter: str, encoding: str) -> None:
    """Unreadable for a first line of more columns than Arrow's reader takes: it would end the process."""
    first, end = 0, len(raw)
    mark = delimiter.encode("utf-8" if encoding == "utf8" else encoding, "replace")
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


def as_text(data: Any) -> tuple[memoryview, str]:
    """Return text and its encoding, of UTF-16 as UTF-8; the last row ends with a line end. Unreadable for no text."""
    raw = memoryview(data)
    if bytes(raw[:2]) in UTF_16:
        raw = memoryview(raw.tobytes().decode("utf-16").encode())
    head = raw[:_SAMPLE].tobytes()
    if b"\0" in head:
        raise Unreadable("binary, not text")
    if not head.strip():
        raise Unreadable("no rows")
    if bytes(raw[-1:]) not in (b"\n", b"\r"):
        raw = memoryview(raw.tobytes() + b"\n")  # pyarrow takes a lone header without line end for nothing
    try:
        head[: head.find(b"\n")].decode()
    except UnicodeDecodeError:
        return raw, LATIN  # a header pyarrow would refuse
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
