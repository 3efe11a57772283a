"""`mlver cat`."""

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
        ("mlver cat prod:models/triage.joblib > triage.joblib", "the very bytes that are live"),
        ("mlver cat --head 5 data/train.csv@v1", "the first rows of a table"),
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
) -> None:
    """Print an artifact as of any revision, without restoring it.

    Exactly the stored bytes, verified while they are read. On a terminal, characters that could
    act on it are escaped. With --json, rows or units as values.
    """
    from mlver.cli import output
    from mlver.cli.paths import any_target
    from mlver.render.show import cat_page
    from mlver.verbs.cat import cat, cat_units

    with session.open() as repo:
        target = any_target(repo, session.cwd, target)
        if head is None and "#" not in target and not session.json:
            with output.byte_writer() as write:
                cat(repo, target, write)
            return
        result = cat_units(repo, target, limit=head or 20)
    session.show(result, lambda: cat_page(result), [result.path])
