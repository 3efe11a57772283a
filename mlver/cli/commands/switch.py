"""`mlver switch`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    examples=[
        ("mlver switch -c exp/features", "make a branch here and move to it"),
        ("mlver switch main", "back to main; the files follow"),
        ("mlver switch --detach prod@{1}", "look around at an old release"),
    ],
    exits={3: "uncommitted changes would be overwritten"},
)
def switch(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="BRANCH|REV", help="Where to go.", autocompletion=complete.revision)],
    create: Annotated[bool, typer.Option("--create", "-c", help="Make the branch, here.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="To a revision that is no branch.")] = False,
) -> None:
    """Move to another branch; the files of the work tree follow.

    Uncommitted changes are never overwritten.
    """
    from mlver.render.refs import switch_page
    from mlver.verbs.switch import switch

    with session.open() as repo, session.progress() as progress:
        view = repo.view
        came_from = view.branch or f"--detach {view.head.short if view.head else 'HEAD'}"
        result = switch(repo, name, create=create, detach=detach, progress=progress)
    session.show(result, lambda: switch_page(result), [result.branch or result.commit])
    session.warn(*(f"{path} was redacted, and left out" for path in result.left_out))
    if came_from != result.branch:
        session.hint(f"mlver switch {came_from} goes back")
