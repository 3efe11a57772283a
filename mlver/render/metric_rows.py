"""Metrics of two commits beside each other: one table for `diff`, `promote` and `metrics diff`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line
from mlver.render.values import UNKNOWN, number, signed

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.common import MetricDelta

_LABELS = {"better": "better", "worse": "worse", "changed": "changed"}
_WORDS = {"incomparable": ("not ranked", "warning")}
_NAMED = 8  # more that are the same are counted
_TIMES = 100.0  # above which nobody cares how many times the usual variation


def metric_blocks(metrics: Sequence[MetricDelta], most: int | None = None) -> list[Piece]:
    """One block per dataset: name, old, new, arrow and delta, verdict, sample sizes.

    What is the same is only named, or counted. With `most`, so many rows of what differs are shown in all.
    """
    blocks: list[Piece] = []
    told = [metric for metric in metrics if metric.verdict != "same"]
    shown = told[:most]
    for dataset in dict.fromkeys(metric.dataset for metric in metrics):
        rows = [_row(metric) for metric in shown if metric.dataset == dataset]
        same = [m for m in metrics if m.dataset == dataset and m.verdict == "same"]
        if not rows and not same:
            continue
        on: list[Part] = [("  on ", "quiet"), (dataset, "path")] if dataset else []
        blocks.append(line(("metrics", "kind"), *on))
        if rows:
            blocks.append(indented(Columns(rows, right=(1, 3, 4), grow=0)))
        if same:
            names = ", ".join(metric_name(metric.name, metric.slice) for metric in same)
            count = f"{len(same)} " if len(same) > _NAMED else ""
            blocks.append(indented(line((f"{count}the same: {names}", "quiet"))))
    for note in dict.fromkeys(metric.note for metric in shown if metric.note):
        beware = "" if note.startswith("not comparable") else "beware: "
        blocks.append(indented(line((f"{beware}{note}", "warning"), wrap=True)))
    if len(shown) < len(told):
        blocks.append(indented(line((f"… {len(told) - len(shown)} more that differ (mlver metrics diff)", "quiet"))))
    return blocks


def metric_name(name: str, slice: str) -> str:
    """Return `recall` or `recall{clinic=C}`."""
    return f"{name}{{{slice}}}" if slice else name


def slices_beside(cells: Mapping[tuple[str, str], str], sizes: Mapping[str, str] | None = None) -> Columns:
    """Lay out (metric, slice) -> text with metrics below each other and slices beside each other.

    `sizes` tells of each slice how many rows it has.
    """
    slices = list(dict.fromkeys(slice for _, slice in cells))
    rows: list[list[Part | None]] = [
        [name, *(cells.get((name, slice), "") for slice in slices)] for name in dict.fromkeys(name for name, _ in cells)
    ]
    if sizes:
        rows.insert(0, [("n", "quiet"), *((sizes.get(slice, ""), "quiet") for slice in slices)])
    return Columns(rows, head=("", *(slice or "all" for slice in slices)), right=range(1, len(slices) + 1), grow=0)


def _row(metric: MetricDelta) -> list[Part | None]:
    label = _LABELS.get(metric.verdict, "quiet")
    old, new = values_text(metric)
    return [
        metric_name(metric.name, metric.slice) + (" (estimate)" if metric.estimate else ""),
        (old, "quiet" if old == UNKNOWN else ""),
        ("→", "quiet"),
        (new, "quiet" if new == UNKNOWN else label if metric.verdict in _LABELS else ""),
        (delta_text(metric.delta), label),
        _WORDS.get(metric.verdict, (metric.verdict, label)),
        (", ".join(filter(None, (_sizes(metric), _usual(metric)))), "quiet"),
    ]


def values_text(metric: MetricDelta) -> tuple[str, str]:
    """Return both values; the side that never had one is empty, one not known yet is `unknown`."""
    old = "" if metric.verdict == "new" else number(metric.old)
    return old, "" if metric.verdict == "gone" else number(metric.new)


def delta_text(delta: float | None) -> str:
    """Return `↓ -0.625` or `↑ +0.1`; nothing when there is no difference to speak of."""
    if not delta or delta != delta:
        return ""
    return f"{'↑' if delta > 0 else '↓'} {signed(delta)}"


def _sizes(metric: MetricDelta) -> str:
    if metric.old_n is None and metric.new_n is None:
        return ""
    if metric.old_n == metric.new_n or metric.verdict in ("new", "gone"):
        return f"n {number(metric.old_n if metric.verdict == 'gone' else metric.new_n)}"
    old, new = ("?" if n is None else number(n) for n in (metric.old_n, metric.new_n))
    return f"n {old} → {new}"


def _usual(metric: MetricDelta) -> str:
    """Return the size of a move against how much the metric usually varies: `8× usual`."""
    if metric.usual is None:
        return ""
    times = f"{metric.usual:.0f}" if metric.usual >= 10 else f"{metric.usual:.1f}"
    return f"{times}× usual" if metric.usual < _TIMES else f"> {_TIMES:.0f}× usual"
