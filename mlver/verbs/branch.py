"""`branch`, `tag`, `switch`: names for commits, and which of them the work tree follows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.repository import Repository
from mlver.verbs.common import FileChange, Progress


@dataclass(frozen=True)
class RefInfo:
    """One branch or tag. `current` is true for the branch HEAD is on."""

    name: str
    commit: CommitId
    subject: str
    author: str
    time: datetime
    current: bool = False


@dataclass(frozen=True)
class RefsResult(Result):
    """Branches or tags, sorted by name; `type` is `branch` or `tag`."""

    schema: ClassVar[str] = "mlver.refs/v1"
    type: str
    refs: tuple[RefInfo, ...]


@dataclass(frozen=True)
class RefMoved(Result):
    """One ref made, moved or deleted (`new` None)."""

    schema: ClassVar[str] = "mlver.ref/v1"
    type: str
    name: str
    old: CommitId | None
    new: CommitId | None


@dataclass(frozen=True)
class SwitchResult(Result):
    """Where HEAD is now and which files of the work tree were written or removed."""

    schema: ClassVar[str] = "mlver.switch/v1"
    branch: str | None
    commit: CommitId | None
    created: bool
    changes: tuple[FileChange, ...]


def list_refs(repo: Repository, type: str = "branch") -> RefsResult:
    """Return all branches, or all tags."""
    raise NotImplementedError


def set_ref(repo: Repository, type: str, name: str, rev: str = "HEAD", *, force: bool = False) -> RefMoved:
    """Make a branch or tag at `rev`. Raises Refused when the name is taken and `force` is false."""
    raise NotImplementedError


def delete_ref(repo: Repository, type: str, name: str) -> RefMoved:
    """Delete a branch or tag; its commits stay reachable through the operation log."""
    raise NotImplementedError


def switch(
    repo: Repository, name: str, *, create: bool = False, detach: bool = False, progress: Progress | None = None
) -> SwitchResult:
    """Move HEAD to a branch (`create` makes it here) or, with `detach`, to any revision; files follow.

    Raises Refused, naming them, when uncommitted changes would be overwritten.
    """
    raise NotImplementedError
