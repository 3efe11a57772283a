"""`commit`: one snapshot of everything, together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mlver.kinds.base import Value
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.repository import Repository
from mlver.verbs.common import FileChange, Progress


@dataclass(frozen=True)
class CommitResult(Result):
    """The new commit. `bytes_read` were new or changed, `bytes_stored` is what the store grew by.

    `written` is true when the message was written from the diff; `warnings` say what looks odd
    (an association that flipped sign, a file that could not be read as its kind).
    """

    schema: ClassVar[str] = "mlver.commit/v1"
    commit: CommitId | None
    parents: tuple[CommitId, ...]
    branch: str | None
    author: str
    time: datetime
    message: str
    written: bool
    changes: tuple[FileChange, ...]
    files: int
    bytes_read: int
    bytes_stored: int
    warnings: tuple[str, ...] = ()
    dry_run: bool = False


def commit(
    repo: Repository,
    message: str | None = None,
    *,
    paths: Sequence[str] = (),
    trailers: Mapping[str, Sequence[str]] | None = None,
    parameters: Mapping[str, Value] | None = None,
    allow_empty: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> CommitResult:
    """Snapshot the work tree, or only `paths`, on the current branch.

    `trailers` may hold `why`, `ticket`, `alert`, `source`. Raises NegativeAnswer when nothing
    changed, Refused on special files and hostile names, Conflict when the branch moved meanwhile.
    """
    raise NotImplementedError
