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


def walk(
    repo: Repository, heads: Iterable[CommitId], hide: Iterable[CommitId] = ()
) -> Iterator[tuple[CommitId, Commit]]:
    """Yield commits reachable from `heads` and not from `hide`, newest first, children before their parents."""
    hidden = set(ancestors(repo, hide)) if hide else set()
    wanted = [id for id in dict.fromkeys(heads) if id not in hidden]
    children = _child_counts(repo, wanted, hidden)
    queue = [(-repo.commit(id).time.timestamp(), n, id) for n, id in enumerate(wanted) if not children.get(id)]
    heapq.heapify(queue)
    order = len(queue)
    while queue:
        _, _, id = heapq.heappop(queue)
        commit = repo.commit(id)
        yield id, commit
        for parent in commit.parents:
            if parent in hidden:
                continue
            children[parent] -= 1
            if not children[parent]:
                order += 1
                heapq.heappush(queue, (-repo.commit(parent).time.timestamp(), order, parent))


def _child_counts(repo: Repository, heads: Iterable[CommitId], hidden: set[CommitId]) -> dict[CommitId, int]:
    counts: dict[CommitId, int] = {}
    for id in ancestors(repo, heads):
        if id not in hidden:
            for parent in repo.commit(id).parents:
                counts[parent] = counts.get(parent, 0) + 1
    return counts


def ancestors(repo: Repository, heads: Iterable[CommitId], stop: Iterable[CommitId] = ()) -> Iterator[CommitId]:
    """Yield `heads` and all their ancestors, each once, in no particular order; nothing from `stop` on."""
    pending, seen = list(heads), set(stop)
    while pending:
        id = pending.pop()
        if id not in seen:
            seen.add(id)
            yield id
            pending.extend(repo.commit(id).parents)


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
