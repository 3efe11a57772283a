"""What `fetch` and `pull` have in common: how a stage that was moved on both sides is settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mlver.cli.session import Session
from mlver.errors import Conflict

if TYPE_CHECKING:
    from mlver.verbs.fetch import FetchResult

CONFLICT = Conflict.exit_code
_SETTLE = "Stages moved on both sides"

Stages = Annotated[
    list[str] | None,
    typer.Option("--stage", metavar="STAGE=ours|theirs", help="Whose release it keeps.", rich_help_panel=_SETTLE),
]
Reason = Annotated[str | None, typer.Option("--reason", "--why", metavar="TEXT", help="Why.", rich_help_panel=_SETTLE)]


def tell_redactions(session: Session, result: FetchResult) -> None:
    """Hint at what removes here what was redacted there."""
    if result.delivery.facts.get("redaction") and not result.dry_run:
        session.hint("mlver redact lists what was redacted there, mlver redact --finish removes it here too")


def tell_conflicts(session: Session, command: str, result: FetchResult) -> None:
    """Say which words settle the stages in conflict."""
    if result.conflicts:
        names = " ".join(f"--stage {conflict.name}=ours" for conflict in result.conflicts)
        session.hint(f"mlver {command} {result.remote} {names}  (or =theirs) --reason WHY")
    elif result.changed and not result.dry_run and command == "fetch" and result.branches_moved:
        moved = result.branches_moved[0]
        session.hint(f"mlver diff {moved.name} {result.remote}/{moved.name}; mlver pull merges it")
