"""Attribution: which commit each key (a file, a unit, a line) was last changed by. Blame, written once.

Keys are handed from child to parent as long as they are unchanged there; what no parent has
unchanged was changed by the child. The work is in proportion to the changes on the way.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from mlver.objects.ids import CommitId
from mlver.repo.snapshot import changed_paths, find_in_tree
from mlver.repo.unit_reader import UnitReader

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

# (child, parent, keys in the child) -> for each key that is unchanged in the parent, its name there
Tracer = Callable[[CommitId, CommitId, Iterable[str]], Mapping[str, str]]
Jump = Callable[[CommitId], CommitId]


def attribute(
    repo: Repository, start: CommitId, keys: Iterable[str], trace: Tracer, last: Jump | None = None
) -> dict[str, CommitId]:
    """Return key -> commit that last changed it, for keys that exist at `start`, in their order.

    `last` says of a commit which one before it, by first parents, or it itself changed any of them.
    """
    wanted, graph = list(keys), repo.graph
    jump: Jump = last or (lambda id: id)
    open_keys: dict[CommitId, dict[str, str]] = {}  # name there -> name at the start
    queue: list[tuple[int, int, bytes]] = []  # newest first, so that children come before their parents
    found: dict[str, CommitId] = {}

    def hand(to: CommitId, names: Mapping[str, str]) -> None:
        if names:
            to = jump(to)
            if to not in open_keys:
                heapq.heappush(queue, graph.node(to).order)
            open_keys.setdefault(to, {}).update(names)

    hand(start, {key: key for key in wanted})
    while queue:
        id = CommitId(heapq.heappop(queue)[-1])
        here = open_keys.pop(id)
        for parent in repo.commit(id).parents:
            unchanged = trace(id, parent, here)
            hand(parent, {older: here.pop(name) for name, older in unchanged.items()})
        found |= dict.fromkeys(here.values(), id)
    return {key: found[key] for key in wanted}


def file_tracer(repo: Repository) -> Tracer:
    """Return a tracer over files: unchanged are those with the same bytes."""

    def trace(child: CommitId, parent: CommitId, keys: Iterable[str]) -> Mapping[str, str]:
        trees = repo.commit(parent).tree, repo.commit(child).tree
        changed = {path for path, _, _ in changed_paths(repo.store, *trees)}
        return {key: key for key in keys if key not in changed}

    return trace


def one_file_tracer(repo: Repository) -> Tracer:
    """Return a tracer over a few files, which are looked up one by one."""

    def trace(child: CommitId, parent: CommitId, keys: Iterable[str]) -> Mapping[str, str]:
        trees = repo.commit(parent).tree, repo.commit(child).tree
        sides = {key: [find_in_tree(repo.store, tree, key) for tree in trees] for key in keys}
        return {key: key for key, (old, new) in sides.items() if old == new}

    return trace


def whole_tracer(reader: UnitReader) -> Tracer:
    """Return a tracer of one artifact as a whole, which may be a folder."""

    def trace(child: CommitId, parent: CommitId, keys: Iterable[str]) -> Mapping[str, str]:
        return {key: key for key in keys} if reader.blob(child) == reader.blob(parent) else {}

    return trace


def unit_tracer(reader: UnitReader) -> Tracer:
    """Return a tracer over the units of one artifact: unchanged are those of the same value."""

    def trace(child: CommitId, parent: CommitId, keys: Iterable[str]) -> Mapping[str, str]:
        if reader.blob(child) == reader.blob(parent):
            return {key: key for key in keys}
        new, old = reader.units(child), reader.units(parent)
        if new is None or old is None:
            return {}
        delta = old.delta(new)
        touched = {*delta.added, *delta.changed}
        pairs = ((key, new.counterpart(key, old)) for key in keys if key not in touched)
        return {key: older for key, older in pairs if older is not None}

    return trace
