"""Pages of `check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, as_is, indented, line, paragraphs
from mlver.render.markdown import escaped, table
from mlver.render.stages import stage_name
from mlver.render.values import number

if TYPE_CHECKING:
    from mlver.render.layout import Line, Piece
    from mlver.verbs.check import CheckResult
    from mlver.verbs.gate import GateRow

_LABELS = {"met": "good", "broken": "bad", "unknown": "warning"}
_MANY_USES = 10  # decisions after which a dataset says less than it seems to


def check_page(result: CheckResult) -> Piece:
    """The commit, a row per requirement, the verdict."""
    name = (stage_name(result.stage, result.scope), "stage")
    head = line((result.commit.short, "id"), f" {result.subject}, for ", name, wrap=True)
    if not result.rows:
        return paragraphs(
            [head, indented(line(f"{result.stage} asks for nothing ([stages.{result.stage}] in mlver.toml)"))]
        )
    rows: list[list[Part | None]] = [
        [(row.state, _LABELS[row.state]), requirement(row), compared(row), row.why] for row in result.rows
    ]
    used = [
        indented(line((f"{use.dataset} has decided {use.times} times: its verdicts wear out", "warning"), wrap=True))
        for use in result.used
        if use.times >= _MANY_USES
    ]
    return paragraphs([head, indented(Columns(rows, grow=3, wrap=(1, 3)))], *([used] if used else []), _verdict(result))


def requirement(row: GateRow) -> str:
    """Return what was asked for; the slice is said where a star stood for it."""
    return f"{row.requirement} ({row.slice})" if row.slice and "*" in row.requirement else row.requirement


def compared(row: GateRow) -> str:
    """Return the value, and of how many samples."""
    if row.value is None:
        return ""
    return number(row.value) + (f" (n {row.n})" if row.n is not None else "")


def _verdict(result: CheckResult) -> Line:
    count = sum(row.state != "met" for row in result.rows)
    if not count:
        return line(("met", "good"), f": all {len(result.rows)}")
    return line((result.state, _LABELS[result.state]), f": {count} of {len(result.rows)} do not hold")


def check_markdown(result: CheckResult) -> Line:
    """The same as a table, for a pull request."""
    name = stage_name(result.stage, result.scope)
    lines = [f"### {escaped(name)}: {result.state}", "", f"`{result.commit.short}` {escaped(result.subject)}", ""]
    rows = [(row.state, requirement(row), compared(row), row.dataset or "", row.why) for row in result.rows]
    lines += table(("state", "requirement", "value", "on", "why"), rows) if rows else ["Nothing is asked for."]
    return as_is("\n".join(lines))
