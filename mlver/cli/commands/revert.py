"""`mlver revert`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.options import RECORDED
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    dated=True,
    after_dashes=True,
    examples=[
        ("mlver revert HEAD~2", "take back what that commit changed"),
        ("mlver revert 3f2a91c -- 'config/pipeline.json#impute'", "only this key of it"),
        ("mlver revert 3f2a91c models/ -n", "would the model of before come back?"),
    ],
    exits={
        1: "nothing of it is left to revert",
        3: "work that is not committed would be overwritten",
        4: "a unit was changed again since: conflicts to resolve",
    },
)
def revert(
    session: Session,
    rev: Annotated[str, typer.Argument(help="The commit to take back.", autocompletion=complete.revision)],
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="[--] [PATH[#UNIT]]...", help="Only these.", autocompletion=complete.path),
    ] = None,
    message: Annotated[str | None, typer.Option("--message", "-m", metavar="TEXT", help="The message.")] = None,
    no_commit: Annotated[bool, typer.Option("--no-commit", help="Leave it open: mlver merge --continue.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what it would do; do nothing.")] = False,
    why: Annotated[
        list[str] | None, typer.Option("--why", metavar="TEXT", help="The reason.", rich_help_panel=RECORDED)
    ] = None,
    ticket: Annotated[
        list[str] | None, typer.Option("--ticket", metavar="ID", help="A ticket.", rich_help_panel=RECORDED)
    ] = None,
) -> int:
    """Take back what one commit changed, in a new commit: only those units.

    A colleague's later good change in the same file stays. A unit that was changed again since is a
    conflict, shown with who changed it and why. Of a merge commit, what it brought in is taken back.
    """
    from mlver.cli.merging import report_merge
    from mlver.cli.paths import tree_target
    from mlver.verbs.revert import revert

    given = {"why": why, "ticket": ticket}
    with session.open() as repo, session.progress() as progress:
        words = [*(targets or []), *(session.after_dashes or [])]
        result = revert(
            repo,
            rev,
            targets=[tree_target(repo, session.cwd, word) for word in words],
            message=message,
            trailers={name: texts for name, texts in given.items() if texts},
            no_commit=no_commit,
            dry_run=dry_run,
            progress=progress,
        )
    return report_merge(session, result)
