"""Three-way merge of snapshots: whole files where one side changed them, unit by unit where both did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from mlver.errors import Refused
from mlver.frozen import frozen
from mlver.kinds import registry
from mlver.kinds.base import MISSING, CannotEdit, Kind, Spec, Units, Unreadable, Value, same
from mlver.kinds.code_edit import edit_lines
from mlver.kinds.edits import Held
from mlver.kinds.merge3 import merge3
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.tree import LINK
from mlver.repo.merge_marks import marked
from mlver.repo.merge_units import UnitConflict, UnitMerge, merge_units
from mlver.repo.snapshot import Artifact, BlobSource, artifact_spec
from mlver.repo.unit_reader import spellings

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_LINES_LIMIT = 16 << 20  # bytes of a file that is merged by its lines
_WHOLE = ("model", "file")
REMOVED_HERE, REMOVED_THERE = "removed here, changed there", "changed here, removed there"
Artifacts = dict[str, Artifact]
# path -> the units asked for, () for all of them; None when the path is not asked for
Wanted = Callable[[str], Sequence[str] | None]


@frozen
class FileConflict:
    """An artifact with units in conflict; with none of them, all of it is, and `reason` says why."""

    path: str
    kind: str
    base: Artifact | None
    ours: Artifact | None
    theirs: Artifact | None
    units: tuple[UnitConflict, ...] = ()
    reason: str = ""


@frozen
class MergePlan:
    """The merged artifacts by path, where there is conflict with what ours says, and the blobs that are new.

    `units` counts for artifacts that were merged unit by unit how many units came from theirs.
    """

    artifacts: Artifacts
    blobs: Mapping[BlobId, bytes]
    conflicts: tuple[FileConflict, ...]
    units: Mapping[str, int] = field(default_factory=dict)


def plan_merge(
    repo: Repository, base: CommitId, ours: CommitId, theirs: CommitId, wanted: Wanted = lambda path: ()
) -> MergePlan:
    """Return what brings the changes from `base` to `theirs` into `ours`. Writes nothing.

    `wanted` limits it to some paths and units. Refused when a path would be a file and a folder.
    """
    return _Merge(repo, base, ours, theirs, wanted).plan()


class _Merge:
    def __init__(self, repo: Repository, base: CommitId, ours: CommitId, theirs: CommitId, wanted: Wanted) -> None:
        self.repo, self.wanted = repo, wanted
        self.project = repo.snapshot(ours).project
        self.base, self.ours, self.theirs = (dict(repo.snapshot(id).artifacts) for id in (base, ours, theirs))
        mine, others = _renames(self.base, self.ours), _renames(self.base, self.theirs)
        for old, new in mine.items():
            _follow(old, new, self.base, self.theirs)
        for old, new in others.items():
            if old not in mine and not (self.wanted(old) is None and self.wanted(new) is None):
                _follow(old, new, self.base, self.ours)
        self.blobs: dict[BlobId, bytes] = {}
        self.conflicts: list[FileConflict] = []
        self.units: dict[str, int] = {}

    def plan(self) -> MergePlan:
        merged: Artifacts = {}
        for path in sorted(self.base.keys() | self.ours.keys() | self.theirs.keys()):
            found = self._path(path)
            if found is not None:
                merged[path] = found
        _check_shape(merged)
        return MergePlan(merged, self.blobs, tuple(self.conflicts), self.units)

    def _path(self, path: str) -> Artifact | None:
        base, ours, theirs = (side.get(path) for side in (self.base, self.ours, self.theirs))
        only = self.wanted(path)
        if only is None or _like(ours, theirs) or _like(base, theirs):
            return ours
        if _like(base, ours) and not only:
            return theirs
        if ours is None or theirs is None:
            if only and theirs is None:
                raise Refused(f"{path} was not there: it is taken as a whole", hint="name it without #UNIT")
            return self._conflict(path, (base, ours, theirs), REMOVED_HERE if ours is None else REMOVED_THERE)
        return self._both(path, base, ours, theirs, only)

    def _conflict(self, path: str, sides: tuple[Artifact | None, ...], reason: str) -> Artifact | None:
        base, ours, theirs = sides
        one = ours or theirs
        assert one is not None
        self.conflicts.append(FileConflict(path, one.kind, base, ours, theirs, reason=reason))
        return ours

    def _both(
        self, path: str, base: Artifact | None, ours: Artifact, theirs: Artifact, only: Sequence[str]
    ) -> Artifact | None:
        sides = (base, ours, theirs)
        type_ = theirs.type if base is not None and ours.type == base.type else ours.type
        if ours.id == theirs.id:
            return replace(ours, type=type_)
        if base is not None and base.id in (ours.id, theirs.id) and not only:
            return replace(theirs if base.id == ours.id else ours, type=type_)
        if ours.kind != theirs.kind or LINK in (ours.type, theirs.type):
            return self._conflict(path, sides, "of another kind on each side")
        if ours.kind in _WHOLE and only:
            raise Refused(f"{path} is a {ours.kind}: it is taken as a whole", hint="name it without #UNIT")
        if ours.kind in _WHOLE:
            return self._conflict(path, sides, "each side has its own")
        try:
            data, count, conflicts = self._merge_units(path, sides, only)
        except Unreadable as reason:
            return self._conflict(path, sides, f"not merged unit by unit: {reason}")
        if conflicts:
            self.conflicts.append(FileConflict(path, ours.kind, base, ours, theirs, conflicts))
        self.units[path] = count
        if data is None:
            return replace(ours, type=type_)
        id = BlobId.of(data)
        self.blobs[id] = data
        return Artifact(path, type_, ours.kind, id, len(data))

    def _merge_units(
        self, path: str, sides: tuple[Artifact | None, Artifact, Artifact], only: Sequence[str]
    ) -> tuple[bytes | None, int, tuple[UnitConflict, ...]]:
        """Return the merged bytes (None: as ours), how many units came from theirs, and the conflicts."""
        kind, spec = registry.get_any(sides[1].kind), artifact_spec(self.project, path, sides[1].kind)
        sources = [self._source(path, side) for side in sides if side is not None]
        units = [kind.units(source, spec) for source in sources]
        base = units[0] if sides[0] is not None else None
        ours, theirs = units[-2:]
        found = merge_units(base, ours, theirs)
        if only:
            found = _limited(path, found, ours, only)
        changes = dict(found.changes)
        if ours.positional:
            changes |= {conflict.place: marked(conflict) for conflict in found.conflicts}
        if not changes:
            return None, 0, found.conflicts
        count = len(found.changes)
        try:
            return kind.edit(sources[-2], spec, changes, like=theirs), count, found.conflicts
        except CannotEdit as reason:
            if ours.positional or only:
                raise
            data = self._other_way(kind, spec, sources, (base, ours, theirs), found)
            data = data if data is not None else self._by_lines(kind, spec, sources, ours, found)
            if data is None:
                raise reason
            return data, count, found.conflicts

    def _source(self, path: str, artifact: Artifact) -> BlobSource:
        return BlobSource(path, artifact.size, lambda: self.repo.store.open_blob(artifact.id))

    def _other_way(
        self,
        kind: Kind,
        spec: Spec,
        sources: Sequence[BlobSource],
        units: tuple[Units | None, Units, Units],
        found: UnitMerge,
    ) -> bytes | None:
        """Lay our changes over theirs instead: they may have what cannot be written, such as a new column."""
        base, ours, theirs = units
        changes = dict(merge_units(base, theirs, ours).changes)
        changes |= {conflict.place: conflict.ours for conflict in found.conflicts}
        try:
            return kind.edit(sources[-1], spec, changes, like=ours)
        except Unreadable:
            return None

    def _by_lines(
        self, kind: Kind, spec: Spec, sources: Sequence[BlobSource], ours: Units, found: UnitMerge
    ) -> bytes | None:
        """Merge the text line by line, and take that if its units are what the merge of units says."""
        if len(sources) < 3 or found.conflicts or any(source.size > _LINES_LIMIT for source in sources):
            return None
        texts = []
        for source in sources:
            with source.open() as stream:
                texts.append(stream.read())
        try:
            lines = [text.decode().split("\n") for text in texts]
            changes: dict[str, Value] = {}
            for chunk in merge3(*lines):
                if chunk.state == "conflict":
                    return None
                if chunk.state == "theirs":
                    changes[f"L{chunk.ours[0] + 1}-{chunk.ours[1]}"] = lines[2][slice(*chunk.theirs)]
            data = edit_lines(texts[1] + b"\n", changes)[:-1]  # so that the last line counts as one
            after = kind.units(Held(sources[1].path, data), spec)
        except (UnicodeDecodeError, Unreadable):
            return None
        delta = ours.delta(after)
        if not {*delta.added, *delta.removed, *delta.changed} <= found.changes.keys():
            return None
        return data if all(_as(after.get(key), value) for key, value in found.changes.items()) else None


def _as(found: Value, wanted: Value) -> bool:
    return found is wanted if found is MISSING or wanted is MISSING else same(found, wanted)


def _like(a: Artifact | None, b: Artifact | None) -> bool:
    if a is None or b is None:
        return a is b
    return (a.id, a.type) == (b.id, b.type)


def _limited(path: str, found: UnitMerge, ours: Units, only: Sequence[str]) -> UnitMerge:
    if ours.positional:
        raise Refused(f"{path} is merged line by line: it is taken as a whole", hint="name it without #UNIT")
    wanted = [spelling for unit in only for spelling in spellings(unit)]

    def asked(key: str) -> bool:
        return any(key == unit or key.startswith(f"{unit}.") for unit in wanted)

    changes = {key: value for key, value in found.changes.items() if asked(key)}
    return UnitMerge(changes, tuple(conflict for conflict in found.conflicts if asked(conflict.unit)))


def _renames(base: Artifacts, side: Artifacts) -> dict[str, str]:
    """Return old path -> new path of files that one side moved without changing them."""
    gone: dict[BlobId, list[str]] = {}
    come: dict[BlobId, list[str]] = {}
    for path, artifact in base.items():
        if path not in side and artifact.size:
            gone.setdefault(artifact.id, []).append(path)
    for path, artifact in side.items():
        if path not in base and artifact.id in gone:
            come.setdefault(artifact.id, []).append(path)
    return {gone[id][0]: paths[0] for id, paths in come.items() if len(paths) == len(gone[id]) == 1}


def _follow(old: str, new: str, base: Artifacts, other: Artifacts) -> None:
    """Let the base and the other side have a file where one side moved it."""
    if old in other and new not in other:
        base[new] = replace(base.pop(old), path=new)
        other[new] = replace(other.pop(old), path=new)


def _check_shape(artifacts: Artifacts) -> None:
    for path in artifacts:
        above = path.rpartition("/")[0]
        while above:
            if above in artifacts:
                raise Refused(f"{above} is a file on one side and a folder on the other", hint="move one of them first")
            above = above.rpartition("/")[0]
