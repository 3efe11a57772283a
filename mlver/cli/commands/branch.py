"""`mlver branch`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.refs import name_or_list
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    examples=[
        ("mlver branch", "list them"),
        ("mlver branch exp/features prod", "a branch that starts at what is live"),
        ("mlver branch -d exp/features", "delete one; its commits stay"),
    ],
    exits={3: "the name is taken (-f moves the branch)"},
)
def branch(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(help="The branch to make, move or delete.", autocompletion=complete.branch)
    ] = None,
    rev: Annotated[str | None, typer.Argument(help="Where; HEAD.", autocompletion=complete.revision)] = None,
    delete: Annotated[bool, typer.Option("--delete", "-d", help="Delete it.")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Move it if it exists.")] = False,
) -> None:
    """List, make or delete branches.

    A deleted branch can be brought back: mlver undo.
    """
    name_or_list(session, "branch", name, rev, delete=delete, force=force)
