"""Metric values that stand in files of kind `metrics`, committed like all others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Final

from mlver.errors import Damaged
from mlver.kinds.base import Unreadable, Value
from mlver.kinds.directions import direction
from mlver.kinds.documents import split_path
from mlver.objects.ids import CommitId, TreeId
from mlver.repo.listing import Listing, of_kind, walk
from mlver.repo.metric_facts import MetricValue, slice_name
from mlver.repo.snapshot import changed_paths

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

METRICS_KIND = "metrics"
_SAMPLE_SIZE = "n"
_LARGEST = 10**308
_FEW: Final = 64  # folders, which are read faster than compared
_VERSION: Final = 1  # to be raised with what is kept


def file_metrics(repo: Repository, commit: CommitId) -> list[MetricValue]:
    """Return the numbers in the metrics files of a commit; they rest on what was known when it was made.

    A file that cannot be read as metrics has none: `diff` and `show` say why.
    """
    snapshot, found = repo.snapshot(commit), list[MetricValue]()
    when, author = repo.commit(commit).time, repo.commit(commit).author
    for path in paths_of_kind(repo, commit, METRICS_KIND):
        try:
            units = snapshot.units(path)
        except Unreadable:
            continue
        values = {key: units.get(key) for key in units.keys()}  # noqa: SIM118 - Units is no mapping
        for name, slice, value, n in named_values(values):
            found.append(MetricValue(commit, name, slice, value, None, None, n, when, when, author, path=path))
    return found


def paths_of_kind(repo: Repository, commit: CommitId, kind: str) -> list[str]:
    """Return the paths of the files of one kind in a commit, sorted; Damaged when a folder cannot be read.

    Of a tree with many folders they are kept, and those of the next one follow from where the two differ.
    """
    artifacts, tree = repo.snapshot(commit).artifacts, repo.commit(commit).tree
    if not isinstance(artifacts, Listing) or len([*islice(walk(artifacts.root), _FEW + 1)]) <= _FEW:
        return [artifact.path for artifact in of_kind(artifacts, kind)]
    from mlver.repo.kept_units import answer_name

    name = answer_name("paths of kind", [_VERSION, kind])
    body = repo.derived.get(name)
    known, paths = json.loads(body) if body is not None else (None, [])
    try:
        found = _carried(repo, TreeId.parse(known) if known else None, tree, kind, paths)
    except Damaged:  # the known tree may be gone; what is wrong with this one comes up again
        found = _carried(repo, None, tree, kind, [])
    if known != tree.hex():
        repo.derived.put(name, json.dumps([tree.hex(), found]).encode())
    return found


def _carried(repo: Repository, old: TreeId | None, new: TreeId, kind: str, paths: list[str]) -> list[str]:
    """Return the paths of the files of a kind in a tree, given those in another one, or in none."""
    found = set(paths)
    for path, _, entry in changed_paths(repo.store, old, new):
        found.discard(path)
        if entry is not None and entry.kind == kind:
            found.add(path)
    return sorted(found)


def named_values(values: Mapping[str, Value]) -> list[tuple[str, str, Value, int | None]]:
    """Return (name, slice, value, sample size) of the numbers among units of a metrics file.

    Files nest the slice around the name (`clinic=C.recall`) or behind it (`recall.clinic=C`). The name
    is the part that says which way is better; when none or both do, the last. `n` beside a value is
    its sample size.
    """
    found, sizes = [], dict[tuple[str, ...], int]()
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        parts = tuple(_parts(key))
        if parts[-1] == _SAMPLE_SIZE and isinstance(value, int):
            sizes[parts[:-1]] = value
            continue
        leads = len(parts) > 1 and direction(parts[0]) is not None and direction(parts[-1]) is None
        name, around = (parts[0], parts[1:]) if leads else (parts[-1], parts[:-1])
        found.append((name, slice_name(".".join(around)), _within(value), parts if leads else around))
    return [(name, slice, value, sizes.get(group)) for name, slice, value, group in found]


def _within(value: float) -> float:
    """Return the number; an integer that no float can hold counts as infinite."""
    if isinstance(value, int) and abs(value) > _LARGEST:
        return inf if value > 0 else -inf
    return value


def _parts(key: str) -> list[str]:
    try:
        return split_path(key) or [key]
    except ValueError:
        return [key]
