"""What `merge` and `revert` return."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.verbs.common import FileChange


@frozen
class Cause:
    """The commit behind one side of a conflict: who, when and why."""

    commit: CommitId
    author: str
    time: datetime
    why: str
    ticket: tuple[str, ...] = ()


@frozen
class MergeConflict:
    """What both sides changed, each in its own way; `unit` None is the whole artifact.

    `base`, `ours` and `theirs` are the values, None where the unit is absent (the text then says `(absent)`); of two
    maps only the fields that differ are given. `ours_by` and `theirs_by` are the last commits that made each side
    what it is. `taken` is `ours` or `theirs` when that was chosen, `resolved` is true then, and after an edit.
    """

    path: str
    kind: str
    unit: str | None
    reason: str
    base: Value
    ours: Value
    theirs: Value
    text_base: str
    text_ours: str
    text_theirs: str
    ours_by: Cause | None
    theirs_by: Cause | None
    hint: str
    resolved: bool = False
    taken: str | None = None

    @property
    def target(self) -> str:
        """`PATH#UNIT`, as --ours and --theirs take it."""
        return self.path if self.unit is None else f"{self.path}#{self.unit}"


@frozen
class MergedUnits:
    """An artifact that both sides changed, merged unit by unit; `units` came from the other side."""

    path: str
    kind: str
    units: int


@frozen
class StaleNow:
    """An artifact that no longer fits its inputs, since the merge changed them: `because` are their paths."""

    path: str
    because: tuple[str, ...]


@frozen
class MergeResult(Result):
    """What came of a merge or revert (`action`).

    `outcome` is `up-to-date`, `fast-forward`, `merged` or `reverted` (with `commit`), `open` (waits for
    `mlver merge --continue`), `conflicts` (waits for them to be resolved), or `aborted`. `theirs` is the commit
    that was merged or reverted. `bases` counts the merge bases: with more than one, histories criss-cross and the
    newest was taken. `changes` are the files of the work tree that were written or removed.
    """

    schema: ClassVar[str] = "mlver.merge/v1"
    action: str
    outcome: str
    name: str
    branch: str | None
    ours: CommitId | None
    theirs: CommitId | None
    base: CommitId | None = None
    commit: CommitId | None = None
    message: str = ""
    changes: tuple[FileChange, ...] = ()
    merged: tuple[MergedUnits, ...] = ()
    conflicts: tuple[MergeConflict, ...] = ()
    stale: tuple[StaleNow, ...] = ()
    bases: int = 1
    dry_run: bool = False

    @property
    def unresolved(self) -> tuple[MergeConflict, ...]:
        """The conflicts that are left."""
        return tuple(conflict for conflict in self.conflicts if not conflict.resolved)
