"""Page of `commit`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mlver.render.lines import Part, indented, line, paragraphs, whole
from mlver.render.status import change_table
from mlver.render.values import many, size

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.commit import CommitResult

_SHOWN = 12


def commit_page(result: CommitResult) -> Piece:
    """The new commit, what it holds, what changed in it."""
    subject, *rest = result.message.split("\n")
    name: list[Part] = [(result.branch or "detached HEAD", "ref"), " "]
    name.append((result.commit.short, "id") if result.commit else ("dry run", "quiet"))
    head = whole("[", *name, "] ", subject)
    counts = Counter(change.change for change in result.changes)
    what = ", ".join(f"{count} {change}" for change, count in sorted(counts.items()))
    sizes = f"{size(result.bytes_read)} read, {size(result.bytes_stored)} stored"
    files = f"{many(result.files, 'file')} ({what or 'no change'})"
    body = [line(text) for text in rest if text.strip()] if result.written else []
    changes: list[Piece] = [change_table(result.changes[:_SHOWN])] if result.changes else []
    if len(result.changes) > _SHOWN:
        changes.append(line((f"… {len(result.changes) - _SHOWN} more", "quiet")))
    page: list[Piece] = [head, *(indented(text) for text in body)]
    page += [indented(line((f"{files}, {sizes}" if not result.dry_run else f"{files}, nothing stored", "quiet")))]
    return paragraphs(page, [indented(block) for block in changes])
