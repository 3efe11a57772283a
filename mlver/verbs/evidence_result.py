"""What `evidence` returns."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from mlver.frozen import frozen
from mlver.objects.commit import Commit
from mlver.objects.ids import CommitId, OperationId
from mlver.objects.result import Result
from mlver.objects.state import Fact, Live
from mlver.repo.snapshot import Artifact


@frozen
class Moved:
    """A recorded move of a stage. `held_in` is the operation of this repository that says so: `operation` itself, or
    the one that brought it here from another repository."""

    operation: OperationId
    held_in: OperationId
    at: datetime
    live: Live | None
    actor: str


@frozen
class Tenure:
    """The commit was live on a stage for a scope from `began` on, until `ended` (None: it still was)."""

    stage: str
    scope: str
    live: Live
    began: Moved
    ended: Moved | None


@frozen
class Dossier:
    """All that goes into evidence: what was asked, and what was known of it at the moment `at`."""

    asked: str
    at: datetime
    id: CommitId
    commit: Commit
    served: tuple[Tenure, ...]
    facts: tuple[Fact, ...]
    files: tuple[Artifact, ...]
    sums: tuple[str, ...]
    with_files: bool


@frozen
class EvidenceResult(Result):
    """Evidence that was written. `sha256` is the digest of the archive, `size` its bytes; `new` is false when the very
    same bytes stood there already."""

    schema: ClassVar[str] = "mlver.evidence-written/v1"
    file: str
    sha256: str
    size: int
    commit: CommitId
    subject: str
    at: datetime
    served: tuple[Tenure, ...]
    facts: int
    files: int
    with_files: bool
    new: bool


@frozen
class Wrong:
    """A member of the archive and what is wrong with it."""

    name: str
    text: str


@frozen
class VerifyResult(Result):
    """Whether evidence holds together: what was checked, what was not, what is wrong. `sha256` is the archive's."""

    schema: ClassVar[str] = "mlver.evidence-verified/v1"
    file: str
    sha256: str | None
    sound: bool
    commit: str | None
    at: str | None
    checked: tuple[str, ...]
    unchecked: tuple[str, ...]
    wrong: tuple[Wrong, ...]
