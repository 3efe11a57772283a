"""`mlver suspect`."""

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
        ("mlver suspect P0481 P0486 P0500 --on data/live/w3.csv --good v2 --bad night", "what do they have in common?"),
        ("mlver suspect P0481 --on data/live/w3.csv --good v2 --by clinic", "rows of whose clinic were changed?"),
    ],
)
def suspect(
    session: Session,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Keys of the rows predicted badly.")],
    on: Annotated[
        str,
        typer.Option("--on", metavar="PATH[@REV]", help="The table they are in.", autocompletion=complete.path),
    ],
    good: Annotated[
        str, typer.Option("--good", metavar="REV", help="All was well then.", autocompletion=complete.revision)
    ],
    bad: Annotated[
        str, typer.Option("--bad", metavar="REV", help="What served them; HEAD.", autocompletion=complete.revision)
    ] = "HEAD",
    by: Annotated[
        str | None, typer.Option("--by", metavar="COLUMN", help="Changed rows touch predictions of the same value.")
    ] = None,
) -> None:
    """Rank rules, commits and rows by how many bad predictions they touch.

    A rule touches the rows it fires on, a commit those that the rules it changed decide otherwise, or those
    whose slice it changed rows of. Each suspect counts for the bad ones and against the others it touches.
    """
    from mlver.render.suspect import suspect_page
    from mlver.verbs.suspect import suspect

    with session.open() as repo:
        result = suspect(repo, ids, on, good=good, bad=bad, by=by)
    session.show(result, lambda: suspect_page(result), [one.name for one in result.suspects])
