"""Attribution: which commit each key (a file, a unit, a line) was last changed by. Blame, written once.

Keys are handed from child to parent as long as they are unchanged there; what no parent has
unchanged was changed by the child. The work is in proportion to the changes on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from mlver.objects.ids import CommitId
from mlver.repo.history import walk
from mlver.repo.snapshot import changed_paths
from mlver.repo.unit_reader import UnitReader

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

# (child, parent, keys in the child) -> for each key that is unchanged in the parent, its name there
Tracer = Callable[[CommitId, CommitId, Iterable[str]], Mapping[str, str]]


def attribute(repo: Repository, start: CommitId, keys: Iterable[str], trace: Tracer) -> dict[str, CommitId]:
    """Return key -> commit that last changed it, for keys that exist at `start`, in their order."""
    wanted = list(keys)
    open_keys: dict[CommitId, dict[str, str]] = {start: {key: key for key in wanted}}
    found: dict[str, CommitId] = {}
    for id, commit in walk(repo, [start]):
        here = open_keys.pop(id, None)  # name here -> name at the start
        if not here:
            if not open_keys:
                break
            continue
        for parent in commit.parents:
            unchanged = trace(id, parent, here)
            there = open_keys.setdefault(parent, {})
            for name, older in unchanged.items():
                there[older] = here.pop(name)
            if not there:
                del open_keys[parent]
        found |= dict.fromkeys(here.values(), id)
    return {key: found[key] for key in wanted}


def file_tracer(repo: Repository) -> Tracer:
    """Return a tracer over files: unchanged are those with the same bytes."""

    def trace(child: CommitId, parent: CommitId, keys: Iterable[str]) -> Mapping[str, str]:
        trees = repo.commit(parent).tree, repo.commit(child).tree
        changed = {path for path, _, _ in changed_paths(repo.store, *trees)}
        return {key: key for key in keys if key not in changed}

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
