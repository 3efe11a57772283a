"""Pages of `branch`, `tag`, `switch` and `restore`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.status import change_table
from mlver.render.values import day, many, size, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.branch import RefMoved, RefsResult, SwitchResult
    from mlver.verbs.common import FileChange
    from mlver.verbs.restore import RestoreResult

_SHOWN = 12


def refs_page(result: RefsResult) -> Piece:
    """One row per branch or tag; the current branch has a star."""
    if not result.refs:
        return line("no branches yet: the first commit makes one" if result.type == "branch" else "no tags")
    rows: list[list[Part | None]] = [
        [
            ("*" if ref.current else "", "ref"),
            (ref.name, "ref" if ref.current else ""),
            (ref.commit.short, "id"),
            day(ref.time),
            (who(ref.author), "who"),
            ref.subject,
        ]
        for ref in result.refs
    ]
    if result.type != "branch":
        rows = [row[1:] for row in rows]
    return Columns(rows)


def ref_moved_page(result: RefMoved) -> Piece:
    """One line: made, moved or deleted."""
    name: Part = (result.name, "ref")
    if result.new is None:
        return line(f"deleted {result.type} ", name, " (was ", (result.old.short if result.old else "", "id"), ")")
    if result.old is None:
        return line(f"new {result.type} ", name, " at ", (result.new.short, "id"))
    return line(f"{result.type} ", name, " moved ", (result.old.short, "id"), " → ", (result.new.short, "id"))


def switch_page(result: SwitchResult) -> Piece:
    """Where HEAD is now and which files followed."""
    what = "new branch " if result.created else "on branch "
    where: list[Part] = [what, (result.branch, "ref")] if result.branch else ["HEAD is detached"]
    at: list[Part] = [" at ", (result.commit.short, "id")] if result.commit else []
    return paragraphs([line(*where, *at), *_written(result.changes)])


def restore_page(result: RestoreResult) -> Piece:
    """Which files were written from which commit, and what no longer fits together."""
    if not result.changes:
        return line("nothing to restore: all is as in ", (result.commit.short, "id"))
    verb = "would restore" if result.dry_run else "restored"
    files = f"{many(len(result.changes), 'file')} from "
    written = f", {size(result.bytes_written)} written" if not result.dry_run else ""
    head = line(f"{verb} {files}", (result.commit.short, "id"), " into ", (result.target, "path"), written)
    mixed: list[Piece] = []
    if result.mixed:
        title = ("committed together with these, not restored: ", "warning")
        mixed.append(line(title, ", ".join(result.mixed), wrap=True))
    return paragraphs([head, *_written(result.changes), *mixed])


def _written(changes: tuple[FileChange, ...]) -> list[Piece]:
    if not changes:
        return []
    left = len(changes) - _SHOWN
    more = [indented(line((f"… {left} more", "quiet")))] if left > 0 else []
    return [indented(change_table(changes[:_SHOWN])), *more]
