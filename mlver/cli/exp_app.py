"""The group `mlver exp` and the options its commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app
from mlver.cli.groups import DefaultGroup

Idea = Annotated[str | None, typer.Option("--idea", metavar="TEXT", help="Only experiments of this idea.")]
On = Annotated[
    str | None,
    typer.Option("--on", metavar="BRANCH", help="Only those of this branch.", autocompletion=complete.revision),
]
Metric = Annotated[
    str | None, typer.Option("--metric", metavar="NAME", help="Judge by this one: recall, recall{clinic=C}.")
]


class _Group(DefaultGroup):
    default = "list"


app = new_app(cls=_Group)


@app.callback()
def exp() -> None:
    """Look back on experiments: what varied, what came of it, what was tried.

    Nothing has to be declared. A commit is an experiment when it brought a model or metrics on a branch
    exp/*, on another branch that is not merged, or by exp run. Its idea is its trailer, else the branch;
    it is compared with the commit of the main line it started from, the main line being where prod comes
    from. Without a command, `list` is meant.
    """
