"""`mlver demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    examples=[
        ("mlver demo", "in a new folder"),
        ("mlver demo clinic --no-pause", "in the folder clinic, without waiting for Enter"),
        ("mlver demo clinic --whole", "every step: experiments, a merge, bisect, gates, late labels"),
    ],
    exits={1: "a step went otherwise than the story says"},
)
def demo(
    session: Session,
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Where; a new folder if not said.")] = None,
    pause: Annotated[bool, typer.Option("--pause/--no-pause", help="Wait for Enter before each command.")] = True,
    whole: Annotated[bool, typer.Option("--whole", help="Play every step; about two minutes.")] = False,
) -> int:
    """Play the night at the clinic on real data.

    Really trains, commits, promotes and rolls back a model on the breast-cancer data that comes
    with scikit-learn, shows each command and its output, and leaves a repository to explore. Takes
    under a minute, needs no network. The whole night also makes folders beside it: the team's hub and
    a colleague's copy.
    """
    from mlver.demo.story import new_folder, run

    return run(session.cwd / folder if folder else new_folder(session.cwd), pause, whole=whole)
