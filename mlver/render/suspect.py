"""Pages of `suspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs
from mlver.render.values import many, number, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.suspect import Suspect, SuspectResult

_SHOWN = 12


def suspect_page(result: SuspectResult) -> Piece:
    """A block per suspect, the strongest first."""
    head = line(
        f"{many(len(result.ids), 'bad prediction')} of {number(result.rows)} in ", (result.data, "path"),
        "; changes after ", (result.good.short, "id"), " up to ", (result.bad.short, "id"), wrap=True,
    )  # fmt: skip
    if not result.suspects:
        return paragraphs([head, line("nothing that changed or fires touches them")])
    blocks = [_block(one, len(result.ids), result.rows) for one in result.suspects[:_SHOWN]]
    more = len(result.suspects) - _SHOWN
    return paragraphs(head, *blocks, *([[line((f"… {more} more (--json lists all)", "quiet"))]] if more > 0 else []))


def _block(one: Suspect, ids: int, rows: int) -> list[Piece]:
    label = "bad" if one.score > 0.5 else "warning" if one.score > 0 else "quiet"
    counts: list[Part | None] = [
        (number(one.score), label),
        (one.sort, "kind"),
        (one.name, "id" if one.commit else "unit"),
        f"{one.bad} of {ids} bad, {one.others} of {number(rows - ids)} others",
    ]
    lines: list[Piece] = [Columns([counts], grow=2)]
    if one.commit is not None:
        lines.append(indented(line((who(one.author or ""), "who"), f", {when(one.time)}: {one.why}", wrap=True), 7))
    lines.append(indented(line((one.what, "quiet"), wrap=True), 7))
    return lines
