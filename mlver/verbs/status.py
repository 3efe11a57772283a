"""`status`: what changed in the work tree, what is stale, what is live."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.repository import Repository
from mlver.verbs.common import FileChange


@dataclass(frozen=True)
class Odd:
    """A name in the work tree that a commit would refuse, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Stale:
    """An artifact made from inputs that have changed since."""

    path: str
    kind: str
    because: tuple[str, ...]


@dataclass(frozen=True)
class LiveNow:
    """What a stage serves now. `behind` counts the commits on this branch it does not have yet (None: unrelated)."""

    stage: str
    scope: str
    commit: CommitId
    subject: str
    since: datetime
    actor: str
    reason: str
    behind: int | None = None


@dataclass(frozen=True)
class StatusResult(Result):
    """The state of the repository and its work tree. `unsettled` names stages whose link waits to be moved."""

    schema: ClassVar[str] = "mlver.status/v1"
    root: str
    branch: str | None
    head: CommitId | None
    changes: tuple[FileChange, ...]
    odd: tuple[Odd, ...]
    stale: tuple[Stale, ...]
    stages: tuple[LiveNow, ...]
    open_alerts: tuple[str, ...]
    files: int
    bytes: int
    unsettled: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether a commit would have nothing to do."""
        return not self.changes


def status(repo: Repository) -> StatusResult:
    """Compare the work tree with HEAD. Reads only files whose stat data changed."""
    raise NotImplementedError
