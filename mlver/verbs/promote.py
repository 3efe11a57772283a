"""`promote`: make a commit live, all kinds together, recorded."""

from __future__ import annotations

import time

from mlver.repo.releases import slot_name
from mlver.repo.repository import Repository
from mlver.repo.tenures import PROMOTE
from mlver.verbs.common import Progress
from mlver.verbs.move import Move, MoveResult, check_target, make, preview
from mlver.verbs.rollback import rollback

__all__ = ["MoveResult", "promote", "rollback"]


def promote(
    repo: Repository,
    stage: str,
    rev: str = "HEAD",
    *,
    scope: str = "",
    reason: str | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> MoveResult:
    """Make `rev` live on `stage` for `scope` (empty: everyone).

    Pre-flight (every object of the release is there and whole) comes before anything moves; raises
    Damaged naming what is missing.
    """
    started = time.monotonic()
    view = repo.refresh()
    check_target(view, stage, scope)
    commit = repo.resolve(rev)
    command = f"promote {slot_name(stage, scope)} {commit.short}"
    move = Move(PROMOTE, stage, scope, commit, command, reason, started)
    return preview(repo, move) if dry_run else make(repo, move, progress)
