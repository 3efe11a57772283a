"""`restore`: write old files into the work tree, or a whole snapshot elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.repository import Repository
from mlver.verbs.common import FileChange, Progress


@dataclass(frozen=True)
class RestoreResult(Result):
    """The files written or removed. `mixed` names artifacts that now belong to another commit than their partners."""

    schema: ClassVar[str] = "mlver.restore/v1"
    commit: CommitId
    target: str
    changes: tuple[FileChange, ...]
    bytes_written: int
    mixed: tuple[str, ...] = ()
    dry_run: bool = False


def restore(
    repo: Repository,
    paths: Sequence[str] = (),
    *,
    rev: str = "HEAD",
    to: Path | None = None,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> RestoreResult:
    """Write the artifacts of `rev` (all, or `paths`) into the work tree, or into the folder `to`.

    Neither HEAD nor any ref moves. Raises Refused, naming them, when files with uncommitted
    changes would be overwritten and `force` is false.
    """
    raise NotImplementedError
