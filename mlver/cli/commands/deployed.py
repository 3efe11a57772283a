"""`mlver deployed`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.session import Session
from mlver.cli.stages import stage_and_scope
from mlver.errors import UsageError

app = new_app()


@verb(
    app,
    examples=[
        ("mlver deployed", "what every stage serves now"),
        ("mlver deployed prod --at 2024-04-22T02:30Z --scope clinic=C", "what served clinic C that night?"),
        ("mlver deployed prod --history", "everything that was ever live on prod"),
    ],
    exits={1: "nothing was live there then"},
)
def deployed(
    session: Session,
    stage: Annotated[
        str | None, typer.Argument(help="The stage; all if not said.", autocompletion=complete.stage)
    ] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="At this moment, instead of now.")] = None,
    scope: Annotated[str | None, typer.Option("--scope", metavar="SCOPE", help="For whom, such as clinic=C.")] = None,
    history: Annotated[bool, typer.Option("--history", help="The whole ledger, newest first.")] = False,
) -> None:
    """Show what is or was live, where, for whom, since when and why."""
    from mlver.render.stages import deployed_page, ledger_page
    from mlver.verbs.deployed import deployed, ledger

    if at is not None and (stage is None or history):
        raise UsageError("--at asks about one stage", hint=f"mlver deployed {stage or 'prod'} --at {at}")
    if stage is not None:
        stage, named = stage_and_scope(stage, scope or "")
        scope = named or scope
    with session.open() as repo:
        if stage is None or history:
            entries = ledger(repo, stage, scope=scope)
            session.show(entries, lambda: ledger_page(entries), [entry.commit for entry in entries.entries])
            return
        result = deployed(repo, stage, scope=scope or "", at=session.moment(at))
    session.show(result, lambda: deployed_page(result), [result.commit])
