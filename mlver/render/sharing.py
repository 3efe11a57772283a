"""Pages of `clone`, `remote`, `push`, `fetch` and `pull`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlver.render.lines import Columns, Part, indented, line, paragraphs, whole
from mlver.render.merge import merge_page
from mlver.render.values import many, size, when, who

if TYPE_CHECKING:
    from mlver.render.layout import Piece
    from mlver.verbs.clone import CloneResult
    from mlver.verbs.fetch import FetchResult
    from mlver.verbs.pull import PullResult
    from mlver.verbs.push import PushResult
    from mlver.verbs.remote import RemotesResult
    from mlver.verbs.sharing import Delivery, MoveInfo, RefChange, StageConflict

_REFS = 20


def clone_page(result: CloneResult) -> Piece:
    """Where the new repository is, and what came along."""
    head = whole("cloned ", (result.where, "path"), " into ", (result.path, "path"))
    delivery = result.delivery
    refs = [many(result.branches, "branch", "branches"), *([many(result.tags, "tag")] if result.tags else [])]
    refs += [f"stage {name}" for name in result.stages]
    counts = [many(delivery.commits, "commit"), *refs, many(result.operations, "operation"), size(delivery.bytes)]
    lines: list[Piece] = [indented(line(", ".join(counts), wrap=True))]
    if not result.bare and result.branch:
        lines.append(indented(line("on branch ", (result.branch, "ref"), f", {many(result.files, 'file')} written")))
    return paragraphs([head, *lines])


def remotes_page(result: RemotesResult) -> Piece:
    """One row per repository: name, folder, what was last seen of it."""
    if not result.remotes:
        return line("no other repository is known here")
    rows: list[list[Part | None]] = []
    for remote in result.remotes:
        seen = "never seen" if remote.operation is None else many(len(remote.branches), "branch", "branches")
        there: Part = (seen, "quiet") if remote.exists else ("not there now", "warning")
        rows.append([(remote.name, "ref"), (remote.where, "path"), there])
    return Columns(rows, grow=1, tail=(1,))


def push_page(result: PushResult) -> Piece:
    """What moved there and what was sent."""
    behind = [
        indented(line((name, "ref"), f" is behind {result.remote}: mlver pull", wrap=True)) for name in result.behind
    ]
    if not result.changed:
        return paragraphs([line("nothing to push: ", (result.remote, "ref"), " has it all"), *behind])
    verb = "would push to " if result.dry_run else "pushed to "
    head = line(verb, (result.remote, "ref"), " ", (result.where, "path"))
    return paragraphs([head, *_refs(result.refs), *_sent(result.delivery), *behind])


def fetch_page(result: FetchResult) -> Piece:
    """What came, what moved here, what somebody has to decide."""
    return paragraphs(_fetched(result), [_conflict(one, result.remote) for one in result.conflicts])


def pull_page(result: PullResult) -> Piece:
    """What was fetched, then what became of the branch."""
    if result.merge is not None:
        return paragraphs(fetch_page(result.fetched), merge_page(result.merge))
    there = f"{result.fetched.remote}/{result.branch}"
    tail = {
        "up-to-date": line("up to date: ", (result.branch, "ref"), " is as on ", (result.fetched.remote, "ref")),
        "no-branch": line("there is no ", (there, "ref"), ": mlver push makes one"),
        "dry-run": line("would merge ", (there, "ref"), " into ", (result.branch, "ref")),
        "begun": line((result.branch, "ref"), " begins, ", many(len(result.changes), "file"), " written"),
    }[result.outcome]
    return paragraphs(fetch_page(result.fetched), tail)


def _fetched(result: FetchResult) -> list[Piece]:
    kept = [
        indented(line("tag ", (name, "ref"), f" names another commit on {result.remote}; kept", wrap=True))
        for name in result.tags_kept
    ]
    if not result.changed:
        return [line("nothing new on ", (result.remote, "ref")), *kept]
    verb = "would fetch from " if result.dry_run else "fetched from "
    head = line(verb, (result.remote, "ref"), " ", (result.where, "path"))
    branches: list[list[Part | None]] = [
        [(f"{result.remote}/{change.name}", "ref"), *_ids(change)] for change in result.branches_moved
    ]
    lines: list[Piece] = [head, *([indented(Columns(branches))] if branches else [])]
    served = [indented(line((name, "ref"), " is served from here, and follows")) for name in result.followed]
    return [*lines, *_refs(result.refs), *_sent(result.delivery), *served, *kept]


def _refs(refs: Sequence[RefChange]) -> list[Piece]:
    rows: list[list[Part | None]] = [
        [(ref.name, "ref"), *_ids(ref), (ref.type if ref.type != "branch" else "", "quiet")] for ref in refs[:_REFS]
    ]
    more = [indented(line((f"… {len(refs) - _REFS} more", "quiet")))] if len(refs) > _REFS else []
    return [indented(Columns(rows)), *more] if rows else []


def _ids(change: RefChange) -> list[Part | None]:
    if change.old is None:
        return [("new", "good"), (change.new.short if change.new else "", "id")]
    return [(change.old.short, "id"), line("→ ", (change.new.short if change.new else "nothing", "id"))]


def _sent(delivery: Delivery) -> list[Piece]:
    """What went over, in words: commits, files by kind, facts by type, bytes."""
    counts = [many(delivery.commits, "commit")] if delivery.commits else []
    counts += [f"{many(count.files, f'{kind} file')} ({size(count.bytes)})" for kind, count in delivery.kinds.items()]
    counts += [many(count, type) for type, count in delivery.facts.items()]
    text = ", ".join([*counts, f"{size(delivery.bytes)} packed"])
    return [indented(line(text, wrap=True))] if delivery.bytes else []


def _conflict(conflict: StageConflict, remote: str) -> Piece:
    head = line((conflict.name, "ref"), (" was moved on both sides", "warning"))
    rows = [_side("here", conflict.ours), _side(f"on {remote}", conflict.theirs)]
    return paragraphs([head, indented(Columns(rows, wrap=(4,)))])


def _side(where: str, move: MoveInfo) -> list[Part | None]:
    to: Part = (move.commit.short, "id") if move.commit else "nothing"
    return [(where, "quiet"), to, when(move.time), (who(move.actor), "who"), move.reason]
