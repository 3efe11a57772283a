"""The small tables kinds add to a diff: schema, drift, arrays that moved, lines of code, metric values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlver.render.lines import Columns, Part, indented, line
from mlver.render.metric_rows import delta_text
from mlver.render.units import common_prefix
from mlver.render.values import number

if TYPE_CHECKING:
    from mlver.kinds.base import Detail
    from mlver.render.layout import Piece

_LABELS = {word: word for word in ("better", "worse", "added", "removed")} | {"strong": "worse", "moderate": "warning"}


def detail_block(detail: Detail, most: int) -> list[Piece]:
    """The table in at most `most` rows, and how many more there are."""
    if detail.columns == ("sign", "line"):
        return _code(detail, most)
    if detail.columns[-2:] == ("delta", "verdict"):
        return _metrics(detail, most)
    if len(detail.columns) == 1:
        listed = ", ".join(str(row[0]) for row in detail.rows[:most])
        more = f", … {len(detail.rows) - most} more" if len(detail.rows) > most else ""
        return [line((f"{detail.title}: ", "warning"), f"{listed}{more}", wrap=True)]
    rows: list[list[Part | None]] = [[_cell(value) for value in row] for row in detail.rows[:most]]
    title = detail.title
    if title == "arrays":
        names = [str(row[0]) for row in detail.rows[:most]]
        prefix = common_prefix(names)
        rows = [[name.removeprefix(prefix), *row[1:]] for name, row in zip(names, rows, strict=True)]
        title = f"arrays of {prefix.rstrip('.')}" if prefix else title
    right = [i for i in range(len(detail.columns)) if detail.rows and all(_is_number(row, i) for row in detail.rows)]
    wide = max((line(row[0] or "").cell_len for row in rows), default=0)
    fits = len(title) <= max(wide, len(detail.columns[0]))
    head = [title if fits else detail.columns[0], *detail.columns[1:]]
    table = Columns(rows, head=head, right=right, grow=0, tail=(0,) if detail.title == "arrays" else ())
    page: list[Piece] = [table] if fits else [line((title, "quiet")), indented(table)]
    return [*page, *_rest(detail, most)]


def _rest(detail: Detail, most: int) -> list[Piece]:
    left = len(detail.rows) - most
    return [line((f"… {left} more", "quiet"))] if left > 0 else []


def _is_number(row: Sequence[Any], index: int) -> bool:
    return index < len(row) and (
        row[index] is None or (isinstance(row[index], (int, float)) and not isinstance(row[index], bool))
    )


def _cell(value: Any) -> Part:
    if value is None:
        return ""
    text = number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)
    return (text, _LABELS.get(text, ""))


def _code(detail: Detail, most: int) -> list[Piece]:
    labels = {"+": "added", "-": "removed"}
    lines: list[Piece] = []
    for sign, text in detail.rows[:most]:
        lines.append(line((f"{sign} {_tabs(str(text))}", labels.get(sign, "quiet"))))
    left = sum(sign in "+-" for sign, _ in detail.rows[most:])
    return [*lines, *([line((f"… {left} more lines", "quiet"))] if left else [])]


def _tabs(text: str) -> str:
    return text.expandtabs(4)


def _metrics(detail: Detail, most: int) -> list[Piece]:
    rows: list[list[Part | None]] = []
    for name, old, new, delta, verdict in detail.rows[:most]:
        label = _LABELS.get(verdict, "quiet")
        rows.append(
            [name, number(old), ("→", "quiet"), (number(new), label), (delta_text(delta), label), (verdict, label)]
        )
    return [Columns(rows, right=(1, 3, 4), grow=0), *_rest(detail, most)]


def details_block(details: Sequence[Detail], most: int) -> list[Piece]:
    """All tables that add something to the summary, moved to the right."""
    blocks: list[Piece] = []
    for detail in details:
        if detail.title == "cells changed" and len(detail.rows) < 2:
            continue  # the summary names the one column
        blocks += [indented(block) for block in detail_block(detail, most)]
    return blocks
