"""Walking the commit graph."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from mlver.objects.commit import Commit
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.state import View
from mlver.repo.snapshot import find_in_tree

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_AHEAD = 512  # commits looked up at a time on a long walk


def walk(
    repo: Repository, heads: Iterable[CommitId], hide: Iterable[CommitId] = ()
) -> Iterator[tuple[CommitId, Commit]]:
    """Yield commits reachable from `heads` and not from `hide`, newest first, children before their parents.

    Reads as many commits as are asked for. One whose clock was behind counts as no older than its parents.
    """
    graph, hide = repo.graph, list(hide)
    hidden = graph.reach(hide) if hide else None
    queue = [graph.node(id).order for id in dict.fromkeys(heads)]
    heapq.heapify(queue)
    seen = {order[-1] for order in queue}
    ahead = 1
    while queue:
        node = graph.table.back(heapq.heappop(queue)[-1], 0)
        if hidden is not None and hidden.holds(node):
            continue
        id = CommitId(node.id)
        yield id, repo.commit(id)
        ahead = min(2 * ahead, _AHEAD)
        for parent in node.parent_ids:
            if parent not in seen:
                seen.add(parent)
                heapq.heappush(queue, graph.table.back(parent, ahead).order)


def ancestors(repo: Repository, heads: Iterable[CommitId], stop: Iterable[CommitId] = ()) -> Iterator[CommitId]:
    """Yield `heads` and all their ancestors, each once, in no particular order; nothing from `stop` on."""
    pending, seen = list(heads), set(stop)
    if not seen:
        yield from repo.graph.reach(pending).members()
        return
    while pending:
        id = pending.pop()
        if id not in seen:
            seen.add(id)
            yield id
            pending.extend(map(CommitId, repo.graph.node(id).parent_ids))


def all_heads(repo: Repository) -> list[CommitId]:
    """Return every commit that a branch, tag, stage, remote branch or HEAD names."""
    return view_heads(repo.view)


def view_heads(view: View) -> list[CommitId]:
    """Return every commit that a branch, tag, stage, remote branch, open merge or HEAD names in a view."""
    named = [*view.branches.values(), *view.tags.values()]
    named += [id for seen in view.remotes.values() for id in seen.branches.values()]
    named += [live.commit for scopes in view.stages.values() for live in scopes.values()]
    named += [view.merging.theirs, view.merging.base] if view.merging else []
    return list(dict.fromkeys([*([view.head] if view.head else []), *named]))


def origin(repo: Repository, start: CommitId, path: str, blob: BlobId) -> CommitId:
    """Return the oldest commit on the way back from `start` that holds these bytes at `path` without a break."""
    current = start
    while True:
        holding = [p for p in repo.commit(current).parents if _holds(repo, p, path, blob)]
        if not holding:
            return current
        current = holding[0]


def _holds(repo: Repository, commit: CommitId, path: str, blob: BlobId) -> bool:
    found = find_in_tree(repo.store, repo.commit(commit).tree, path)
    return found is not None and found.id == blob
