"""`mlver undo`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    dated=True,
    examples=[
        ("mlver undo", "take back the last operation: a commit, a promotion, a deleted branch"),
        ("mlver undo 12 --reason 'wrong stage'", "back to before this operation (see mlver op log)"),
    ],
    exits={1: "nothing to undo"},
)
def undo(
    session: Session,
    operation: Annotated[str | None, typer.Argument(help="Its number or id; the last.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", "--why", metavar="TEXT", help="Why.")] = None,
) -> None:
    """Take back the last operation that is not undone yet.

    Branches, tags, HEAD and stages go back to where they were. Files of the work tree are not
    touched, commits are never lost. Undo is an operation too: naming it redoes what it took back.
    What was pushed stays there, what gc dropped or redact removed stays gone; that is said.
    """
    from mlver.render.ops import undo_page
    from mlver.verbs.undo import undo

    with session.open() as repo:
        result = undo(repo, operation, reason=reason)
    session.show(result, lambda: undo_page(result), [result.operation])
    session.hint(f"mlver undo {result.operation.short} brings it back")
