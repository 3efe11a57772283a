"""`init`: make a repository."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from mlver.frozen import frozen
from mlver.objects.result import Result
from mlver.repo.repository import Clock, Repository, system_clock


@frozen
class InitResult(Result):
    """Where the repository is; `created` is false when there was one already (which is fine)."""

    schema: ClassVar[str] = "mlver.init/v1"
    path: str
    created: bool
    branch: str | None
    bare: bool = False


def init(path: Path, *, bare: bool = False, actor: str | None = None, clock: Clock = system_clock) -> InitResult:
    """Make a repository in `path` (the folder is made too). An existing one is left as it is.

    A `bare` one has no work tree; others push to it. Refused when its folder is not empty.
    """
    repo, created = Repository.init(path, actor=actor, clock=clock, bare=bare)
    return InitResult(path=str(repo.root), created=created, branch=repo.view.branch, bare=repo.bare)
