"""Rows changed in CSV, TSV and JSON: every line that stays keeps its bytes, and in a changed line every other cell."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlver.kinds.base import CannotEdit, Value
from mlver.kinds.documents.rewrite import rewrite_json
from mlver.kinds.documents.rewrite_flow import json_style, render
from mlver.kinds.documents.spans import json_node
from mlver.kinds.tables.delimited import sniff

if TYPE_CHECKING:
    from mlver.kinds.tables.edit import RowEdits

_SAMPLE = 1 << 16
_MARKS = re.compile(r'["\n]')
_WHOLE = re.compile(r"[-+]?\d+\.0+")


def write_delimited(data: bytes, path: str, options: Mapping[str, Value], table: Any, edits: RowEdits) -> bytes:
    """Return the text of a CSV with its rows changed; CannotEdit where records and rows cannot be told to be one."""
    text = _text(data)
    layout = sniff(data[:_SAMPLE], "utf8", path, options)
    records = _records(text)
    rows = [place for place, record in enumerate(records) if record.strip("\r\n")]
    if layout.names is None:
        rows = rows[1:]
    if len(rows) != table.num_rows:
        raise CannotEdit("lines and rows do not agree")
    columns = table.column_names
    written = bool(edits.cells or edits.new)
    sample = _fields(records[rows[0]], layout.delimiter, len(columns)) if rows and written else [""] * len(columns)
    ending = "\r\n" if records and records[0].endswith("\r\n") else "\n"
    for position, cells in edits.cells.items():
        record = records[rows[position]]
        fields = _fields(record, layout.delimiter, len(columns))
        for name, cell in cells.items():
            at = columns.index(name)
            fields[at] = _cell(cell, fields[at] or sample[at], layout.delimiter)
        records[rows[position]] = layout.delimiter.join(fields) + record[len(record.rstrip("\r\n")) :]
    fresh = [
        layout.delimiter.join(_cell(row.get(name), sample[at], layout.delimiter) for at, name in enumerate(columns))
        for row in edits.new
    ]
    return _laid(records, rows, edits, fresh, ending)


def write_jsonlines(data: bytes, table: Any, edits: RowEdits) -> bytes:
    """Return JSON lines with rows changed."""
    text = _text(data)
    records = text.splitlines(keepends=True) if "\u2028" not in text and "\x85" not in text else _records(text)
    rows = [place for place, record in enumerate(records) if record.strip()]
    if len(rows) != table.num_rows:
        raise CannotEdit("lines and rows do not agree")
    style = json_style(text)
    for position, cells in edits.cells.items():
        record = records[rows[position]]
        old = json.loads(record)
        node = json_node(record)
        new = _updated(old, cells)
        records[rows[position]] = record[: node.start] + render(record, node, old, new, style) + record[node.end :]
    usual = json.loads(records[rows[0]]) if rows else {}
    fresh = [style.dump(_fresh(usual, row), 0, True) for row in edits.new]
    return _laid(records, rows, edits, fresh, "\r\n" if "\r\n" in text else "\n")


def write_json(data: bytes, table: Any, edits: RowEdits) -> bytes:
    """Return a JSON list of records with rows changed."""
    text = _text(data)
    old = json.loads(text)
    if not isinstance(old, list) or len(old) != table.num_rows:
        raise CannotEdit("records and rows do not agree")
    kept = [_updated(row, edits.cells.get(at, {})) for at, row in enumerate(old) if at not in edits.gone]
    return rewrite_json(text, old, [*kept, *(_fresh(old[0] if old else {}, row) for row in edits.new)]).encode()


def _text(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data.startswith(b"\xef\xbb\xbf"):
        raise CannotEdit("it begins with a byte order mark")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise CannotEdit("it is not UTF-8") from None


def _records(text: str) -> list[str]:
    """Return the lines with their ends; a line break between quotes ends none."""
    if '"' not in text:
        lines = text.split("\n")
        found = [f"{line}\n" for line in lines[:-1]]
        return [*found, lines[-1]] if lines[-1] else found
    found, start, quoted = [], 0, False
    for mark in _MARKS.finditer(text):
        if mark[0] == '"':
            quoted = not quoted
        elif not quoted:
            found.append(text[start : mark.end()])
            start = mark.end()
    return [*found, text[start:]] if start < len(text) else found


def _fields(record: str, delimiter: str, count: int) -> list[str]:
    """Return the cells of a record as they are written, with their quotes."""
    mark = re.escape(delimiter)
    line = record.rstrip("\r\n")
    found = re.findall(rf'(?:^|(?<={mark}))("(?:[^"]|"")*"|[^{mark}]*)(?={mark}|$)', line)
    if len(found) != count or delimiter.join(found) != line:
        raise CannotEdit("a row of an unusual shape")
    return list(found)


def _cell(value: Value, like: str, delimiter: str) -> str:
    """Return a value as text, spelled as another cell of its column is."""
    if value is None:
        return ""
    if isinstance(value, bool):
        said = str(value)
        return said.upper() if like.isupper() else said if like[:1].isupper() else said.lower()
    if isinstance(value, (dict, list)):
        raise CannotEdit("a list or map in a cell")
    said = str(value)
    if isinstance(value, int) and _WHOLE.fullmatch(like):
        said += like[like.index(".") :]
    if isinstance(value, str) and said[10:11] == "T" and like[10:11] == " ":
        said = f"{said[:10]} {said[11:]}"
    quoted = any(mark in said for mark in (delimiter, '"', "\n", "\r")) or like.startswith('"')
    return '"' + said.replace('"', '""') + '"' if quoted else said


def _laid(records: list[str], rows: Sequence[int], edits: RowEdits, fresh: list[str], ending: str) -> bytes:
    gone = {rows[position] for position in edits.gone}
    kept = [record for place, record in enumerate(records) if place not in gone]
    closed = not records or records[-1].endswith("\n")
    if fresh:
        if kept and not kept[-1].endswith("\n"):
            kept[-1] += ending
        kept += [line + ending for line in fresh]
    text = "".join(kept)
    return (text if closed else text.removesuffix(ending)).encode()


def _updated(old: dict[str, Value], cells: Mapping[str, Value]) -> dict[str, Value]:
    """Return a record with cells set; one that has no value and was not there stays away."""
    return {**old, **{name: cell for name, cell in cells.items() if cell is not None or name in old}}


def _fresh(usual: Mapping[str, Value], row: Mapping[str, Value]) -> dict[str, Value]:
    """Return a new record; a field without a value is written if another record has that field."""
    return {name: cell for name, cell in row.items() if cell is not None or name in usual}
