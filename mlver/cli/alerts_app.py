"""The group `mlver alerts` and the options its commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app
from mlver.cli.groups import DefaultGroup

Stage = Annotated[
    str | None,
    typer.Option(
        "--stage",
        metavar="STAGE",
        help="Fired on this stage; the setting stage.default.",
        autocompletion=complete.stage,
    ),
]
Scope = Annotated[str, typer.Option("--scope", metavar="SCOPE", help="For whom, such as clinic=C.")]
Type = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only types that begin so.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="The alerts.")]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why.")]
Ticket = Annotated[str | None, typer.Option("--ticket", metavar="ID", help="A ticket.")]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="When; now.")]
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help="Not older than.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Not newer than.")]
Limit = Annotated[int | None, typer.Option("-n", "--limit", min=0, metavar="N", help="At most N.")]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="TIME", help="As it was known at this moment.")]


class _Group(DefaultGroup):
    default = "ls"


app = new_app(cls=_Group)


@app.callback()
def alerts() -> None:
    """Record alerts and what was done about them; see which ever mattered.

    Each alert is bound to the commit that was live when it fired. Without a command, `ls` is meant.
    """
