"""`mlver slo`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli.command import new_app, verb
from mlver.cli.groups import DefaultGroup
from mlver.cli.session import Session

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="These objectives; all.")]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="TIME", help="What was live and known at this moment.")]


class _Group(DefaultGroup):
    default = "check"


app = new_app(cls=_Group)


@app.callback()
def slo() -> None:
    """Say whether what was promised holds: met, broken or unknown.

    Objectives stand in mlver.toml: [slo.triage] with require = ["recall{clinic=C} >= 0.9"] and stage =
    "prod". What nobody has measured since it went live is unknown, never met; when labels arrive
    weeks later, the past is judged again. Without a command, `check` is meant.
    """


@verb(
    app,
    examples=[
        ("mlver slo", "does what is live keep its promises?"),
        ("mlver slo check triage --as-of 2024-04-22T03:07Z", "what could be known that night?"),
    ],
    exits={1: "an objective is broken by what is live"},
)
def check(session: Session, names: Names = None, as_of: AsOf = None) -> int:
    """Judge what is live by every objective.

    Values count that were measured on the datasets the objective names (on = "data/live/*"); when it names
    none, those learned after the release went live, on data that is not committed with it.
    """
    from mlver.render.slo import slo_page
    from mlver.verbs.slo import check_slos

    with session.open() as repo:
        result = check_slos(repo, names or [], as_of=session.moment(as_of))
    session.show(result, lambda: slo_page(result), [f"{slo.name} {slo.state}" for slo in result.slos])
    return int(result.broken)


@verb(
    app,
    examples=[
        ("mlver slo history", "was it kept all the time?"),
        ("mlver slo history triage --as-of 2024-04-22T03:07Z", "as one could know it then"),
    ],
)
def history(session: Session, names: Names = None, as_of: AsOf = None) -> None:
    """Judge everything that was ever live, newest first, as known now or at a moment."""
    from mlver.render.slo import slo_history_page
    from mlver.verbs.slo import slo_history

    with session.open() as repo:
        result = slo_history(repo, names or [], as_of=session.moment(as_of))
    rows = [f"{tenure.slo} {tenure.state} {tenure.commit}" for tenure in result.tenures]
    session.show(result, lambda: slo_history_page(result), rows)
