"""`mlver impact`."""

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
        ("mlver impact data/train.csv@v2", "which models were made from this table, and are they live?"),
        ("mlver impact 'config/pipeline.json#impute'", "what did this setting reach?"),
    ],
)
def impact(
    session: Session,
    target: Annotated[
        str,
        typer.Argument(metavar="PATH[@REV][#UNIT]|REV", help="What it started from.", autocompletion=complete.part),
    ],
) -> None:
    """Show what was made from some data, rule or key, and where it went live.

    Models and metrics made from it, directly or in steps; the stages that served them and when;
    the alerts that fired meanwhile.
    """
    from mlver.cli.paths import any_target
    from mlver.render.lineage import impact_page
    from mlver.verbs.impact import impact

    with session.open() as repo:
        result = impact(repo, any_target(repo, session.cwd, target))
    session.show(result, lambda: impact_page(result), result.commits)
