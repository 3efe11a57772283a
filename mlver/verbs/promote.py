"""`promote` and `rollback`: move what is live, all kinds together, recorded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.repository import Repository
from mlver.verbs.common import MetricDelta, Progress
from mlver.verbs.diff import DiffResult


@dataclass(frozen=True)
class MoveResult(Result):
    """One move of a stage, made or (dry run) previewed.

    `old` is what was live before, None the first time. `changed` is false when it was live already.
    `path` is the folder the stage now serves from; `files` and `bytes` describe the release, of
    which `bytes_written` had to be written. `undo` is the command that takes the move back.
    `mixed` says plainly when `--only` made a bundle that was never committed together.
    `unhealthy` tells why each newer ledger entry was passed over.
    """

    schema: ClassVar[str] = "mlver.move/v1"
    action: str
    stage: str
    scope: str
    old: CommitId | None
    new: CommitId
    old_subject: str | None
    new_subject: str
    changed: bool
    since: datetime
    actor: str
    reason: str
    path: str
    files: int
    bytes: int
    bytes_written: int
    seconds: float
    undo: str
    diff: DiffResult | None = None
    metrics: tuple[MetricDelta, ...] = ()
    mixed: str | None = None
    unhealthy: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    dry_run: bool = False


def promote(
    repo: Repository,
    stage: str,
    rev: str = "HEAD",
    *,
    scope: str = "",
    reason: str | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> MoveResult:
    """Make `rev` live on `stage` for `scope` (empty: everyone).

    Pre-flight (every object of the release is there and whole) comes before anything moves; raises
    Damaged naming what is missing.
    """
    raise NotImplementedError


def rollback(
    repo: Repository,
    stage: str,
    *,
    to: str | None = None,
    only: str | None = None,
    scope: str = "",
    reason: str | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> MoveResult:
    """Move `stage` back to the last healthy entry of its ledger, or to `to` (a revision or `last-good`).

    `only` takes one kind from there and leaves the rest, as a real commit. A second identical
    rollback changes nothing. Raises NegativeAnswer when no healthy entry is left.
    """
    raise NotImplementedError
