"""`mlver commit`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli.command import new_app, verb
from mlver.cli.options import RECORDED, Jobs, Sign
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    dated=True,
    examples=[
        ("mlver commit", "everything, the message written from the diff"),
        ("mlver commit -m 'add rule R2' --why 'scanner of clinic C drops values' --alert A0020", "with its reason"),
    ],
    exits={1: "nothing to commit"},
)
def commit(
    session: Session,
    paths: Annotated[list[str] | None, typer.Argument(help="Only these files and folders.")] = None,
    message: Annotated[str | None, typer.Option("--message", "-m", metavar="TEXT", help="The message.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what it would do; do nothing.")] = False,
    allow_empty: Annotated[bool, typer.Option("--allow-empty", help="Also when nothing changed.")] = False,
    why: Annotated[
        list[str] | None,
        typer.Option("--why", metavar="TEXT", help="The reason; blame shows it.", rich_help_panel=RECORDED),
    ] = None,
    ticket: Annotated[
        list[str] | None, typer.Option("--ticket", metavar="ID", help="A ticket.", rich_help_panel=RECORDED)
    ] = None,
    alert: Annotated[
        list[str] | None, typer.Option("--alert", metavar="ID", help="The alert it answers.", rich_help_panel=RECORDED)
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="TEXT", help="Where data came from.", rich_help_panel=RECORDED),
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="K=V", help="A parameter, a seed.", rich_help_panel=RECORDED)
    ] = None,
    sign: Sign = None,
    jobs: Jobs = None,
) -> None:
    """Take one snapshot of data, models, rules, metrics, alerts, config and code together.

    There is no staging: the whole work tree is taken, except what .mlverignore leaves out. Without
    -m the message is written from the diff. Python, packages, platform and the git commit are
    recorded with it; git itself is not touched.
    """
    from mlver.cli.paths import tree_paths
    from mlver.cli.values import parse_pairs
    from mlver.render.commit import commit_page
    from mlver.verbs.commit import commit

    given = {"why": why, "ticket": ticket, "alert": alert, "source": source}
    trailers = {name: texts for name, texts in given.items() if texts}
    with session.open() as repo, session.progress() as progress:
        result = commit(
            repo,
            message,
            paths=tree_paths(repo, session, paths or []),
            trailers=trailers,
            parameters=parse_pairs(param or []),
            allow_empty=allow_empty,
            sign=sign,
            dry_run=dry_run,
            progress=progress,
            jobs=jobs,
        )
    session.show(result, lambda: commit_page(result), [result.commit] if result.commit else [])
    session.warn(*result.warnings)
    if result.commit:
        session.hint("mlver undo takes it back")
