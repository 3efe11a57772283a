"""`note`: what people know about a commit, an artifact or a unit, added later; marks too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.repository import Repository


@dataclass(frozen=True)
class Note:
    """One note. `target` is what was written about (`REV`, `PATH`, `PATH#UNIT`), `mark` `good`, `bad` or None."""

    target: str
    commit: CommitId | None
    text: str
    mark: str | None
    ticket: str | None
    by: str
    at: datetime
    known: datetime


@dataclass(frozen=True)
class NotesResult(Result):
    """Notes, newest first."""

    schema: ClassVar[str] = "mlver.notes/v1"
    notes: tuple[Note, ...]


def add_note(
    repo: Repository, target: str, text: str, *, mark: str | None = None, ticket: str | None = None
) -> NotesResult:
    """Attach a note to a commit, artifact or unit. `mark="bad"` keeps rollback from choosing the commit."""
    raise NotImplementedError


def list_notes(repo: Repository, target: str | None = None, *, grep: str | None = None) -> NotesResult:
    """Return the notes about a target, or all; `grep` keeps those whose text holds the words."""
    raise NotImplementedError
