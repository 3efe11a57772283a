"""`mlver tag`."""

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
        ("mlver tag", "list them"),
        ("mlver tag v2", "call HEAD v2"),
        ("mlver tag -d v2", "delete a tag"),
    ],
    exits={3: "the name is taken (-f moves the tag)"},
)
def tag(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(help="The tag to make, move or delete.", autocompletion=complete.tag)
    ] = None,
    rev: Annotated[str | None, typer.Argument(help="Where; HEAD.", autocompletion=complete.revision)] = None,
    delete: Annotated[bool, typer.Option("--delete", "-d", help="Delete it.")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Move it if it exists.")] = False,
) -> None:
    """List, make or delete tags.

    A tag is a name that stays where it is.
    """
    name_or_list(session, "tag", name, rev, delete=delete, force=force)
