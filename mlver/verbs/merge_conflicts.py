"""Conflicts told in full: both values, both authors, both reasons. The reason is what decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlver.kinds import registry
from mlver.kinds.base import MISSING, Kind, Value, same
from mlver.objects.ids import CommitId
from mlver.objects.state import Merging
from mlver.repo.merge_blame import last_changes
from mlver.repo.merge_files import REMOVED_HERE, REMOVED_THERE, FileConflict
from mlver.repo.merge_units import UnitConflict
from mlver.repo.repository import Repository
from mlver.repo.snapshot import artifact_spec
from mlver.repo.unit_reader import UnitReader
from mlver.verbs.merge_result import Cause, MergeConflict

ABSENT = "(absent)"
_TOLD_IN_FULL = ("rules",)
# what it is called when a commit is taken back
_SINCE = {
    "changed on both sides": "changed again since",
    "added on both sides": "added again since",
    "each side has its own": "changed again since",
    REMOVED_HERE: "removed since",
    REMOVED_THERE: "new in that commit, changed since",
}
_BLAMED = 500  # units of one artifact; of more, the artifact is blamed


def tell_conflicts(repo: Repository, merging: Merging, conflicts: Iterable[FileConflict]) -> tuple[MergeConflict, ...]:
    """Return every conflict with its causes; `taken` as `merging` has it, `resolved` only then."""
    taken = {(clash.path, clash.unit): clash.taken for clash in merging.clashes}
    found: list[MergeConflict] = []
    for conflict in conflicts:
        teller = _Teller(repo, merging, conflict)
        units: Sequence[UnitConflict | None] = conflict.units or (None,)
        for unit in units:
            said = taken.get((conflict.path, unit.unit if unit else None))
            found.append(teller.tell(unit, said))
    return tuple(found)


def cause(repo: Repository, id: CommitId) -> Cause:
    """Return who made a commit, when and why."""
    commit = repo.commit(id)
    return Cause(id, commit.author, commit.time, commit.why, commit.trailers.get("ticket", ()))


class _Teller:
    """Tells the conflicts of one artifact."""

    def __init__(self, repo: Repository, merging: Merging, conflict: FileConflict) -> None:
        self.repo, self.merging, self.conflict = repo, merging, conflict
        self.kind: Kind = registry.get_any(conflict.kind)
        spec = artifact_spec(repo.snapshot(merging.ours).project, conflict.path, conflict.kind)
        reader = UnitReader(repo, conflict.path, conflict.kind, spec)
        self.lines = conflict.kind == "code" and any(unit.unit != unit.place for unit in conflict.units)
        keys: list[str | None] = [None]
        if not self.lines and len(conflict.units) <= _BLAMED:
            keys += [unit.unit for unit in conflict.units]
        self.mine = last_changes(repo, reader, merging.ours, merging.base, keys)
        self.others: dict[str | None, CommitId] = {None: merging.base}
        if merging.action == "merge":
            self.others = last_changes(repo, reader, merging.theirs, merging.base, keys)

    def tell(self, unit: UnitConflict | None, taken: str | None) -> MergeConflict:
        key = unit.unit if unit is not None else None
        values = [unit.base, unit.ours, unit.theirs] if unit is not None else self._whole()
        told = _differing(values) if unit is not None else values
        full = values if self.kind.name in _TOLD_IN_FULL else told
        beside = key if full is values or key is None else ""  # of a row that is cut down, no cell is the key
        texts = [self._text(beside, value) for value in full]
        base, ours, theirs = (None if value is MISSING else value for value in told)
        return MergeConflict(
            path=self.conflict.path,
            kind=self.conflict.kind,
            unit=key,
            reason=self._reason(values),
            base=base,
            ours=ours,
            theirs=theirs,
            text_base=texts[0],
            text_ours=texts[1],
            text_theirs=texts[2],
            ours_by=self._by(self.mine, key),
            theirs_by=self._by(self.others, key),
            hint=self._hint(key),
            resolved=taken is not None,
            taken=taken,
        )

    def _reason(self, values: Sequence[Value]) -> str:
        reason = self.conflict.reason or _reason(values)
        return _SINCE.get(reason, reason) if self.merging.action == "revert" else reason

    def _by(self, found: dict[str | None, CommitId], key: str | None) -> Cause | None:
        id = found.get(key) or found.get(None)
        return cause(self.repo, id) if id is not None else None

    def _whole(self) -> list[Value]:
        sides = (self.conflict.base, self.conflict.ours, self.conflict.theirs)
        return [MISSING if side is None else {"size": side.size, "digest": side.id.hex()} for side in sides]

    def _text(self, key: str | None, value: Value) -> str:
        if value is MISSING:
            return ABSENT
        if key is None:
            return f"{value['digest'][:10]}, {value['size']} bytes"
        return "\n".join(value) if self.lines else self.kind.text(key, value)

    def _hint(self, key: str | None) -> str:
        target = self.conflict.path if key is None else f"{self.conflict.path}#{key}"
        if self.conflict.kind == "model":
            return "retrain it on the merged data and config (mlver run -- ...), or take one side"
        if self.lines:
            return f"edit {self.conflict.path} between the marks, or mlver merge --ours|--theirs '{target}'"
        if self.merging.action == "revert":
            return f"mlver merge --theirs '{target}' takes it back, --ours keeps it; or edit {self.conflict.path}"
        return f"mlver merge --ours '{target}', --theirs '{target}', or edit {self.conflict.path}"


def _reason(values: Sequence[Value]) -> str:
    base, ours, theirs = values
    if ours is MISSING:
        return REMOVED_HERE
    if theirs is MISSING:
        return REMOVED_THERE
    return "added on both sides" if base is MISSING else "changed on both sides"


def _differing(values: Sequence[Value]) -> list[Value]:
    """Return three values cut down to the fields in which they are not all the same, if they are maps."""
    there = [value for value in values if value is not MISSING]
    if len(there) < 2 or not all(isinstance(value, dict) for value in there):
        return list(values)
    names = list(dict.fromkeys(name for value in there for name in value))
    told = [n for n in names if not all(same(v.get(n, MISSING), there[0].get(n, MISSING)) for v in there)]
    return [v if v is MISSING else {n: v[n] for n in told if n in v} for v in values]
