"""`diff --md`: the same answer for a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mlver.render.diff import ROOM, WORDS, listed_changes, unreadable_text
from mlver.render.lines import as_is, safe
from mlver.render.metric_rows import delta_text, metric_name, values_text
from mlver.render.units import SIGNS, gathered, named, pick, said, units_in
from mlver.render.values import number, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Line
    from mlver.verbs.diff import ArtifactDiff, DiffResult, Side

_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#~"})


def diff_markdown(result: DiffResult) -> Line:
    """Headings, tables and lists; everything from the repository is escaped."""
    lines = [f"### {_side(result.old)} → {_side(result.new)}", ""]
    if result.metrics:
        lines += _metrics(result)
    for artifact in result.artifacts:
        if artifact.change != "rewritten":
            lines += _artifact(artifact)
    if result.environment:
        rows = [(name, old or "none", new or "none") for name, old, new in result.environment]
        lines += ["**environment**", "", *table(("package", "old", "new"), rows), ""]
    for artifact in result.artifacts:
        if artifact.change == "rewritten":
            lines.append(f"- {_code(artifact.path)}: {escaped(artifact.summary)}")
    if result.identical:
        lines.append("No difference.")
    return as_is("\n".join(lines).rstrip("\n"))


def _side(side: Side) -> str:
    if side.commit is None:
        return escaped(side.name)
    name = "" if side.commit.hex().startswith(side.name) else f"{escaped(side.name)} "
    about = f"{who(side.author)}, {when(side.time)}: {side.subject or ''}"
    return f"{name}{_code(side.commit.short)} ({escaped(about)})"


def _metrics(result: DiffResult) -> list[str]:
    rows = [
        (metric_name(m.name, m.slice), *values_text(m), delta_text(m.delta), m.verdict, m.dataset or "")
        for m in result.metrics
    ]
    return ["**metrics**", "", *table(("metric", "old", "new", "delta", "verdict", "on"), rows), ""]


def _artifact(artifact: ArtifactDiff) -> list[str]:
    word = f" {WORDS[artifact.change]}" if artifact.change in WORDS else ""
    was = f" (was {_code(artifact.was)})" if artifact.was else ""
    summary = unreadable_text(artifact) if artifact.unreadable else artifact.summary
    lines = [f"**{artifact.kind}** {_code(artifact.path)}{word}{was}: {escaped(summary)}", ""]
    if artifact.kind == "code":
        for detail in artifact.details:
            body = [f"{sign} {safe(str(text).expandtabs(4))}" for sign, text in detail.rows]
            fence = "`" * max(3, 1 + max((_longest_run(text) for text in body), default=0))
            lines += [f"{fence}diff", *body, fence, ""]
        return lines
    shown = pick(gathered(listed_changes(artifact), artifact.kind), ROOM.get(artifact.kind, 6))
    for change in shown:
        sign, _ = SIGNS[change.change]
        name = f"{_code(change.unit)} " if named(change, artifact.nameless) else ""
        lines.append(f"- {_code(sign)} {name}{escaped(said(change, artifact.kind).plain)}")
    total = artifact.units.added + artifact.units.removed + artifact.units.changed
    if shown and total > units_in(shown):
        lines.append(f"- … {number(total - units_in(shown))} more")
    lines += [""] if shown else []
    for detail in artifact.details:
        rows = [[number(value) if isinstance(value, float) else value for value in row] for row in detail.rows]
        lines += [
            f"<details><summary>{escaped(detail.title)}</summary>",
            "",
            *table(detail.columns, rows),
            "",
            "</details>",
            "",
        ]
    return lines


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Return the lines of a Markdown table; cells are escaped."""
    written = [f"| {' | '.join(escaped(cell) for cell in row)} |" for row in rows]
    return [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *written]


def escaped(value: Any) -> str:
    """Return text that Markdown shows as it is; nothing for None."""
    return safe("" if value is None else value).translate(_SPECIAL)


def _code(text: str) -> str:
    ticks = "`" * (1 + _longest_run(text))
    padding = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{padding}{safe(text)}{padding}{ticks}"


def _longest_run(text: str) -> int:
    longest = run = 0
    for character in text:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    return longest
