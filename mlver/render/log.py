"""Pages of `log`: long, one line each, as a graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlver.render.graph import Lanes
from mlver.render.lines import Columns, Part, blank, line, stacked, whole
from mlver.render.values import day, number, when

if TYPE_CHECKING:
    from mlver.render.layout import Line, Piece
    from mlver.repo.signing import Seal
    from mlver.verbs.common import CommitInfo
    from mlver.verbs.log import LogResult

TRAILERS = ("why", "ticket", "alert", "source")


def log_page(result: LogResult, *, oneline: bool = False, graph: bool = False) -> Piece:
    """The commits, newest first; a list that was cut, one line each."""
    if result.left:
        return _brief(result)
    lanes = Lanes() if graph else None
    page: list[Line] = []
    for commit in result.commits:
        lines = [_oneline(commit)] if oneline else commit_lines(commit, result.signed.get(commit.id.hex()))
        if lanes is None:
            page += [*([blank()] if page and not oneline else []), *lines]
        else:
            above, below = lanes.draw(commit.id, commit.parents, len(lines) + (not oneline))
            page += [whole((drawn, "quiet")) for drawn in above]
            page += list(_beside(below, lines))
    if result.more:
        page.append(line(("… more (-n for how many)", "quiet")))
    return stacked(page)


def _brief(result: LogResult) -> Piece:
    rows: list[list[Part | None]] = [
        [
            (commit.id.short, "id"),
            (day(commit.time), "quiet"),
            line(commit.subject, *refs_part(commit)),
            (result.milestones.get(commit.id.hex(), ""), "quiet"),
        ]
        for commit in result.commits
    ]
    return stacked([Columns(rows, grow=2), line((f"… {number(result.left)} more (mlver log --every, -n N)", "quiet"))])


def _beside(drawn: list[str], lines: list[Line]) -> Iterator[Line]:
    for index, lanes in enumerate(drawn):
        text = lines[index] if index < len(lines) else blank()
        yield whole((lanes, "quiet"), " ", text)


def refs_part(commit: CommitInfo) -> list[Part]:
    """The branches, tags and stages that name a commit, in brackets; nothing if there are none."""
    if not commit.refs:
        return []
    parts: list[Part] = [" ("]
    for index, ref in enumerate(commit.refs):
        parts += [", "] if index else []
        parts.append((ref, "ref"))
    return [*parts, ")"]


def _oneline(commit: CommitInfo) -> Line:
    return whole((commit.id.short, "id"), *refs_part(commit), " ", commit.subject)


def seal_part(seal: Seal) -> Part:
    """Whose signature something has, or what is wrong with it: that first, as a terminal cuts what comes last."""
    if seal.state == "signed":
        return f"by {seal.by}", "good"
    if seal.state == "unchecked":
        return f"not checked: {seal.why} (with {seal.key})", "warning"
    why = f": {seal.why}" if seal.why else ""
    key = f" ({seal.key})" if seal.key else ""
    return f"{seal.state}{why}{key}", "bad"


def commit_lines(commit: CommitInfo, seal: Seal | None = None) -> list[Line]:
    """The long form: id and refs, author, date, whose signature it has, message, trailers."""
    lines = [whole(("commit ", "quiet"), (commit.id.short, "id"), *refs_part(commit))]
    if len(commit.parents) > 1:
        lines.append(whole(("merge:  ", "quiet"), " ".join(parent.short for parent in commit.parents)))
    lines.append(whole(("author: ", "quiet"), (commit.author, "who")))
    lines.append(whole(("date:   ", "quiet"), when(commit.time)))
    if seal is not None:
        lines.append(line(("signed: ", "quiet"), seal_part(seal)))
    lines.append(blank())
    lines += [whole("    ", text) if text else blank() for text in commit.message.rstrip("\n").split("\n")]
    trailers = trailer_lines(commit)
    return lines + ([blank()] if trailers else []) + trailers


def trailer_lines(commit: CommitInfo) -> list[Line]:
    """Reason, ticket, alert and other trailers of a commit, one line each."""
    names = [name for name in TRAILERS if name in commit.trailers]
    names += sorted(set(commit.trailers) - set(TRAILERS))
    return [whole((f"    {name}: ", "quiet"), text) for name in names for text in commit.trailers[name]]
