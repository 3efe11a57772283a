"""Time that stands still: answers that must be the same whenever they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


@contextmanager
def standing(repo: Repository, at: datetime | None) -> Iterator[datetime]:
    """Let the repository's clock stand at `at`, or at its last operation; yield that moment."""
    moment, clock = at or repo.state.operation.time, repo.now
    repo.now = lambda: moment
    try:
        yield moment
    finally:
        repo.now = clock
