"""Pages of `promote`, `rollback` and `deployed`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlver.render.diff import stat_lines
from mlver.render.lines import Columns, Part, indented, line, paragraphs, whole
from mlver.render.log import seal_part
from mlver.render.metric_rows import metric_blocks, metric_name
from mlver.render.values import brief, end, lasted, many, number, size, span, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.deployed import DeployedResult, LedgerResult
    from mlver.verbs.promote import MoveResult

_METRICS = 8


_EVIDENCE = 8  # values named, those of everybody before those of a slice


def stage_name(stage: str, scope: str) -> str:
    """Return `prod`, or `prod/clinic=C`."""
    return f"{stage}/{scope}" if scope else stage


def move_page(result: MoveResult) -> Piece:
    """What is live now and was before, what that changes, where it is served from."""
    return paragraphs(_move(result), _about(result), _changes(result), metric_blocks(result.metrics, _METRICS))


def _move(result: MoveResult) -> list[Piece]:
    name = (stage_name(result.stage, result.scope), "stage")
    if not result.changed:
        return [line(name, " has ", (result.new.short, "id"), f" already: {result.new_subject}; nothing moved")]
    verb = "would be" if result.dry_run else "is now"
    rows: list[list[Part | None]] = []
    if result.old:
        rows.append([("was", "quiet"), (result.old.short, "id"), result.old_subject or ""])
    share = "" if result.percent == 100 else f" ({result.percent} % of the traffic)"
    rows.append([(verb, "quiet" if result.dry_run else "good"), (result.new.short, "id"), result.new_subject + share])
    return [line(name), indented(Columns(rows))]


def _about(result: MoveResult) -> list[Piece]:
    lines: list[Piece] = []
    if result.unhealthy:
        lines += [line(("passed over: ", "warning"), text, wrap=True) for text in result.unhealthy]
    if result.mixed:
        lines.append(line(("mixed: ", "warning"), result.mixed, wrap=True))
    files = f"{many(result.files, 'file')}, {size(result.bytes)}"
    if result.dry_run and result.changed:
        lines.append(line((f"{files}, {size(result.bytes_written)} to write; nothing moved (dry run)", "quiet")))
    elif result.changed:
        written = size(result.bytes_written) + " written" if result.bytes_written else "on disk already"
        lines.append(line((f"{files}, {written}, in {lasted(result.seconds)}", "quiet")))
        lines.append(whole(("served from ", "quiet"), (result.path, "path")))
    for text in result.refused:
        lines.append(line(("would be refused: ", "warning"), text, wrap=True))
    return lines


def _changes(result: MoveResult) -> list[Piece]:
    if result.diff is None or not result.changed:
        return []
    return stat_lines(result.diff)


def deployed_page(result: DeployedResult) -> Piece:
    """What is live, since when, by whom and why; where it is served from."""
    name = stage_name(result.stage, result.scope)
    time = f"since {when(result.since)}" if result.until is None else span(result.since, result.until)
    lines: list[Piece] = [
        line((name, "stage"), "  ", (result.commit.short, "id"), f"  {result.subject}", wrap=True),
        indented(
            line(
                time,
                "" if result.percent == 100 else f", {result.percent} % of the traffic",
                f", {result.action} by ",
                (who(result.actor), "who"),
                f": {result.reason}" if result.reason else "",
                wrap=True,
            )
        ),
    ]
    if said := _evidence(result.evidence):
        lines.append(indented(line(("on the evidence of ", "quiet"), said, wrap=True)))
    if result.signed is not None:
        lines.append(indented(line(("signed ", "quiet"), seal_part(result.signed), wrap=True)))
    if result.path:
        lines.append(indented(whole(("served from ", "quiet"), (result.path, "path"))))
    return paragraphs(lines)


def _evidence(evidence: Any) -> str:
    """What was known when the move was made; metrics as `recall{clinic=C} 0.375`."""
    if not isinstance(evidence, Mapping):
        return "" if evidence is None else brief(evidence, 300)
    rest = {key: value for key, value in evidence.items() if value and key not in ("metrics", "gate", "override")}
    metrics = evidence.get("metrics") or ()
    overall = [metric for metric in metrics if not (isinstance(metric, Mapping) and metric.get("slice"))] or metrics
    names = Counter(_metric_name(metric) for metric in overall)
    told = [_metric(metric, where=names[_metric_name(metric)] > 1) for metric in overall[:_EVIDENCE]]
    if len(metrics) > len(told):
        told.append(f"… {len(metrics) - len(told)} more")
    return ", ".join([*told, *_gate(evidence), *([brief(rest, 300)] if rest else [])])


def _gate(evidence: Mapping[str, Any]) -> list[str]:
    """What the gate said: `gate met (3)`, or what was passed over, and how."""
    rows = [row for row in evidence.get("gate") or () if isinstance(row, Mapping)]
    if not rows:
        return []
    failed = list(dict.fromkeys(str(row.get("requirement", "")) for row in rows if row.get("state") != "met"))
    if not failed:
        return [f"gate met ({len(rows)})"]
    return [f"gate passed over ({evidence.get('override', 'override')}): {', '.join(failed)}"]


def _metric_name(metric: Any) -> str:
    if not isinstance(metric, Mapping) or "name" not in metric:
        return ""
    return metric_name(str(metric["name"]), str(metric.get("slice") or ""))


def _metric(metric: Any, *, where: bool) -> str:
    if not (name := _metric_name(metric)):
        return brief(metric)
    on = f" on {metric['dataset']}" if where and metric.get("dataset") else ""
    return f"{name} {number(metric.get('value'))}{on}"


def ledger_page(result: LedgerResult) -> Piece:
    """One row per entry, newest first."""
    if not result.entries:
        return line("nothing was ever promoted")
    rows: list[list[Part | None]] = []
    for entry in result.entries:
        until: Part = ("live", "good") if entry.until is None else end(entry.since, entry.until)
        rows.append(
            [
                (stage_name(entry.stage, entry.scope), "stage"),
                (entry.commit.short, "id"),
                when(entry.since),
                until,
                (who(entry.actor), "who"),
                _why(entry),
            ]
        )
    return Columns(rows, head=("stage", "commit", "since", "until", "who", "why"), grow=5, wrap=(5,))


def _why(entry: DeployedResult) -> Part:
    action = entry.action if entry.percent == 100 else f"{entry.action} {entry.percent} %"
    said = f"{action}: {entry.reason}" if entry.reason else action
    told = "; ".join([said, *(_gate(entry.evidence) if isinstance(entry.evidence, Mapping) else [])])
    return told if entry.signed is None else line(f"{told}; signed ", seal_part(entry.signed), wrap=True)
