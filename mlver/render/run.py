"""Page of `run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.values import lasted, many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlver.objects.commit import Used
    from mlver.render.layout import Piece
    from mlver.verbs.run import RunResult

_SHOWN = 10


def run_page(result: RunResult) -> Piece:
    """How it ended, what it read and what it wrote."""
    if result.skipped:
        return paragraphs([line(("not run again", "good"), "; --skip-same")])
    if result.exit != 0:
        head = line((f"ended with {result.exit}", "bad"), f" after {lasted(result.seconds)}; nothing was recorded")
        return paragraphs([head])
    id: list[Part] = [" as ", (result.derivation.short, "id")] if result.derivation else []
    head = line(("recorded", "good"), *id, f", {lasted(result.seconds)}")
    how = "seen to be read" if result.observed else "declared"
    return paragraphs(
        [head]
        + _files(f"{many(len(result.inputs), 'input')}, {how}", result.inputs)
        + _files(many(len(result.outputs), "output") + (", all as before" if result.same else ""), result.outputs)
        + [line(("changed while it ran: ", "warning"), path) for path in result.changed]
    )


def _files(title: str, files: Sequence[Used]) -> list[Piece]:
    rows: list[list[Part | None]] = [[(f.kind, "kind"), f.path, (f.id.short, "id")] for f in files[:_SHOWN]]
    left = len(files) - _SHOWN
    more = [indented(line((f"… {left} more", "quiet")))] if left > 0 else []
    return [line(title), *([indented(Columns(rows, grow=1))] if rows else []), *more]
