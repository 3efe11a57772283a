"""The page of `metrics backfill`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.values import lasted, many, number, size

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.backfill import BackfillResult, BackfillRow

_LABELS = {"recorded": "good", "failed": "bad", "to do": "warning", "done before": "quiet"}
_VALUES = 2


def cost(result: BackfillResult) -> str:
    """Return what is ahead, in one line: how many commits, how much to lay out, how many are done."""
    todo = result.to_do
    done = len(result.rows) - len(todo)
    text = f"{many(len(todo), 'commit')} to measure, {size(sum(row.bytes for row in todo))} to lay out in all"
    return f"{text}; {done} done before" if done else text


def backfill_page(result: BackfillResult) -> Piece:
    """What is measured on what; a row per commit; what failed and why."""
    head = line(", ".join(result.metrics), (" on ", "quiet"), (result.dataset, "path"), f" {result.dataset_id.short}")
    if not result.rows:
        return paragraphs(head, line("no commit to measure: none brought a model, was live or is tagged"))
    blocks: list[Piece] = [Columns([_row(row) for row in result.rows], grow=2)]
    blocks += [
        indented(line((f"{row.commit.short}: ", "id"), row.why or "", wrap=True))
        for row in result.rows
        if row.state == "failed"
    ]
    if result.dry_run:
        return paragraphs(head, blocks, line((f"{cost(result)}; nothing was run", "quiet")))
    seconds = [row.seconds for row in result.rows if row.seconds]
    took = f"{lasted(sum(seconds))}, {lasted(sum(seconds) / len(seconds))} each" if seconds else ""
    return paragraphs(head, blocks, line((took, "quiet")) if took else [])


def _row(row: BackfillRow) -> list[Part | None]:
    told = [f"{name} {number(value)}" for name, value in list(row.values.items())[:_VALUES]]
    more = f" … {len(row.values) - _VALUES} more" if len(row.values) > _VALUES else ""
    said = ", ".join(told) + more if told else size(row.bytes) if row.state == "to do" else ""
    return [(row.state, _LABELS[row.state]), (row.commit.short, "id"), row.subject, said]
