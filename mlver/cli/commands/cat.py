"""`mlver cat`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

ROWS = "Rows of a table"
app = new_app()


@verb(
    app,
    examples=[
        ("mlver cat prod:models/triage.joblib > triage.joblib", "the very bytes that are live"),
        ("mlver cat --head 5 data/train.csv@v1", "the first rows of a table"),
        ("mlver cat data/train.csv@prod --where \"clinic = 'C' and label = 1\" --columns patient_id", "some rows"),
        ("mlver cat 'config/pipeline.json#impute'", "one value"),
    ],
)
def cat(
    session: Session,
    target: Annotated[
        str, typer.Argument(metavar="PATH[@REV][#UNIT]|REV:PATH", help="What to print.", autocompletion=complete.path)
    ],
    head: Annotated[
        int | None, typer.Option("--head", min=1, metavar="N", help="The first N rows or units, as a table.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", metavar="CONDITION", help="Rows of a table that meet it.", rich_help_panel=ROWS),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", metavar="A,B", help="Only these columns, in this order.", rich_help_panel=ROWS),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=1, metavar="N", help="At most N rows; 20.", rich_help_panel=ROWS),
    ] = None,
    count: Annotated[bool, typer.Option("--count", help="Only their number.", rich_help_panel=ROWS)] = False,
) -> None:
    """Print an artifact as of any revision, without restoring it.

    Exactly the stored bytes, verified while they are read. On a terminal, characters that could
    act on it are escaped. With --json, rows or units as values.

    A condition compares columns with values: clinic = 'C' and "mean radius" >= 20, and knows or,
    not, in (...), between, like 'P04%' and is null. Of a large table no more is read than it takes.
    """
    from mlver.cli import output
    from mlver.cli.paths import any_target
    from mlver.render.show import cat_page
    from mlver.verbs.cat import cat, cat_rows, cat_units

    with session.open() as repo:
        target = any_target(repo, session.cwd, target)
        if where is not None or columns or count or limit is not None:
            names = [name.strip() for given in columns or [] for name in given.split(",")]
            rows = cat_rows(repo, target, where=where, columns=names, limit=limit or head or 20, count=count)
            session.show(rows, lambda: cat_page(rows), [rows.path if rows.count is None else rows.count])
            return
        if head is None and "#" not in target and not session.json:
            with output.byte_writer() as write:
                cat(repo, target, write)
            return
        result = cat_units(repo, target, limit=head or 20)
    session.show(result, lambda: cat_page(result), [result.path])
