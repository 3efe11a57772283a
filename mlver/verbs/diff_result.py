"""What `diff` returns."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import ClassVar

from mlver.frozen import frozen
from mlver.kinds.base import Detail, Value
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.verbs.common import MetricDelta


@frozen
class Side:
    """One side of a diff: a commit, or the work tree (`commit` None). `name` is what was asked for."""

    name: str
    commit: CommitId | None
    time: datetime | None = None
    author: str | None = None
    subject: str | None = None


@frozen
class UnitChange:
    """One unit that differs: `change` is `added`, `removed` or `changed`.

    `old` and `new` hold the whole unit, or for a changed one only its fields that differ.
    `text_old`/`text_new` say the same in one line for people.
    """

    unit: str
    change: str
    old: Value = None
    new: Value = None
    text_old: str | None = None
    text_new: str | None = None


@frozen
class UnitCounts:
    """How many units were added, removed, changed: exact, whatever the list below is cut to."""

    added: int = 0
    removed: int = 0
    changed: int = 0


@frozen
class ArtifactDiff:
    """One artifact that differs.

    `change` is `added`, `removed`, `modified`, `renamed` (`was`), or `rewritten`: the bytes differ
    and the meaning does not. `unreadable` says why the kind could not read it, then only size and
    id are compared. `changes` is cut to the limit when `truncated`. `nameless`: unit names are digests
    that tell a person nothing. Of a folder (`path` ends in `/`) the ids are those of the list of its parts,
    or None where only its files were counted.
    """

    path: str
    kind: str
    change: str
    summary: str
    units: UnitCounts
    changes: tuple[UnitChange, ...] = ()
    truncated: bool = False
    details: tuple[Detail, ...] = ()
    counts: dict[str, int | float] = field(default_factory=dict)
    old_id: BlobId | None = None
    new_id: BlobId | None = None
    old_size: int | None = None
    new_size: int | None = None
    was: str | None = None
    unreadable: str | None = None
    nameless: bool = False


@frozen
class FiredAlert:
    """One alert that fired while the newer commit was live. `state` is `open` or what became of it."""

    id: str
    type: str
    severity: str
    state: str
    at: datetime
    summary: str | None = None


@frozen
class DiffResult(Result):
    """What changed from `old` to `new`, most telling kinds first.

    `metrics` are the facts recorded for the two commits; `environment` lists packages and
    versions that differ (name, old, new); `git` the code commits when both are known.
    `alerts` fired while `new` was live, newest first. `redacted` says of which artifacts rows were removed on purpose,
    so that they are compared as they are since.
    """

    schema: ClassVar[str] = "mlver.diff/v1"
    old: Side
    new: Side
    artifacts: tuple[ArtifactDiff, ...]
    metrics: tuple[MetricDelta, ...] = ()
    environment: tuple[tuple[str, str | None, str | None], ...] = ()
    git: tuple[str | None, str | None] | None = None
    alerts: tuple[FiredAlert, ...] = ()
    redacted: tuple[str, ...] = ()

    @property
    def identical(self) -> bool:
        """Whether every byte is the same on both sides."""
        return not self.artifacts
