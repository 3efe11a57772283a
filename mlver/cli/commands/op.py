"""`mlver op`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli.command import new_app, verb
from mlver.cli.groups import DefaultGroup
from mlver.cli.session import Session


class _Group(DefaultGroup):
    default = "log"


app = new_app(cls=_Group)


@app.callback()
def op() -> None:
    """Show every operation on this repository: the history of branches, tags, HEAD and stages.

    Without a command, `log` is meant.
    """


@verb(
    app,
    examples=[
        ("mlver op log -n 5", "what was done here lately?"),
        ("mlver op log --json | jq '.operations[0].id'", "the newest, for a script"),
    ],
)
def log(
    session: Session,
    limit: Annotated[int | None, typer.Option("-n", "--limit", min=0, metavar="N", help="At most N.")] = None,
) -> None:
    """List operations, newest first.

    Everything that moved a branch, tag or stage or recorded a fact: who, when, and what it moved.
    Any of them can be taken back with mlver undo.
    """
    from mlver.render.ops import op_log_page
    from mlver.verbs.undo import op_log

    with session.open() as repo:
        result = op_log(repo, limit=limit)
    session.show(result, lambda: op_log_page(result), [operation.id for operation in result.operations])
