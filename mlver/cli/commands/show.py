"""`mlver show`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    examples=[
        ("mlver show prod", "what is live: context, metrics, what it changed"),
        ("mlver show 'rules/rules.json#R2'", "one rule"),
        ("mlver show v2:data/train.csv", "a table as of v2, in short"),
    ],
)
def show(
    session: Session,
    target: Annotated[
        str,
        typer.Argument(
            metavar="[REV|PATH[@REV][#UNIT]]",
            help="A commit, artifact or unit; HEAD if not said.",
            autocompletion=complete.part,
        ),
    ] = "HEAD",
) -> None:
    """Show everything known about one commit, artifact or unit.

    For a commit: who made it, when and why, with which environment, where it was live, what was
    learned about it since (metrics, alerts, notes) and what it changed.
    """
    from mlver.cli.paths import any_target
    from mlver.render.show import show_page, show_unit_page
    from mlver.verbs.show import ShowResult, show

    with session.open() as repo:
        result = show(repo, any_target(repo, session.cwd, target))
    if isinstance(result, ShowResult):
        commit = result
        session.show(commit, lambda: show_page(commit), [commit.commit.id])
    else:
        unit = result
        session.show(unit, lambda: show_unit_page(unit), [unit.path])
