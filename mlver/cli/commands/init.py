"""`mlver init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    examples=[
        ("mlver init", "make one here"),
        ("mlver init clinic", "make the folder clinic and one in it"),
        ("mlver init --bare /mnt/team/clinic", "one without a work tree, to push to"),
    ],
)
def init(
    session: Session,
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where; the current folder if not said.")] = Path(),
    bare: Annotated[bool, typer.Option("--bare", help="Without a work tree, for others to push to.")] = False,
) -> None:
    """Make a repository.

    Writes the folder .mlver and nothing else. Needs no server, no account and no git; in a git
    work tree it leaves git alone. A repository that exists is left as it is.
    """
    from mlver.render.status import init_page
    from mlver.verbs.init import init

    result = init(session.cwd / folder, bare=bare, actor=session.actor, clock=session.now)
    session.show(result, lambda: init_page(result), [result.path])
    if result.created and result.bare:
        session.hint(f"mlver remote add origin {result.path}  (where you work)")
    elif result.created:
        session.hint("mlver commit -m 'first snapshot'")
