"""`mlver report`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mlver.cli.command import new_app, verb
from mlver.cli.options import OUTPUT
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    dated=True,
    examples=[
        ("mlver report --html report.html", "one file, to be opened anywhere or sent around"),
        ("mlver report prod --since 30d --md", "the last month, for a ticket"),
    ],
)
def report(
    session: Session,
    stage: Annotated[str | None, typer.Argument(metavar="[STAGE]", help="Of this stage; prod.")] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write one HTML file.", rich_help_panel=OUTPUT)
    ] = None,
    md: Annotated[bool, typer.Option("--md", help="Markdown.", rich_help_panel=OUTPUT)] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only what was not over by then.")
    ] = None,
) -> None:
    """Report to people who run no commands: product metrics by release, stages, objectives, alerts, incidents.

    Metrics with product = true in mlver.toml lead. It is as of the last operation of the repository, or of
    --date; the same repository gives the same bytes. The HTML file needs no network and runs no script.
    """
    from mlver.cli.pages import show_document
    from mlver.render.report import report_blocks
    from mlver.render.values import when
    from mlver.verbs.report import report

    dated = session.date or os.environ.get("MLVER_DATE")
    with session.open() as repo:
        at = session.now() if dated else repo.state.operation.time
        start = session.moment(since)
        result = report(repo, stage=stage, since=start, at=at)
    title = f"Releases on {result.stage}, {when(result.at)}"
    foot = "Written by mlver from what is recorded. Nothing in it was estimated."
    show_document(session, result, lambda: report_blocks(result), title=title, html=html, md=md, foot=foot)
