"""`deployed`: what is or was live, where, for whom, by whom and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mlver.kinds.base import Value
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.repo.repository import Repository


@dataclass(frozen=True)
class DeployedResult(Result):
    """What one stage serves one scope at one time. `until` None means it still does.

    `scope` is the scope of the entry that answers: the most specific one that applies.
    """

    schema: ClassVar[str] = "mlver.deployed/v1"
    stage: str
    scope: str
    commit: CommitId
    subject: str
    since: datetime
    until: datetime | None
    actor: str
    reason: str
    action: str
    path: str | None = None
    evidence: Value = None


@dataclass(frozen=True)
class LedgerResult(Result):
    """The ledger of one stage, or what all stages serve now; newest first."""

    schema: ClassVar[str] = "mlver.deployed-list/v1"
    entries: tuple[DeployedResult, ...]


def deployed(repo: Repository, stage: str, *, scope: str = "", at: datetime | None = None) -> DeployedResult:
    """Return what `stage` serves `scope` now, or served at the moment `at`.

    Raises NegativeAnswer when nothing was live there then.
    """
    raise NotImplementedError


def ledger(repo: Repository, stage: str | None = None, *, scope: str | None = None) -> LedgerResult:
    """Return the whole ledger of a stage (of one scope), or without a stage what every stage serves now."""
    raise NotImplementedError
