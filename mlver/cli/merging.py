"""What `merge` and `revert` have in common: how they answer, and what they hint at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.cli.session import Session

if TYPE_CHECKING:
    from mlver.verbs.merge_result import MergeResult

CONFLICTS = 4


def report_merge(session: Session, result: MergeResult) -> int:
    """Show the result, say what to type next, and return the exit code: 4 when conflicts are left."""
    from mlver.render.merge import merge_page

    left = result.unresolved
    ids = [conflict.target for conflict in left] if result.outcome == "conflicts" else [result.commit]
    session.show(result, lambda: merge_page(result), [id for id in ids if id])
    if result.bases > 1:
        session.warn(f"histories criss-cross: {result.bases} merge bases, the newest was taken")
    if result.dry_run:
        return CONFLICTS if left else 0
    if result.outcome == "conflicts":
        if len(left) == 1:
            session.hint(left[0].hint)
        else:
            session.hint("mlver merge --ours|--theirs 'PATH#UNIT' takes a side; or edit the files")
        session.hint(f"then mlver merge --continue; mlver merge --abort gives the {result.action} up")
    elif result.outcome == "open":
        session.hint(f"mlver merge --continue commits it; mlver merge --abort gives the {result.action} up")
    elif result.outcome in ("merged", "reverted", "fast-forward"):
        session.hint("mlver undo takes it back; the files stay as they are")
    return CONFLICTS if left else 0
