"""The group `mlver metrics` and the options its commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app
from mlver.cli.groups import DefaultGroup
from mlver.cli.options import RECORDED

AsOf = Annotated[str | None, typer.Option("--as-of", metavar="TIME", help="As it was known at this moment.")]
Names = Annotated[list[str] | None, typer.Option("--name", metavar="NAME", help="Only this metric.")]
Metric = Annotated[str, typer.Argument(metavar="NAME", help="The metric: recall, or recall{clinic=C} for a slice.")]
On = Annotated[
    list[str] | None,
    typer.Option("--on", metavar="PATH", help="Measured on this dataset.", autocompletion=complete.path),
]
Revs = Annotated[
    list[str] | None,
    typer.Option("--revs", metavar="REV", help="These commits (also A..B, or with commas); all models."),
]
Window = Annotated[
    str | None, typer.Option("--window", metavar="TEXT", help="Of this stretch of time: 7d.", rich_help_panel=RECORDED)
]
Estimate = Annotated[
    bool, typer.Option("--estimate", help="Estimated without labels, not measured.", rich_help_panel=RECORDED)
]
MeasuredAsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIME", help="With the labels of then; now.", rich_help_panel=RECORDED),
]


class _Group(DefaultGroup):
    default = "show"


app = new_app(cls=_Group)


@app.callback()
def metrics() -> None:
    """Record, show and compare metric values of commits.

    Values may come weeks after the commit, when the labels are in; the commit never changes. What
    is not known yet is `unknown`, never good. Without a command, `show` is meant.
    """


def split(words: list[str] | None) -> list[str]:
    """Return what was given several times, or with commas between."""
    return [part.strip() for word in words or [] for part in word.split(",") if part.strip()]
