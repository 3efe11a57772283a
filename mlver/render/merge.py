"""Pages of `merge`, `revert` and `branch --compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs, whole
from mlver.render.status import SIGNS
from mlver.render.values import brief, day, many, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.divergence import DivergenceResult, SideDistance
    from mlver.verbs.merge_result import Cause, MergeConflict, MergeResult

_CONFLICTS, _FILES, _LINES, _COMMITS = 20, 12, 8, 8


def merge_page(result: MergeResult) -> Piece:
    """What came of a merge or revert: the commit and its files, or the conflicts with values, authors and reasons."""
    shown = result.conflicts[:_CONFLICTS] if result.outcome == "conflicts" else ()
    conflicts = [paragraphs(_conflict(conflict, result.action)) for conflict in shown]
    more = len(result.conflicts) - len(shown) if shown else 0
    tail = line((f"… {more} more (--json lists all)", "quiet")) if more else None
    return paragraphs([_head(result), *_files(result)], *conflicts, tail, _stale(result))


def _head(result: MergeResult) -> Piece:
    name: Part = (result.name, "ref")
    where = result.branch or "detached HEAD"
    would = "would " if result.dry_run else ""
    if result.outcome == "up-to-date":
        return line("up to date: ", (where, "ref"), " has all of ", name)
    if result.outcome == "fast-forward":
        ids: list[Part] = [(_short(result.ours), "id"), " → ", (_short(result.commit), "id")]
        return line(would, "fast-forward" if would else "", "" if would else "forward: ", (where, "ref"), " ", *ids)
    if result.outcome == "aborted":
        return line(f"{result.action} of ", name, " given up; ", (where, "ref"), " is as it was")
    if result.outcome == "open":
        return line(
            f"{result.action} of ", name, f" {'would be clean' if would else 'is open, nothing left to resolve'}"
        )
    if result.outcome == "conflicts":
        left, done = len(result.unresolved), len(result.conflicts) - len(result.unresolved)
        resolved = f", {done} resolved" if done else ""
        return line(f"{result.action} of ", name, ": ", (f"{many(left, 'conflict')}{resolved}", "warning"))
    if result.commit is None:
        return line(would, f"{result.action} ", name, " without conflicts")
    return whole("[", (where, "ref"), " ", (_short(result.commit), "id"), "] ", result.message.split("\n")[0])


def _short(id: object) -> str:
    return getattr(id, "short", "")


def _files(result: MergeResult) -> list[Piece]:
    merged = {one.path: one.units for one in result.merged}
    rows: list[list[Part | None]] = []
    for change in result.changes[:_FILES]:
        units = merged.get(change.path)
        parts = [f"{many(units, 'unit')} merged"] if units else []
        if clashes := sum(conflict.path == change.path for conflict in result.unresolved):
            parts.append(many(clashes, "conflict"))
        said = ", ".join(parts)
        rows.append([(change.change, SIGNS.get(change.change, "changed")), (change.kind, "kind"), change.path, said])
    left = len(result.changes) - _FILES
    more = [indented(line((f"… {left} more", "quiet")))] if left > 0 else []
    return [indented(Columns(rows, grow=2)), *more] if rows else []


def _conflict(conflict: MergeConflict, action: str) -> list[Piece]:
    state: list[Part] = []
    if conflict.resolved:
        state = ["  ", (f"resolved: {conflict.taken or 'edited'}", "good")]
    head = line((conflict.kind, "kind"), " ", (conflict.target, "path"), "  ", (conflict.reason, "quiet"), *state)
    if conflict.resolved:
        return [head]
    names = ("before", "ours", "theirs") if action == "merge" else ("reverted", "now", "before")
    texts = (conflict.text_base, conflict.text_ours, conflict.text_theirs)
    values = (conflict.base, conflict.ours, conflict.theirs)
    causes: tuple[Cause | None, ...] = (None, conflict.ours_by, conflict.theirs_by)
    if action == "revert":  # the commit that is taken back says why it was made
        causes = (conflict.theirs_by, conflict.ours_by, None)
    rows: list[list[Part | None]] = []
    labels = ("quiet", "removed", "added") if action == "merge" else ("removed", "changed", "added")
    for name, text, value, cause, label in zip(names, texts, values, causes, labels, strict=True):
        plain = brief(value) if conflict.kind in ("config", "metrics") and value is not None else text
        lines = plain.split("\n") if plain else ["(no lines)"]
        if len(lines) > _LINES:
            lines = [*lines[: _LINES - 1], f"… {len(lines) - _LINES + 1} more lines"]
        rows.append([(name, "quiet"), (lines[0], label)])
        rows += [["", (text, label)] for text in lines[1:]]
        if cause is not None:
            rows.append(["", _cause(cause)])
    return [head, indented(Columns(rows, wrap=(1,)))]


def _cause(cause: Cause) -> Part:
    tickets = f" ({', '.join(cause.ticket)})" if cause.ticket else ""
    said: list[Part] = [f" {when(cause.time)}: ", cause.why + tickets]
    return line((cause.commit.short, "id"), " ", (who(cause.author), "who"), *said, wrap=True)


def _stale(result: MergeResult) -> list[Piece]:
    if not result.stale:
        return []
    rows: list[list[Part | None]] = [[one.path, ("← " + ", ".join(one.because), "quiet")] for one in result.stale]
    return [line(("stale now, made from other inputs than it has got:", "warning")), indented(Columns(rows))]


def divergence_page(result: DivergenceResult) -> Piece:
    """How far apart two branches are: commits and units on each side by kind, and what both changed."""
    if result.a.commit == result.b.commit:
        return line((result.a.name, "ref"), " and ", (result.b.name, "ref"), " are the same commit")
    since: list[Part] = ["no commit in common"]
    if result.base is not None:
        since = ["both from ", (result.base.short, "id"), f" of {day(result.since)}"]
    rows: list[list[Part | None]] = [
        [(one.kind, "kind"), _units(one.a_files, one.a_units), _units(one.b_files, one.b_units), _both(one.both)]
        for one in result.kinds
    ]
    head = ("kind", result.a.name, result.b.name, "changed on both")
    table = [Columns(rows, head=head)] if rows else []
    return paragraphs(line(*since), _side(result.a), _side(result.b), table)


def _side(side: SideDistance) -> list[Piece]:
    rows: list[list[Part | None]] = [
        [(info.id.short, "id"), day(info.time), (who(info.author), "who"), info.subject]
        for info in side.commits[:_COMMITS]
    ]
    left = len(side.commits) - len(rows)
    more = [indented(line((f"… {left} more", "quiet")))] if left > 0 else []
    title = line((side.name, "ref"), f": {many(len(side.commits), 'commit')} of its own")
    return [title, *([indented(Columns(rows))] if rows else []), *more]


def _units(files: int, units: int) -> str:
    return f"{many(units, 'unit')} in {many(files, 'file')}" if files else "–"


def _both(count: int) -> Part:
    return (many(count, "conflict"), "warning") if count else ("", "quiet")
