"""`mlver blame`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.session import Session
from mlver.errors import UsageError

app = new_app()


@verb(
    app,
    examples=[
        ("mlver blame prod", "every part of what is live"),
        ("mlver blame 'rules/rules.json#R2' --deleted", "who removed this rule, and why did it once come?"),
        ("mlver blame data/train.csv --row P0404 --column label", "where does this label come from?"),
    ],
)
def blame(
    session: Session,
    target: Annotated[
        str,
        typer.Argument(
            metavar="[REV|STAGE|PATH[#UNIT]]",
            help="What to blame; HEAD if not said.",
            autocompletion=complete.part,
        ),
    ] = "HEAD",
    rev: Annotated[
        str | None,
        typer.Option("--rev", metavar="REV", help="As of this revision.", autocompletion=complete.revision),
    ] = None,
    row: Annotated[
        str | None, typer.Option("--row", metavar="KEY", help="One row or unit: the same as PATH#KEY.")
    ] = None,
    column: Annotated[str | None, typer.Option("--column", metavar="NAME", help="Only this field of it.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="What is gone: who removed it, why it once came.")] = False,
    units: Annotated[bool, typer.Option("--units", help="Every unit, one line each.")] = False,
    limit: Annotated[
        int | None,
        typer.Option("-n", "--limit", min=1, metavar="N", help="At most N entries; 1000, of one unit's history 30."),
    ] = None,
) -> None:
    """Show who last changed each part, when and why.

    A revision or stage: one line per artifact. An artifact: one line per unit (a table: per
    commit, with the number of its rows). A unit: its history, newest first.
    """
    from mlver.cli.paths import any_target
    from mlver.render.blame import blame_page
    from mlver.verbs.blame import blame

    if row is not None and "#" in target:
        raise UsageError(f"{target} names a unit already", hint="leave --row out")
    with session.open() as repo:
        target = any_target(repo, session.cwd, target) + (f"#{row}" if row is not None else "")
        result = blame(repo, target, rev=rev, column=column, deleted=deleted, expand=units, limit=limit)
    ids = [unit.commit for unit in result.units if unit.commit]
    session.show(result, lambda: blame_page(result, every=units), dict.fromkeys(ids))
