"""Pages of `metrics` list, log, matrix, age and show --by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.metric_rows import metric_name
from mlver.render.values import UNKNOWN, day, delay, many, number, when, who

if TYPE_CHECKING:
    from mlver.objects.ids import CommitId
    from mlver.render.layout import Piece
    from mlver.verbs.metric_grid import AgeResult, AgeRow, GridCell, GridColumn, GridResult
    from mlver.verbs.metric_groups import MetricGroupsResult
    from mlver.verbs.metric_list import ListedMetric, MetricListResult
    from mlver.verbs.metric_log import LoggedValue, MetricLogResult

_NONE = "not evaluated"
_WORDED = 3  # columns beside each other in which the words fit
_COLUMNS = 6


def list_page(result: MetricListResult) -> Piece:
    """One row per metric, then the slices that are defined."""
    if not result.metrics:
        return line("no metric is defined or recorded (mlver metrics define, mlver metrics add)")
    rows = [_listed(metric) for metric in result.metrics]
    table = Columns(rows, head=("metric", "better", "owner", "last", "values", "means"), right=(3, 4), grow=5)
    slices: list[Piece] = []
    if result.slices:
        named: list[list[Part | None]] = [[s.name, s.predicate, (who(s.owner), "who")] for s in result.slices]
        slices = [line(("slices", "head")), indented(Columns(named, grow=1))]
    return paragraphs([table], slices)


def _listed(metric: ListedMetric) -> list[Part | None]:
    known = metric.definition
    meaning = ", ".join(filter(None, (known.formula, known.unit, known.window, known.description))) if known else ""
    last = "" if metric.last_known is None else number(metric.last)
    if metric.last_slice:
        last += f" {{{metric.last_slice}}}"
    means: Part = (meaning, "") if known else ("not defined", "warning")
    name: Part = (metric.name, "head" if known and known.product else "")
    owner = who(known.owner) if known else ""
    return [name, (metric.direction or "", "quiet"), (owner, "who"), last, number(metric.values), means]


def log_page(result: MetricLogResult) -> Piece:
    """One row per value, newest first; then the median of the label delays."""
    if not result.values:
        return line(f"no value of {result.name} was ever recorded")
    blocks: list[Piece] = []
    sliced = len({item.value.slice for item in result.values}) > 1
    for dataset in dict.fromkeys(item.value.dataset for item in result.values):
        rows = [_logged(item, sliced) for item in result.values if item.value.dataset == dataset]
        head = ("known", "delay", "slice", "value", "n", "of", "", "by")
        shown = [i for i in range(len(head)) if any(row[i] not in ("", ("", "quiet")) for row in rows)]
        on: list[Part] = [("on ", "quiet"), (dataset, "path")] if dataset else [("on data nobody named", "quiet")]
        right = [place for place, i in enumerate(shown) if i in (1, 3, 4)]
        table = Columns(
            [[row[i] for i in shown] for row in rows], head=[head[i] for i in shown], right=right, grow=len(shown) - 2
        )
        blocks += [line(*on), indented(table)]
    tail: list[Piece] = []
    if result.median_delay is not None:
        tail.append(line(f"labels came {delay(result.median_delay)} after going live, at the median"))
    if result.more:
        tail.append(line(("… older ones are left out", "quiet")))
    return paragraphs(blocks, tail)


def _logged(item: LoggedValue, sliced: bool) -> list[Part | None]:
    value = item.value
    text = number(value.value)
    name = (value.slice or "all") + (" (estimate)" if value.estimate else "")
    return [
        when(value.known),
        (delay(item.delay) if item.delay and item.live else "", "quiet"),
        name if sliced or value.estimate else "",
        (text, "warning" if text == UNKNOWN else "head"),
        ("" if value.n is None else number(value.n), "quiet"),
        (value.commit.short, "id"),
        (item.subject or "not here") + (f" ({item.version})" if item.version and item.version != "v1" else ""),
        (who(value.by), "who"),
    ]


def matrix_page(result: GridResult) -> Piece:
    """Models below each other, versions of data beside each other."""
    name = metric_name(result.name, result.slice)
    if not result.columns:
        return line(f"{name} was never measured on a named dataset (mlver metrics backfill {result.name} --on PATH)")
    if not result.rows:
        return line("no commit brought a model, was live or is tagged")
    first = max(0, len(result.columns) - _COLUMNS)
    columns = result.columns[first:]
    rows: list[list[Part | None]] = []
    for row in result.rows:
        cells = [_cell(cell, len(columns) <= _WORDED) for cell in row.cells[first:]]
        rows.append([(row.commit.short, "id"), _called(row.commit, row.subject, row.refs), *cells])
    head = ("", "", *(_short(column, result.columns) for column in columns))
    notes: list[Piece] = []
    if len(columns) > _WORDED and any(cell.state == _NONE for row in result.rows for cell in row.cells):
        notes.append(line((f"– is {_NONE}", "quiet")))
    if first:
        notes.append(line((f"… {many(first, 'older version')} to the left (--on, --json)", "quiet")))
    if any(cell.redefined for row in result.rows for cell in row.cells):
        notes.append(line(("* measured by another definition than that of mlver.toml now", "warning")))
    told = [line((f"{_short(c, result.columns)}: ", "quiet"), *_about(c)) for c in columns]
    table = Columns(rows, head=head, right=range(2, 2 + len(columns)), grow=1)
    return paragraphs(line((name, "head"), " by model and version of the data"), [table], [*notes, *told])


def _about(column: GridColumn) -> list[Part]:
    used = f", decided {many(column.uses, 'promotion')}" if column.uses else ""
    return [(column.dataset, "path"), f" since {day(column.since)}{used}"]


def _short(column: GridColumn, columns: Sequence[GridColumn]) -> str:
    """Return `static v1`: the file's name when there are several, and the version."""
    if len({c.dataset for c in columns}) == 1:
        return column.version
    return f"{column.dataset.rpartition('/')[2].partition('.')[0]} {column.version}"


