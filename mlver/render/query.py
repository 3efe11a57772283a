"""Pages of `query` and `search`: tables, CSV, Markdown, and hits with what matched."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mlver.objects.result import jsonable
from mlver.objects.time import parse_time
from mlver.render.cells import cells
from mlver.render.layout import Line, Piece, Row
from mlver.render.lines import Columns, Part, as_is, blank, indented, line, paragraphs, safe, whole
from mlver.render.markdown import table
from mlver.render.values import many, when, who

if TYPE_CHECKING:
    from mlver.verbs.query import QueryPathResult, QueryResult, QuerySchemaResult, TableInfo
    from mlver.verbs.search import Hit, SearchResult

_ID = re.compile(r"[0-9a-f]{64}")
_SHORT = 10  # digits of an id
_HEX = re.compile(r"[0-9a-f]+")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_LONGEST = 300  # characters of a cell that has a line of its own
_LEAST = 20  # characters that the widest column keeps
_MARKED = re.compile("\x02(.*?)\x03", re.DOTALL)
_WIDEST = 60  # characters of a cell, so that one long text does not push all others aside


class _Answer(Piece):
    """Rows in columns where they fit; in a narrower place one column a line, row by row."""

    def __init__(self, result: QueryResult) -> None:
        self._columns = result.columns
        self._rows = [[_text(row[name]) for name in result.columns] for row in result.rows]
        self._right = [
            index
            for index, name in enumerate(result.columns)
            if all(isinstance(row[name], (int, float, type(None))) for row in result.rows)
        ]
        columns = [[name, *(row[i] for row in self._rows)] for i, name in enumerate(result.columns)]
        self._widths = [min(max(map(cells, column)), _WIDEST) for column in columns]

    def rows(self, width: int) -> Iterator[Row]:
        """Yield the rows of columns, or of one block for each row."""
        grow = self._widths.index(max(self._widths))
        others = sum(self._widths) - self._widths[grow] + 2 * (len(self._widths) - 1)
        if others + min(self._widths[grow], _LEAST) <= width:
            rows: list[list[Part | None]] = [[_part(text) for text in row] for row in self._rows]
            yield from Columns(rows, head=self._columns, right=self._right, grow=grow).rows(width)
            return
        for place, row in enumerate(self._rows):
            if place:
                yield from blank().rows(width)
            pairs: list[list[Part | None]] = [
                [(name, "quiet"), _part(text, whole=True)]
                for name, text in zip(self._columns, row, strict=True)
                if text
            ]
            yield from Columns(pairs, wrap=(1,)).rows(width)


def query_page(result: QueryResult) -> Piece:
    """The rows; ids and times shortened, numbers to the right."""
    foot = None
    if not result.rows:
        return line(("no rows", "quiet"))
    if result.more:
        foot = line((f"… more than {many(len(result.rows), 'row')} (--limit N)", "quiet"))
    return paragraphs([_Answer(result), *([foot] if foot else [])])


def _part(text: str, *, whole: bool = False) -> Part:
    if len(text) == _SHORT and _HEX.fullmatch(text):
        return (text, "id")
    most = _LONGEST if whole else _WIDEST
    return text if len(text) <= most else text[: most - 1] + "…"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.10g}"
    text = str(value)
    if _ID.fullmatch(text):
        return text[:_SHORT]
    if _TIME.fullmatch(text):
        return when(parse_time(text))
    return " ".join(text.split())


def query_csv(result: QueryResult) -> str:
    """The rows as CSV, with a header; ids whole, null as nothing."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(result.columns)
    writer.writerows([jsonable(row[name]) for name in result.columns] for row in result.rows)
    return stream.getvalue()


def query_markdown(result: QueryResult) -> Line:
    """The rows as a table in Markdown; everything in it is escaped."""
    rows = [[_text(row[name]) for name in result.columns] for row in result.rows]
    return as_is("\n".join(table(result.columns, rows)))


def first_column(result: QueryResult) -> list[Any]:
    """The first value of each row, ids whole."""
    return [jsonable(next(iter(row.values()), "")) for row in result.rows]


def path_page(result: QueryPathResult) -> Piece:
    """The path alone, whole: it is meant for another program."""
    return whole(str(result.path))


def schema_page(result: QuerySchemaResult) -> Piece:
    """Each table with its columns."""
    return paragraphs(*(_table(table) for table in result.tables))


def schema_markdown(result: QuerySchemaResult) -> Line:
    """Each table as a heading and a table of its columns."""
    lines: list[str] = []
    for one in result.tables:
        rows = [f"| `{name}` | {kind.lower()} | {said} |" for name, kind, said in one.columns]
        lines += ["", f"### {one.name}", "", one.about, "", "| column | type | meaning |", "| --- | --- | --- |", *rows]
    return as_is("\n".join(lines[1:]))


def _table(table: TableInfo) -> list[Piece]:
    rows: list[list[Part | None]] = [
        [(name, "unit"), (kind.lower(), "quiet"), said] for name, kind, said in table.columns
    ]
    head = line((table.name, "head"), f"  {table.about}", wrap=True)
    return [head, indented(Columns(rows, wrap=(2,)))]


def search_page(result: SearchResult) -> Piece:
    """Each hit in two lines: where it stands, and the part that matched."""
    blocks: list[list[Piece]] = [_hit(hit) for hit in result.hits]
    lines: list[Piece] = [one for block in blocks for one in block]
    if not lines:
        lines = [line(f"nothing holds {result.words}", wrap=True)]
    if result.more:
        lines.append(line(("… more (-n N)", "quiet")))
    return paragraphs(lines)


def _hit(hit: Hit) -> list[Piece]:
    head: list[Part] = [(when(hit.at), "when"), "  ", (hit.source, "kind")]
    head += [" ", (hit.about, "path")] if hit.about else []
    head += ["  ", (hit.commit.short, "id")] if hit.commit else []
    head += ["  ", (who(hit.by), "who")] if hit.by else []
    parts: list[Part] = []
    for place, piece in enumerate(_MARKED.split(hit.snippet)):
        text = " ".join(safe(piece.replace("\n", " ")).split(" "))
        parts.append((text, "head") if place % 2 else text)
    return [line(*head), indented(line(*parts, wrap=True), 4)]
