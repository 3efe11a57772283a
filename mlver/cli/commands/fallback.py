"""`mlver fallback`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.groups import DefaultGroup
from mlver.cli.session import Session


class _Group(DefaultGroup):
    default = "show"


app = new_app(cls=_Group)


@app.callback()
def fallback() -> None:
    """What serves when nothing else may: a rule, an older or simpler model.

    [stages.NAME] fallback = "PATH" in mlver.toml names it. Without a command, `show` is meant.
    """


@verb(
    app,
    examples=[
        ("mlver fallback", "is there one, and was it ever tried?"),
        ("mlver fallback show --json", "for a job that looks after it"),
    ],
)
def show(session: Session) -> None:
    """Show the fallback of each stage and what it was worth when it was last drilled."""
    from mlver.render.fallback import fallback_page
    from mlver.verbs.fallback import fallbacks

    with session.open() as repo:
        result = fallbacks(repo)
    session.show(result, lambda: fallback_page(result), [one.path for one in result.stages])


@verb(
    app,
    dated=True,
    after_dashes=True,
    examples=[
        (
            "mlver fallback drill prod --on data/live/w3.csv -- python evaluate.py {data} --model {fallback}",
            "what would it be worth today?",
        ),
        ("mlver fallback drill canary -- python smoke.py {fallback}", "that of another stage"),
    ],
    exits={1: "the command failed; nothing is recorded"},
)
def drill(
    session: Session,
    stage: Annotated[str, typer.Argument(help="The stage; prod.", autocompletion=complete.stage)] = "prod",
    words: Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND...]", help="What to run.")] = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on", metavar="PATH[@REV]", help="The data to measure on: {data}.", autocompletion=complete.path
        ),
    ] = None,
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="PATH[@REV]", help="Also lay this file over the bundle: labels, a script."),
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="For the command.")] = 600.0,
) -> None:
    """Try the fallback of a stage in a scratch folder and record what it is worth.

    The command gets the bundle that is live; {fallback} is the path of the fallback in it. It prints its
    metrics as JSON, or writes them to {out}. Nothing moves.
    """
    from mlver.render.fallback import drill_page
    from mlver.verbs.fallback import drill

    command = (*(words or ()), *(session.after_dashes or ()))
    with session.open() as repo:
        result = drill(
            repo, stage, command, data=on, overlay=with_ or (), timeout=timeout, environment=dict(os.environ)
        )
    session.show(result, lambda: drill_page(result), [result.drill.path])
