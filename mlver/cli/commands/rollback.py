"""`mlver rollback`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.options import RECORDED, Sign
from mlver.cli.session import Session
from mlver.cli.stages import report_move, stage_and_scope

app = new_app()


@verb(
    app,
    dated=True,
    examples=[
        ("mlver rollback prod --dry-run", "what would come back?"),
        ("mlver rollback prod --reason 'A0088, clinic C'", "back to the last good release, all of it"),
        ("mlver rollback prod --to v2 --only rules", "only the rules of v2"),
    ],
    exits={
        1: "no good release is left to go back to",
        5: "an object of the release is missing or damaged; nothing moved",
    },
)
def rollback(
    session: Session,
    stage: Annotated[str, typer.Argument(help="The stage, such as prod.", autocompletion=complete.stage)],
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="REV", help="To this; the last good one.", autocompletion=complete.revision),
    ] = None,
    only: Annotated[
        str | None, typer.Option("--only", metavar="KIND", help="Only this kind: rules, config, model, data ...")
    ] = None,
    scope: Annotated[str, typer.Option("--scope", metavar="SCOPE", help="For whom, such as clinic=C; everyone.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what it would do; do nothing.")] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", "--why", metavar="TEXT", help="Why.", rich_help_panel=RECORDED)
    ] = None,
    sign: Sign = None,
) -> None:
    """Move a stage back to its last good release: the whole bundle, in one step, recorded.

    Good means: not marked bad, and no unresolved critical alert while it was live. The parts that
    were committed together come back together. A second rollback to the same place does nothing.
    """
    from mlver.verbs.rollback import rollback

    stage, scope = stage_and_scope(stage, scope)
    with session.open() as repo, session.progress() as progress:
        result = rollback(
            repo, stage, to=to, only=only, scope=scope, reason=reason, sign=sign, dry_run=dry_run, progress=progress
        )
    report_move(session, result)
