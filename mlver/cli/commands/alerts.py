"""`mlver alerts`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.groups import DefaultGroup
from mlver.cli.session import Session

Stage = Annotated[
    str | None,
    typer.Option(
        "--stage",
        metavar="STAGE",
        help="Fired on this stage; the setting stage.default.",
        autocompletion=complete.stage,
    ),
]
Scope = Annotated[str, typer.Option("--scope", metavar="SCOPE", help="For whom, such as clinic=C.")]
Type = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only types that begin so.")]


class _Group(DefaultGroup):
    default = "ls"


app = new_app(cls=_Group)


@app.callback()
def alerts() -> None:
    """Record alerts and what was done about them; see which ever mattered.

    Each alert is bound to the commit that was live when it fired. Without a command, `ls` is meant.
    """


@verb(
    app,
    dated=True,
    examples=[
        ("mlver alerts add flag_rate_drop --severity page --scope clinic=C", "it fires now"),
        ("mlver alerts add null_fraction --id A0087 --at 2024-04-22T02:40Z", "it fired then"),
    ],
)
def add(
    session: Session,
    type: Annotated[str, typer.Argument(help="What kind of alert, such as null_fraction.")],
    id: Annotated[str | None, typer.Option("--id", metavar="ID", help="Its id, if it has one.")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When it fired; now.")] = None,
    severity: Annotated[
        str, typer.Option("--severity", metavar="WORD", help="info, warn, page, critical; warn.")
    ] = "warn",
    summary: Annotated[str | None, typer.Option("--summary", metavar="TEXT", help="What it says.")] = None,
    stage: Stage = None,
    scope: Scope = "",
) -> None:
    """Record an alert."""
    from mlver.render.alerts import alerts_page
    from mlver.verbs.alerts import add_alert

    when = session.moment(at)
    with session.open() as repo:
        result = add_alert(repo, type, id=id, at=when, severity=severity, summary=summary, stage=stage, scope=scope)
    session.show(result, lambda: alerts_page(result, full=True), [alert.id for alert in result.alerts])


@verb(
    app,
    "import",
    dated=True,
    examples=[
        ("mlver alerts import alerts/history.jsonl", "alerts and what became of them"),
        ("mlver alerts import pager.csv --stage canary", "of another stage"),
    ],
)
def import_(
    session: Session,
    file: Annotated[Path, typer.Argument(help="A JSONL, CSV or JSON file.")],
    stage: Stage = None,
    scope: Scope = "",
) -> None:
    """Read alerts and their outcomes from a file.

    Alerts known already are not doubled, so the same file can be imported again.
    """
    from mlver.render.alerts import imported_page
    from mlver.verbs.alerts import import_alerts

    with session.open() as repo:
        result = import_alerts(repo, session.cwd / file, stage=stage, scope=scope)
    session.show(result, lambda: imported_page(result), [alert.id for alert in result.alerts])
    if result.added:
        session.hint("mlver alerts stats shows which types ever mattered")


@verb(
    app,
    examples=[
        ("mlver alerts ls --state open", "what waits for somebody?"),
        ("mlver alerts ls A0087", "one alert, and all that was done about it"),
    ],
)
def ls(
    session: Session,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="Only these.")] = None,
    type: Type = None,
    state: Annotated[str | None, typer.Option("--state", metavar="WORD", help="open, acted, ignored ...")] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Not older than.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Not newer than.")] = None,
    limit: Annotated[int | None, typer.Option("-n", "--limit", min=0, metavar="N", help="At most N.")] = None,
) -> None:
    """List alerts, newest first."""
    from mlver.render.alerts import alerts_page
    from mlver.verbs.alerts import list_alerts

    first, last = session.moment(since), session.moment(until)
    with session.open() as repo:
        result = list_alerts(repo, type=type, state=state, since=first, until=last, ids=ids or [], limit=limit)
    session.show(result, lambda: alerts_page(result, full=bool(ids)), [alert.id for alert in result.alerts])


@verb(
    app,
    dated=True,
    examples=[
        ("mlver alerts act A0020 --did 'added rule R2' --ticket TRI-31", "something was done"),
        ("mlver alerts act A0021 --outcome false-positive", "it meant nothing"),
    ],
)
def act(
    session: Session,
    id: Annotated[str, typer.Argument(help="The alert.")],
    did: Annotated[str | None, typer.Option("--did", metavar="TEXT", help="What was done.")] = None,
    outcome: Annotated[
        str,
        typer.Option("--outcome", metavar="WORD", help="acted, acked, false-positive, ignored, resolved; acted."),
    ] = "acted",
    ticket: Annotated[str | None, typer.Option("--ticket", metavar="ID", help="A ticket.")] = None,
    commit: Annotated[
        str | None,
        typer.Option("--commit", metavar="REV", help="The commit it led to.", autocompletion=complete.revision),
    ] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When; now.")] = None,
) -> None:
    """Record what was done about an alert.

    A commit made later is bound to it by `mlver commit --alert ID`, or by the same ticket.
    """
    from mlver.render.alerts import alerts_page
    from mlver.verbs.alerts import act_on_alert

    when = session.moment(at)
    with session.open() as repo:
        result = act_on_alert(repo, id, did=did, outcome=outcome, ticket=ticket, commit=commit, at=when)
    session.show(result, lambda: alerts_page(result, full=True), [alert.id for alert in result.alerts])


@verb(
    app,
    examples=[
        ("mlver alerts stats", "which alerts are worth getting up for?"),
        ("mlver alerts stats --type null_fraction", "what was done about these, last time?"),
    ],
)
def stats(
    session: Session,
    type: Type = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="TIME", help="As it was known at this moment.")
    ] = None,
) -> None:
    """Show per type how often it fired, how often it was acted on, and what was done last.

    The share acted on comes with its 95 % interval (Wilson): 3 of 3 says less than 30 of 30.
    """
    from mlver.render.alerts import stats_page
    from mlver.verbs.alert_stats import alert_stats

    with session.open() as repo:
        result = alert_stats(repo, type=type, as_of=session.moment(as_of))
    session.show(result, lambda: stats_page(result), [stats.type for stats in result.types])
