"""`impact`: what was made from a version of the data, a rule, a key: models, promotions, live stages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.repo.repository import Repository
from mlver.verbs.show import Served


@dataclass(frozen=True)
class Affected:
    """An artifact made, directly or through `steps` steps, from the target; first seen in `commit`."""

    path: str
    kind: str
    id: BlobId
    commit: CommitId
    time: datetime
    steps: int
    source: str


@dataclass(frozen=True)
class ServedCommit(Served):
    """A stage interval that served an affected commit."""

    commit: CommitId | None = None
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImpactResult(Result):
    """Everything downstream of the target. `commits` hold these bytes (or, for a unit, this value)."""

    schema: ClassVar[str] = "mlver.impact/v1"
    target: str
    commits: tuple[CommitId, ...]
    affected: tuple[Affected, ...]
    served: tuple[ServedCommit, ...]
    alerts: tuple[str, ...] = ()


def impact(repo: Repository, target: str) -> ImpactResult:
    """Return what `PATH[@REV][#UNIT]`, `REV` or `STAGE[@{TIME}]` went into, up to what served it and when."""
    raise NotImplementedError