def _called(commit: CommitId, subject: str, refs: Sequence[str]) -> str:
    names = [ref for ref in refs if ref != "HEAD"]
    return f"{subject} ({', '.join(names[:2])})" if names else subject


def _cell(cell: GridCell, worded: bool) -> Part:
    if cell.state == _NONE:
        return (_NONE if worded else "–", "quiet")
    if cell.state == UNKNOWN:
        return (UNKNOWN, "warning")
    return number(cell.value) + ("*" if cell.redefined else "")


def age_page(result: AgeResult) -> Piece:
    """One block per model: the age of the data and the value on it."""
    name = metric_name(result.name, result.slice)
    if not result.rows:
        return line(f"{name} was never measured on a named dataset (mlver metrics backfill {result.name} --on PATH)")
    blocks: list[list[Piece]] = []
    for commit in dict.fromkeys(row.commit for row in result.rows):
        ages = [row for row in result.rows if row.commit == commit]
        head = line((commit.short, "id"), f"  {_called(commit, ages[0].subject, ages[0].refs)}", _since(ages[0]))
        rows = [_aged(row) for row in ages]
        table = Columns(rows, head=("age", "value", "n", "data"), right=(0, 1, 2), grow=3)
        blocks.append([head, indented(table)])
    return paragraphs(line((name, "head"), " by the age of the data, counted from the model"), *blocks)


def _since(row: AgeRow) -> Part:
    return (f"  model of {day(row.trained)}", "quiet")


def _aged(row: AgeRow) -> list[Part | None]:
    n = "" if row.cell.n is None else number(row.cell.n)
    data = f"{row.dataset} {row.version}"
    return [f"{row.days:+.0f} d", _cell(row.cell, True), (n, "quiet"), (data, "path")]


def groups_page(result: MetricGroupsResult) -> Piece:
    """One row per group; then of which data people used different versions."""
    if not result.groups:
        return line("no metrics were recorded")
    rows: list[list[Part | None]] = [
        [*group.by.values(), number(group.values), number(group.commits), (when(group.last), "quiet")]
        for group in result.groups
    ]
    count = len(result.fields)
    head = (*result.fields, "values", "commits", "last")
    differ: list[Piece] = []
    if result.differ:
        differ = [line(("not the same data for everybody:", "warning"))]
        differ += [indented(line(text, wrap=True)) for text in result.differ]
    elif "author" in result.fields and "dataset" in result.fields:
        differ = [line(("everybody last measured on the same versions", "quiet"))]
    return paragraphs([Columns(rows, head=head, right=(count, count + 1), grow=0)], differ)
