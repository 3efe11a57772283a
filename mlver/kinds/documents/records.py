"""Records: JSON lines and small CSV, each with the line it stands in. Big tables are the business of kind data."""

from __future__ import annotations

import csv
import io
import re

from mlver.kinds.base import Unreadable, Value
from mlver.kinds.documents.json_text import parse_json
from mlver.kinds.documents.reading import line_at

_LINE = re.compile(r"line 1: ")


def parse_lines(text: str) -> list[tuple[int, Value]]:
    """Return (line, value) of every line that is not blank; Unreadable with the line of the first bad one."""
    records = []
    for number, line in enumerate(text.split("\n"), 1):
        if line and not line.isspace():
            try:
                records.append((number, parse_json(line)))
            except Unreadable as error:
                raise Unreadable(f"line {number}: {_LINE.sub('', str(error))}") from None
    return records


def parse_csv(text: str, delimiter: str = ",") -> list[tuple[int, dict[str, str]]]:
    """Return (line, column -> text) of every row; Unreadable when columns repeat or a row has more or fewer."""
    if "\0" in text:
        raise Unreadable(f"line {line_at(text, text.find(chr(0)))}: not CSV: a NUL byte")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[tuple[int, dict[str, str]]] = []
    header: list[str] = []
    line = 1
    try:
        for row in reader:
            if not header:
                header = row
                repeated = sorted({name for name in row if row.count(name) > 1})
                if repeated:
                    raise Unreadable(f"line {line}: duplicate column {repeated[0]}")
            elif row:
                if len(row) != len(header):
                    raise Unreadable(f"line {line}: {len(row)} cells under {len(header)} columns")
                records.append((line, dict(zip(header, row, strict=True))))
            line = reader.line_num + 1
    except csv.Error as error:
        raise Unreadable(f"line {line}: not CSV: {error}") from None
    return records
