"""Pages of `metrics` and `note`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.metric_rows import metric_blocks, metric_name
from mlver.render.values import UNKNOWN, number, when, who

if TYPE_CHECKING:
    from mlver.verbs.metrics import MetricsDiffResult, MetricsResult
    from mlver.verbs.note import NotesResult


def metrics_page(result: MetricsResult) -> RenderableType:
    """Values of one commit, one block per dataset."""
    about = f"  as known at {when(result.as_of)}" if result.as_of else ""
    head = line((result.commit.short, "id"), f"  {result.subject}", (about, "warning"))
    if not result.values:
        return paragraphs(head, line("no metrics are known"))
    blocks: list[RenderableType] = []
    for dataset in dict.fromkeys(value.dataset for value in result.values):
        rows: list[list[Part | None]] = []
        for value in (value for value in result.values if value.dataset == dataset):
            text = number(value.value)
            row: list[Part | None] = [metric_name(value.name, value.slice)]
            row += [
                (text, "warning" if text == UNKNOWN else "head"),
                (f"n {number(value.n)}" if value.n is not None else "", "quiet"),
            ]
            row += [("" if value.value is None else f"as of {when(value.as_of)}", "quiet"), (who(value.by), "who")]
            if result.history and value.known != value.as_of:
                row.append((f"known {when(value.known)}", "quiet"))
            rows.append(row)
        on: list[Part] = [("on ", "quiet"), (dataset, "path")] if dataset else [("metrics", "kind")]
        blocks += [line(*on), indented(Columns(rows, right=(1,), grow=0))]
    return paragraphs(head, blocks)


def metrics_diff_page(result: MetricsDiffResult) -> RenderableType:
    """Two commits beside each other, worst first."""
    head = line((result.old.short, "id"), (" → ", "quiet"), (result.new.short, "id"))
    return paragraphs(head, metric_blocks(result.metrics) or [line("no metrics are known of either")])


def notes_page(result: NotesResult) -> RenderableType:
    """One note after the other, newest first."""
    if not result.notes:
        return line("no notes")
    blocks: list[list[RenderableType]] = []
    for note in result.notes:
        head: list[Part] = [when(note.at), "  ", (who(note.by), "who"), "  ", (note.target, "path")]
        if note.commit and not note.commit.hex().startswith(note.target):
            head += [" ", (note.commit.short, "id")]
        if note.mark:
            head += ["  ", (note.mark, "good" if note.mark == "good" else "bad")]
        if note.ticket:
            head.append((f"  {note.ticket}", "quiet"))
        texts = [indented(line(text, wrap=True)) for text in note.text.split("\n")]
        blocks.append([line(*head), *texts])
    return paragraphs(*blocks)
