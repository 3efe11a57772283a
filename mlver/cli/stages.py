"""What the commands about stages have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlver.errors import UsageError

if TYPE_CHECKING:
    from mlver.cli.session import Session
    from mlver.verbs.promote import MoveResult


def stage_and_scope(stage: str, scope: str) -> tuple[str, str]:
    """Return stage and scope; `prod/clinic=C` names both."""
    name, slash, inner = stage.partition("/")
    if slash and not inner:  # `prod/$SCOPE` of somebody who has set none must not mean everyone
        raise UsageError(f"{stage}: no scope after the slash", hint=f"for everyone: {name}")
    if slash and scope and inner != scope:
        raise UsageError(f"two scopes: {inner} and {scope}", hint=f"mlver deployed {name} --scope {scope}")
    return name, inner or scope


def report_move(session: Session, result: MoveResult) -> None:
    """Answer with a move, its warnings, and the command that takes it back."""
    from mlver.render.stages import move_page

    session.show(result, lambda: move_page(result), [result.new])
    session.warn(*result.warnings)
    if result.changed and not result.dry_run:
        session.hint(f"to take it back: {result.undo}")
    elif result.hint and not result.changed:
        session.hint(result.hint)
