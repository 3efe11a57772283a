"""`mlver lineage`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.options import OUTPUT
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    examples=[
        ("mlver lineage prod", "where does what is live come from?"),
        ("mlver lineage models/triage.joblib --dot | dot -Tsvg > lineage.svg", "a picture of it"),
        ("mlver lineage prod --prov > prod.prov.json", "for tools that read the W3C's provenance"),
    ],
)
def lineage(
    session: Session,
    target: Annotated[
        str,
        typer.Argument(
            metavar="[REV|STAGE|PATH[@REV]]", help="What to trace; HEAD if not said.", autocompletion=complete.part
        ),
    ] = "HEAD",
    depth: Annotated[int | None, typer.Option("--depth", min=0, metavar="N", help="At most N steps back.")] = None,
    dot: Annotated[bool, typer.Option("--dot", help="A graph for Graphviz.", rich_help_panel=OUTPUT)] = False,
    prov: Annotated[bool, typer.Option("--prov", help="PROV-JSON of the W3C.", rich_help_panel=OUTPUT)] = False,
) -> None:
    """Show what a model, metric or table was made from.

    Back through data, code, config and environment, by content id. What mlver saw or was told is
    given as it is; what it only concludes from the snapshot is marked as assumed.
    """
    from mlver.cli.paths import any_target
    from mlver.errors import UsageError
    from mlver.render.dot import lineage_dot
    from mlver.render.lineage import lineage_page
    from mlver.render.prov import lineage_prov
    from mlver.verbs.lineage import lineage

    if dot and prov:
        raise UsageError("--dot and --prov are two forms", hint="one at a time")
    with session.open() as repo:
        result = lineage(repo, any_target(repo, session.cwd, target), depth=depth)
    drawn = lineage_prov if prov else lineage_dot if dot else lineage_page
    session.show(result, lambda: drawn(result), [n.id for n in result.nodes])
