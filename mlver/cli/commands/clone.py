"""`mlver clone`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    dated=True,
    examples=[
        ("mlver clone /mnt/team/clinic", "into the folder clinic, here"),
        ("mlver clone --bare clinic /mnt/backup/clinic", "a copy without a work tree"),
    ],
    exits={3: "the folder is not empty", 5: "something there is damaged", 8: "no repository there"},
)
def clone(
    session: Session,
    source: Annotated[Path, typer.Argument(metavar="SRC", help="The folder of a repository, bare or not.")],
    folder: Annotated[Path | None, typer.Argument(metavar="[DEST]", help="Where; the name of SRC, here.")] = None,
    bare: Annotated[bool, typer.Option("--bare", help="Without a work tree, for others to push to.")] = False,
) -> None:
    """Copy a whole repository: commits, branches, tags, stages with their ledgers, facts, operations.

    Questions about the past are answered there as here. Every object is checked on its way. SRC
    becomes the remote origin. Settings and releases do not come along: mlver promote STAGE STAGE
    writes a release here. A clone that was cut short goes on when started again.
    """
    from mlver.cli.folders import absolute
    from mlver.render.sharing import clone_page
    from mlver.verbs.clone import clone

    there = absolute(session, source)
    here = absolute(session, folder if folder is not None else Path(there.name or "clone"))
    with session.progress() as progress:
        result = clone(
            there,
            here,
            bare=bare,
            actor=session.actor,
            clock=session.now,
            user_config=session.user_config,
            progress=progress,
        )
    session.show(result, lambda: clone_page(result), [result.path])
    session.warn(*(f"{path} was redacted, and left out" for path in result.left_out))
