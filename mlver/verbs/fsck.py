"""`fsck`: read every byte, name what is damaged, and say what that hurts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mlver.objects.result import Result
from mlver.repo.repository import Repository
from mlver.verbs.common import Progress


@dataclass(frozen=True)
class Problem:
    """One damaged, missing or foreign thing.

    `what` names it (`pack 3f…`, `blob 9a…`, `head.1`), `detail` says what is wrong, `hurts` lists the
    commits and artifacts that need it (`v2 (3f2a…): models/triage.joblib`), `repairable` that nothing is lost.
    """

    what: str
    detail: str
    hurts: tuple[str, ...] = ()
    repairable: bool = False


@dataclass(frozen=True)
class FsckResult(Result):
    """`ok` is true when no byte is wrong; `objects` were checked, `bytes` read."""

    schema: ClassVar[str] = "mlver.fsck/v1"
    ok: bool
    objects: int
    commits: int
    packs: int
    bytes: int
    problems: tuple[Problem, ...]


def fsck(repo: Repository, *, progress: Progress | None = None) -> FsckResult:
    """Check packs, objects, operations, head slots and releases. Changes nothing."""
    raise NotImplementedError
