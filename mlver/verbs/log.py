"""`log`: the commits that led here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mlver.objects.result import Result
from mlver.repo.repository import Repository
from mlver.verbs.common import CommitInfo


@dataclass(frozen=True)
class LogResult(Result):
    """Commits, newest first. `more` is true when the limit cut the list."""

    schema: ClassVar[str] = "mlver.log/v1"
    commits: tuple[CommitInfo, ...]
    more: bool = False


def log(
    repo: Repository,
    revs: Sequence[str] = (),
    *,
    paths: Sequence[str] = (),
    limit: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    author: str | None = None,
    grep: str | None = None,
    every: bool = False,
) -> LogResult:
    """List commits reachable from `revs` (HEAD; `a..b` too), or from all refs with `every`.

    `paths` keeps commits that changed one of them; `author` and `grep` match case-insensitively
    in the author, and in message and trailers (a ticket, an alert id).
    """
    raise NotImplementedError
