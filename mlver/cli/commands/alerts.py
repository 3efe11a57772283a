"""`mlver alerts`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlver.cli import alert_mutes, alert_outcomes
from mlver.cli.alerts_app import AsOf, Limit, Scope, Since, Stage, Type, Until, app
from mlver.cli.command import verb
from mlver.cli.session import Session

__all__ = ["alert_mutes", "alert_outcomes", "app"]


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
        ("mlver alerts ls --state open --older-than 7d", "what has been waiting for a week?"),
        ("mlver alerts ls A0087", "one alert, and all that was done about it"),
    ],
)
def ls(
    session: Session,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="Only these.")] = None,
    type: Type = None,
    state: Annotated[str | None, typer.Option("--state", metavar="WORD", help="open, acted, ignored ...")] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="SPAN", help="Fired so long ago: 7d.")
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
) -> None:
    """List alerts, newest first."""
    from mlver.objects.time import parse_span
    from mlver.render.alerts import alerts_page
    from mlver.verbs.alerts import list_alerts

    first, last = session.moment(since), session.moment(until)
    span = parse_span(older_than) if older_than else None
    with session.open() as repo:
        result = list_alerts(
            repo, type=type, state=state, since=first, until=last, older_than=span, ids=ids or [], limit=limit
        )
    session.show(result, lambda: alerts_page(result, full=bool(ids)), [alert.id for alert in result.alerts])


@verb(
    app,
    examples=[
        ("mlver alerts show A0020", "everything that ever happened to it, and the commit it led to"),
        ("mlver alerts show A0087 A0088 --as-of 2024-04-22T03:07Z", "as it was known then"),
    ],
)
def show(
    session: Session,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The alerts.")],
    as_of: AsOf = None,
) -> None:
    """Show alerts with their history: what happened, when, by whom, and when that was recorded."""
    from mlver.render.alert_events import alert_show_page
    from mlver.verbs.alert_show import show_alerts

    with session.open() as repo:
        result = show_alerts(repo, ids, as_of=session.moment(as_of))
    session.show(result, lambda: alert_show_page(result), [one.alert.id for one in result.alerts])


@verb(
    app,
    examples=[
        ("mlver alerts history --acted", "every alert that ever mattered, and what was done"),
        ("mlver alerts history --type null_fraction -n 20", "the last that people said of this type"),
    ],
)
def history(
    session: Session,
    type: Type = None,
    acted: Annotated[bool, typer.Option("--acted", help="Only what was acted on.")] = False,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    as_of: AsOf = None,
) -> None:
    """List what people did about alerts, newest first, over all time.

    Nothing is averaged: one alert of five thousand that mattered stands here like any other.
    """
    from mlver.render.alert_events import alert_history_page
    from mlver.verbs.alerts import alert_history

    moments = {"since": session.moment(since), "until": session.moment(until), "as_of": session.moment(as_of)}
    with session.open() as repo:
        result = alert_history(repo, type=type, acted=acted, limit=limit, **moments)
    session.show(result, lambda: alert_history_page(result), [one.alert for one in result.actions])


@verb(
    app,
    examples=[
        ("mlver alerts stats", "which alerts are worth getting up for?"),
        ("mlver alerts stats --type null_fraction", "what was done about these, last time?"),
        ("mlver alerts stats --against 'recall{clinic=C} < 0.9'", "which were right, now that labels are in?"),
    ],
)
def stats(
    session: Session,
    type: Type = None,
    since: Since = None,
    by: Annotated[str | None, typer.Option("--by", metavar="WORD", help="Tell apart by stage or severity.")] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="CONDITION", help="What a real drop is; or a metric or SLO by name."),
    ] = None,
    as_of: AsOf = None,
) -> None:
    """Show per type how often it fired, how often it was acted on, and what was done last.

    The share acted on comes with its 95 % interval (Wilson): 3 of 3 says less than 30 of 30.

    With --against an alert is true when somebody acted on it, or when the release it fired on dropped by
    the metrics as they are known now; it is false when the release did not, or somebody said so; else it
    is unknown. Recall is the share of drops that had an alert of the type before anybody knew.
    """
    from mlver.render.alert_stats import stats_page
    from mlver.verbs.alert_stats import alert_stats

    moments = {"since": session.moment(since), "as_of": session.moment(as_of)}
    with session.open() as repo:
        result = alert_stats(repo, type=type, by=by, against=against, **moments)
    session.show(result, lambda: stats_page(result), [stats.type for stats in result.types])
