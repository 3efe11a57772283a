"""`mlver reproduce`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    examples=[
        ("mlver reproduce prod", "every recorded step of what is live"),
        ("mlver reproduce night --step train --times 2", "does training always give the same?"),
    ],
    exits={1: "something came out differently, or a step failed"},
)
def reproduce(
    session: Session,
    rev: Annotated[str, typer.Argument(metavar="[REV]", help="What; HEAD.", autocompletion=complete.revision)] = "HEAD",
    step: Annotated[
        str | None, typer.Option("--step", metavar="NAME", help="Only this step, by name or by what it writes.")
    ] = None,
    times: Annotated[int, typer.Option("--times", min=1, metavar="N", help="Run each step so often.")] = 1,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="For one run of a step.")
    ] = 3600.0,
) -> int:
    """Run the recorded steps of a commit again and compare what comes out.

    Each step gets exactly the inputs it had, in a scratch folder; nothing here changes. Says of each output
    whether bytes or meaning are the same, and what differs between the environments.
    """
    from mlver.render.bisect import reproduce_page
    from mlver.verbs.reproduce import reproduce

    with session.open() as repo:
        result = reproduce(repo, rev, step=step, times=times, timeout=timeout, environment=dict(os.environ))
    session.show(
        result, lambda: reproduce_page(result), [output.path for one in result.steps for output in one.outputs]
    )
    return int(not result.same)
