"""Comparing one artifact of two snapshots. Diff is written here once, over units, for all kinds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Final, overload

from mlver.errors import Redacted
from mlver.kinds.base import Delta, Kind, Spec, Units, Unreadable, Value
from mlver.kinds.folder import Ask, ByParts, FolderSource, PartTask, without_shared
from mlver.repo.folders import folder_source
from mlver.repo.snapshot import Snapshot
from mlver.repo.unit_reader import spellings
from mlver.verbs.common import FileChange
from mlver.verbs.compare_memo import LISTED, Memo, worth_keeping
from mlver.verbs.diff_result import ArtifactDiff, UnitChange, UnitCounts

_LARGE_FOLDER: Final = 16 << 20  # bytes that differ, from which a folder is compared part by part in any case


def compare_artifact(
    old: Snapshot,
    new: Snapshot,
    change: FileChange,
    *,
    key: tuple[str, ...] = (),
    limit: int = 1000,
    only: Collection[str] = (),
    ask: Ask | None = None,
    room: int | None = None,
) -> ArtifactDiff:
    """Return what changed in one artifact, in its kind's terms. `ask` has others compare the parts of a folder.

    `only` keeps units of these names (a field of a unit may follow after a dot); `limit` cuts the
    list of changes, never the counts. Bytes the kind cannot read fall back to size and id.
    Raises NoRoom when there is a `room` and comparing the two versions takes far more bytes of memory.
    """
    result = ArtifactDiff(
        path=change.path,
        kind=change.kind,
        change=change.change,
        summary="",
        units=UnitCounts(),
        old_id=change.old_id,
        new_id=change.new_id,
        old_size=change.old_size,
        new_size=change.new_size,
        was=change.was,
    )
    if change.change == "renamed":
        return replace(result, summary=f"renamed from {change.was}")
    if worth_keeping(change) and not only and limit <= LISTED and not old_kind_differs(old, new, change.path):
        specs = old.spec(change.path, key), new.spec(change.path, key)
        memo = Memo(old, new, change, new.kind(change.path), specs)
        if (made := memo.load()) is None:
            made = _made(old, new, change, result, key, LISTED, (), ask, room)
            memo.save(made)
        return _shortened(made, limit)
    return _made(old, new, change, result, key, limit, only, ask, room)


def _tell(old: Snapshot, new: Snapshot, change: FileChange, key: tuple[str, ...], a: Units, b: Units, d: Delta) -> None:
    """Keep for blame which units differ; of folders it does not ask."""
    from mlver.repo.touched import keep, told

    specs = old.spec(change.path, key), new.spec(change.path, key)
    if new.derived is None or change.path.endswith("/") or specs[0] != specs[1]:
        return
    if change.old_id and change.new_id and worth_keeping(change):
        keep(new.derived, new.kind(change.path), change.path, specs[1], (change.old_id, change.new_id), told(a, b, d))


def _shortened(made: ArtifactDiff, limit: int) -> ArtifactDiff:
    """Return a comparison with its list of changes cut to `limit`."""
    if len(made.changes) <= limit:
        return made
    sorts = {sort: [c.unit for c in made.changes if c.change == sort] for sort in ("added", "removed", "changed")}
    kept = cut(Delta(**sorts), limit)
    changes = tuple(c for c in made.changes if c.unit in getattr(kept, c.change))
    return replace(made, changes=changes, truncated=True)


def _made(
    old: Snapshot,
    new: Snapshot,
    change: FileChange,
    result: ArtifactDiff,
    key: tuple[str, ...],
    limit: int,
    only: Collection[str],
    ask: Ask | None,
    room: int | None,
) -> ArtifactDiff:
    kind_changed = old_kind_differs(old, new, change.path)
    if kind_changed and room is not None:
        return _of_another_kind(old, new, result)
    try:
        a, b = _both_units(old, new, change, key, ask, room)
    except (Unreadable, Redacted) as error:
        reason = error.message if isinstance(error, Redacted) else str(error)
        return replace(result, summary=size_line(change), unreadable=f"not readable as {change.kind}: {reason}")
    kind = new.kind(change.path) if b is not None else old.kind(change.path)
    if kind_changed:
        return _of_another_kind(old, new, result)
    delta = unit_delta(a, b)
    if a is not None and b is not None and not only:
        _tell(old, new, change, key, a, b, delta)
    comparison = kind.compare(a, b, delta)
    if only:  # what it says of the whole artifact is not what was asked
        comparison = replace(comparison, summary=f"only {', '.join(only)}", details=(), counts={})
    shown = _limited(delta, only)
    changes = tuple(unit_changes(kind, a, b, cut(shown, limit)))
    total = len(shown.added) + len(shown.removed) + len(shown.changed)
    return replace(
        result,
        change="rewritten" if comparison.same_meaning and change.change == "modified" else change.change,
        summary=comparison.summary,
        units=UnitCounts(len(shown.added), len(shown.removed), len(shown.changed)),
        changes=changes,
        truncated=total > len(changes),
        details=comparison.details,
        counts=dict(comparison.counts),
        nameless=comparison.nameless,
    )


def _of_another_kind(old: Snapshot, new: Snapshot, result: ArtifactDiff) -> ArtifactDiff:
    kinds = (side[result.path].kind for side in (old, new))
    return replace(result, summary="kind changed from {} to {}".format(*kinds))


def _both_units(
    old: Snapshot, new: Snapshot, change: FileChange, key: tuple[str, ...], ask: Ask | None, room: int | None
) -> tuple[Units | None, Units | None]:
    """Return the units of both sides, None where the artifact is absent; of a folder only what can differ."""
    path = change.path
    if path.endswith("/") and change.old_id and change.new_id:
        sources = without_shared(folder_source(old, path), folder_source(new, path))
        kinds, specs = (old.kind(path), new.kind(path)), (old.spec(path, key), new.spec(path, key))
        if kinds[0] is kinds[1] and (told := _by_parts(kinds[1], sources, specs, ask, room)) is not None:
            return told
        read = [kind.units(source, spec) for kind, source, spec in zip(kinds, sources, specs, strict=True)]
        return read[0], read[1]
    if change.old_id and change.new_id and not old_kind_differs(old, new, path):
        specs = old.spec(path, key), new.spec(path, key)
        if apart := new.kind(path).apart(old.content(path), new.content(path), specs, room):
            return apart
    alone = not (change.old_id and change.new_id)  # then little more than its name is said of each unit
    before = old.units(path, key, late=alone) if change.old_id else None
    return before, new.units(path, key, late=alone) if change.new_id else None


def _by_parts(
    kind: object,
    sources: tuple[FolderSource, FolderSource],
    specs: tuple[Spec, Spec],
    ask: Ask | None,
    room: int | None,
) -> tuple[Units, Units] | None:
    """Return what differs, found part by part: by others, or one after the other when there is much to read."""
    if not isinstance(kind, ByParts):
        return None
    if ask is None:
        if sum(part.source.size for side in sources for part in side.parts) < _LARGE_FOLDER:
            return None
        ask = partial(_answers, kind)
    return kind.parts_apart(*sources, specs, ask, room)


def _answers(kind: ByParts, tasks: Sequence[PartTask]) -> list[bytes]:
    return [kind.answer(task) for task in tasks]


def old_kind_differs(old: Snapshot, new: Snapshot, path: str) -> bool:
    """Whether the artifact is of another kind on each side, so that its units do not compare."""
    return path in old and path in new and old[path].kind != new[path].kind


def unit_delta(old: Units | None, new: Units | None) -> Delta:
    """Return the difference of two unit maps, either of which may be absent."""
    if old is None:
        return Delta(added=_Keys(new)) if new is not None else Delta()
    return old.delta(new) if new is not None else Delta(removed=_Keys(old))


class _Keys(Sequence[str]):
    """All keys of some units, made as far as they are looked at."""

    def __init__(self, units: Units) -> None:
        self._units = units

    def __len__(self) -> int:
        return len(self._units)

    def __iter__(self) -> Iterator[str]:
        return self._units.keys()

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return list(islice(self._units.keys(), *index.indices(len(self))))
        at = range(len(self))[index]
        return self[at : at + 1][0]


def _limited(delta: Delta, only: Collection[str]) -> Delta:
    if not only:
        return delta
    return Delta(*([k for k in keys if covers(only, k)] for keys in (delta.added, delta.removed, delta.changed)))


def cut(delta: Delta, limit: int) -> Delta:
    """Return at most `limit` units of a delta: as many of each sort as there is room for, changed ones first."""
    sorts = (delta.changed, delta.removed, delta.added)
    taken, left = [0, 0, 0], min(limit, sum(map(len, sorts)))
    while left:
        for index, keys in enumerate(sorts):
            if left and taken[index] < len(keys):
                taken[index] += 1
                left -= 1
    changed, removed, added = (keys[:count] for keys, count in zip(sorts, taken, strict=True))
    return Delta(added, removed, changed)


def covers(only: Collection[str], key: str) -> bool:
    """Whether one of the wanted units is this key, a field of it, or a part above it."""
    wanted = [spelling for unit in only for spelling in spellings(unit)]
    return any(key == unit or key.startswith(unit + ".") or unit.startswith(key + ".") for unit in wanted)


def unit_changes(kind: Kind, old: Units | None, new: Units | None, delta: Delta) -> Iterator[UnitChange]:
    """Yield one `UnitChange` per differing unit, removed and changed before added: losses hurt most."""
    none: list[Value] = []
    for key, value in zip(delta.removed, old.get_all(delta.removed) if old is not None else none, strict=True):
        yield UnitChange(key, "removed", old=value, text_old=kind.text(key, value))
    if delta.changed:
        assert old is not None and new is not None
        pairs = zip(old.get_all(delta.changed), new.get_all(delta.changed), strict=True)
        for key, (before, after) in zip(delta.changed, pairs, strict=True):
            yield UnitChange(key, "changed", *kind.difference(before, after), *kind.change_text(key, before, after))
    for key, value in zip(delta.added, new.get_all(delta.added) if new is not None else none, strict=True):
        yield UnitChange(key, "added", new=value, text_new=kind.text(key, value))


def size_line(change: FileChange) -> str:
    """Say how large an artifact was and is."""
    if change.old_size is None or change.new_size is None:
        size = change.new_size if change.old_size is None else change.old_size
        return f"{size} bytes"
    return f"{change.old_size} -> {change.new_size} bytes"
