"""Pages of `metrics` and `note`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.metric_rows import metric_blocks, metric_name, slices_beside
from mlver.render.values import UNKNOWN, number, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.metrics import MetricsDiffResult, MetricsResult, MetricValue
    from mlver.verbs.note import NotesResult

_SLICES = 6  # more do not fit beside each other


def metrics_page(result: MetricsResult) -> Piece:
    """Values of one commit, one block per dataset."""
    about = f"  as known at {when(result.as_of)}" if result.as_of else ""
    head = line((result.commit.short, "id"), f"  {result.subject}", (about, "warning"))
    if not result.values:
        return paragraphs(head, line("no metrics are known"))
    blocks: list[Piece] = []
    for dataset in dict.fromkeys(value.dataset for value in result.values):
        values = [value for value in result.values if value.dataset == dataset]
        on: list[Part] = [("on ", "quiet"), (dataset, "path")] if dataset else [("metrics", "kind")]
        if not result.history and _is_matrix(values):
            about = f"  as of {when(values[0].as_of)} by {who(values[0].by)}"
            blocks += [line(*on, (about, "quiet")), indented(_matrix(values))]
        else:
            blocks += [line(*on), indented(_list(values, result.history))]
    return paragraphs(head, blocks)


def _is_matrix(values: Sequence[MetricValue]) -> bool:
    """Whether the values are several metrics of several slices, all learned at once."""
    slices, names = ({getattr(value, field) for value in values} for field in ("slice", "name"))
    kinds = {(value.as_of, value.by, value.window, value.estimate) for value in values}
    return 2 <= len(slices) <= _SLICES and len(names) > 1 and len(kinds) == 1 and not values[0].estimate


def _matrix(values: Sequence[MetricValue]) -> Piece:
    """Metrics below each other, slices beside each other."""
    cells = {(value.name, value.slice): number(value.value) for value in values}
    sizes = {value.slice: number(value.n) for value in values if value.n is not None}
    return slices_beside(cells, sizes)


def _list(values: Sequence[MetricValue], history: bool) -> Piece:
    """One row per value; in a history also when it became known."""
    rows: list[list[Part | None]] = []
    for value in values:
        text = number(value.value)
        window = f" over {value.window}" if value.window else ""
        kind = " (estimate)" if value.estimate else ""
        row: list[Part | None] = [metric_name(value.name, value.slice) + window + kind]
        row += [(text, "warning" if text == UNKNOWN else "head"), ("" if value.n is None else number(value.n), "quiet")]
        row += [("" if value.value is None else when(value.as_of), "quiet"), (who(value.by), "who")]
        rows.append([*row, (when(value.known), "quiet")] if history else row)
    head = ("metric", "value", "n", "as of", "by", *(["known"] if history else []))
    return Columns(rows, head=head, right=(1, 2), grow=0)


def metrics_diff_page(result: MetricsDiffResult) -> Piece:
    """Two commits beside each other, worst first."""
    head = line((result.old.short, "id"), (" → ", "quiet"), (result.new.short, "id"))
    blocks = metric_blocks(result.metrics) or [line("no metrics are known of either")]
    if result.left:
        blocks.append(line((f"… {result.left} more that differ (without --top)", "quiet")))
    return paragraphs(head, blocks)


def notes_page(result: NotesResult) -> Piece:
    """One note after the other, newest first."""
    if not result.notes:
        return line("no notes")
    blocks: list[list[Piece]] = []
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
