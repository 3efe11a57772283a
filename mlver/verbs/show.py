"""`show`: one commit with everything known about it, or one unit of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mlver.kinds.base import Value
from mlver.objects.commit import Environment, GitState
from mlver.objects.ids import BlobId
from mlver.objects.result import Result
from mlver.repo.repository import Repository
from mlver.verbs.common import CommitInfo
from mlver.verbs.diff import DiffResult


@dataclass(frozen=True)
class ArtifactInfo:
    """One artifact of a commit; `summary` holds the kind's derived facts when asked for."""

    path: str
    kind: str
    id: BlobId
    size: int
    summary: Mapping[str, Value] | None = None


@dataclass(frozen=True)
class FactInfo:
    """One fact about the commit: a metric, an alert, a note, a mark; when it happened and became known."""

    type: str
    text: str
    by: str
    at: datetime
    known: datetime
    body: Mapping[str, Value]


@dataclass(frozen=True)
class Served:
    """One interval in which a stage served the commit; `until` None means still."""

    stage: str
    scope: str
    since: datetime
    until: datetime | None
    actor: str
    reason: str
    action: str
    evidence: Value = None


@dataclass(frozen=True)
class ShowResult(Result):
    """A commit, its context, what it changed, and what was learned about it since."""

    schema: ClassVar[str] = "mlver.show/v1"
    commit: CommitInfo
    artifacts: tuple[ArtifactInfo, ...]
    environment: Environment | None
    git: GitState | None
    parameters: Mapping[str, Value]
    diff: DiffResult | None
    facts: tuple[FactInfo, ...]
    served: tuple[Served, ...]


@dataclass(frozen=True)
class ShowUnitResult(Result):
    """One artifact (`unit` None: its summary) or one unit of it at one revision."""

    schema: ClassVar[str] = "mlver.show-unit/v1"
    path: str
    unit: str | None
    kind: str
    commit: CommitInfo | None
    value: Value
    text: str


def show(repo: Repository, target: str = "HEAD") -> ShowResult | ShowUnitResult:
    """Return what is known of a commit (`REV`), an artifact (`REV:PATH`, `PATH@REV`) or a unit (`PATH#UNIT`)."""
    raise NotImplementedError
