"""`mlver promote`."""

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
        ("mlver promote prod --reason 'recall of clinic C is back'", "make HEAD live for everyone"),
        ("mlver promote canary v2 --scope clinic=C --percent 5", "5 % of clinic C's traffic"),
        ("mlver promote prod --override --reason 'INC-1: the gate is wrong, see the notes'", "on record"),
    ],
    exits={
        1: "the stage asks for something that does not hold; mlver check says what",
        5: "an object of the release is missing or damaged; nothing moved",
    },
)
def promote(
    session: Session,
    stage: Annotated[str, typer.Argument(help="The stage, such as prod.", autocompletion=complete.stage)],
    rev: Annotated[str, typer.Argument(metavar="[REV]", help="What; HEAD.", autocompletion=complete.revision)] = "HEAD",
    scope: Annotated[str, typer.Option("--scope", metavar="SCOPE", help="For whom, such as clinic=C; everyone.")] = "",
    percent: Annotated[
        int, typer.Option("--percent", min=1, max=100, metavar="N", help="Share of the traffic, 1 to 100.")
    ] = 100,
    skip: Annotated[bool, typer.Option("--skip", help="Leave out the stage before; needs a reason.")] = False,
    override: Annotated[
        bool, typer.Option("--override", help="Pass over what does not hold; needs a reason, stays on record.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what it would do; do nothing.")] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", "--why", metavar="TEXT", help="Why.", rich_help_panel=RECORDED)
    ] = None,
    sign: Sign = None,
) -> None:
    """Make a commit live on a stage.

    Checks what the stage asks for ([stages.NAME] in mlver.toml) and that every byte of the release is
    there and whole, writes it out beside the old one, and swaps the two in one step: a crash leaves the
    old or the new release, never a mix. What was known when it moved stays in the ledger.
    """
    from mlver.verbs.promote import promote

    stage, scope = stage_and_scope(stage, scope)
    with session.open() as repo, session.progress() as progress:
        result = promote(
            repo,
            stage,
            rev,
            scope=scope,
            reason=reason,
            percent=percent,
            skip=skip,
            override=override,
            sign=sign,
            dry_run=dry_run,
            progress=progress,
        )
    report_move(session, result)
