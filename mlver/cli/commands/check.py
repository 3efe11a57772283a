"""`mlver check`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.options import OUTPUT
from mlver.cli.session import Session
from mlver.cli.stages import stage_and_scope

app = new_app()


@verb(
    app,
    dated=True,
    examples=[
        ("mlver check HEAD --against prod", "may it go live?"),
        ("mlver check v4 --against prod --md", "the table, for a pull request"),
        ("mlver check night --against prod --policy main", "would today's gate have caught it?"),
    ],
    exits={1: "something the stage asks for does not hold, or is not known"},
)
def check(
    session: Session,
    rev: Annotated[str, typer.Argument(metavar="[REV]", help="What; HEAD.", autocompletion=complete.revision)] = "HEAD",
    against: Annotated[
        str, typer.Option("--against", metavar="STAGE", help="Whose gate.", autocompletion=complete.stage)
    ] = "prod",
    scope: Annotated[str, typer.Option("--scope", metavar="SCOPE", help="For whom, such as clinic=C; everyone.")] = "",
    percent: Annotated[int, typer.Option("--percent", min=1, max=100, metavar="N", help="Share of the traffic.")] = 100,
    policy: Annotated[
        str | None, typer.Option("--policy", metavar="REV", help="The mlver.toml of this revision; of HEAD.")
    ] = None,
    md: Annotated[bool, typer.Option("--md", help="Markdown, for a pull request.", rich_help_panel=OUTPUT)] = False,
) -> int:
    """Say whether a commit has what a stage asks for. Nothing moves.

    Reads [stages.NAME] of mlver.toml: metrics (with slices, sample sizes, confidence bounds, against
    what is live now), the stage before, approvers, open alerts, lineage. What is not known does not
    hold. Metrics count when they were measured on the data as HEAD holds it.
    """
    from mlver.render.check import check_markdown, check_page
    from mlver.verbs.check import check

    stage, scope = stage_and_scope(against, scope)
    with session.open() as repo:
        result = check(repo, rev, against=stage, scope=scope, percent=percent, policy=policy)
    session.show(result, lambda: check_markdown(result) if md else check_page(result), [result.state])
    session.warn(*result.warnings)
    return int(not result.passed)
