"""Pages of `evidence`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs, whole
from mlver.render.values import many, size, span, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.evidence_result import EvidenceResult, Tenure, VerifyResult


def evidence_page(result: EvidenceResult, name: str) -> Piece:
    """What was written, of which commit, and where that was live."""
    word = "wrote " if result.new else "there already, with the same bytes: "
    what = many(result.files, "file") + (" with their bytes" if result.with_files else " by digest")
    head: list[Piece] = [
        line(word, (name, "path"), f"  {size(result.size)}"),
        indented(
            Columns(
                [
                    [("commit", "quiet"), line((result.commit.short, "id"), f" {result.subject}")],
                    [("known by", "quiet"), line(when(result.at))],
                    [("holds", "quiet"), line(f"{what}, {many(result.facts, 'fact')}")],
                    [("sha256", "quiet"), line(result.sha256)],
                ]
            )
        ),
    ]
    served: list[Piece] = [_tenure(one) for one in result.served]
    return paragraphs(head, served or [line(("not live anywhere by then", "quiet"))])


def _tenure(one: Tenure) -> Piece:
    name = f"{one.stage}/{one.scope}" if one.scope else one.stage
    until = one.ended.at if one.ended else None
    reason = f": {one.live.reason}" if one.live.reason else ""
    word = {"promote": "promoted", "rollback": "rolled back to"}.get(one.live.action, one.live.action)
    time = span(one.began.at, until) if until else f"from {when(one.began.at)} on"
    return line((name, "stage"), f"  {time}  {word} by {who(one.live.actor)}{reason}", wrap=True)


def verify_page(result: VerifyResult) -> Piece:
    """What was checked, what was not, what is wrong."""
    rows: list[list[Part | None]] = [[("checked", "good"), text] for text in result.checked]
    rows += [[("not checked", "warning"), text] for text in result.unchecked]
    wrong: list[Piece] = [
        line(("wrong  ", "bad"), (one.name, "path"), f": {one.text}", wrap=True) for one in result.wrong
    ]
    last: list[Piece] = []
    if result.sound:
        last.append(line(("all of it holds together", "good"), f"; known by {result.at}"))
        last.append(whole(("commit ", "quiet"), (result.commit or "", "id")))
    else:
        last.append(line(("this evidence does not hold together", "bad")))
    return paragraphs([Columns(rows, wrap=(1,))], wrong, last)
