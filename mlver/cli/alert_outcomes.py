"""`mlver alerts act`, `ack`, `false`, `ignore`, `resolve`: what became of an alert."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.alerts_app import At, Ids, Reason, Ticket, app
from mlver.cli.command import verb
from mlver.cli.session import Session


@verb(
    app,
    dated=True,
    examples=[
        ("mlver alerts act A0020 --did 'added rule R2' --ticket TRI-31", "something was done"),
        ("mlver alerts act A0088 --did 'rolled back' --commit HEAD", "and this is the commit it led to"),
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
    ticket: Ticket = None,
    commit: Annotated[
        str | None,
        typer.Option("--commit", metavar="REV", help="The commit it led to.", autocompletion=complete.revision),
    ] = None,
    reason: Reason = None,
    at: At = None,
) -> None:
    """Record what was done about an alert.

    A commit made later is bound to it by `mlver commit --alert ID`, or by the same ticket.
    """
    from mlver.render.alerts import alerts_page
    from mlver.verbs.alerts import act_on_alert

    when = session.moment(at)
    with session.open() as repo:
        result = act_on_alert(repo, id, did=did, outcome=outcome, ticket=ticket, commit=commit, reason=reason, at=when)
    session.show(result, lambda: alerts_page(result, full=True), [alert.id for alert in result.alerts])


def _settle(
    session: Session, ids: list[str], outcome: str, reason: str | None, ticket: str | None, at: str | None
) -> None:
    from mlver.render.alerts import alerts_page
    from mlver.verbs.alerts import settle_alerts

    when = session.moment(at)
    with session.open() as repo:
        result = settle_alerts(repo, ids, outcome, reason=reason, ticket=ticket, at=when)
    session.show(result, lambda: alerts_page(result, full=True), [alert.id for alert in result.alerts])


@verb(
    app,
    dated=True,
    examples=[
        ("mlver alerts ack A0088", "I have seen it"),
        ("mlver alerts ack A0087 A0088 --reason 'looking'", "both, with a word"),
    ],
)
def ack(session: Session, ids: Ids, reason: Reason = None, ticket: Ticket = None, at: At = None) -> None:
    """Say that somebody has seen an alert. It is not settled by that."""
    _settle(session, ids, "acked", reason, ticket, at)


@verb(
    app,
    dated=True,
    examples=[
        ("mlver alerts false A0031 --reason 'a holiday'", "it fired for nothing"),
        ("mlver alerts false A0031 A0032", "two of them"),
    ],
)
def false(session: Session, ids: Ids, reason: Reason = None, ticket: Ticket = None, at: At = None) -> None:
    """Say that an alert was a false positive: nothing was wrong."""
    _settle(session, ids, "false-positive", reason, ticket, at)


@verb(
    app,
    dated=True,
    examples=[
        ("mlver alerts ignore A0031 --reason 'known, TRI-60'", "something is wrong, and it can stay so"),
        ("mlver alerts ignore A0031 A0032", "two of them"),
    ],
)
def ignore(session: Session, ids: Ids, reason: Reason = None, ticket: Ticket = None, at: At = None) -> None:
    """Say that nothing needs to be done about an alert.

    An alert that nobody says anything about for 14 days counts as ignored by itself, and is marked so;
    `ignored_after` of `[alerts.TYPE]` in mlver.toml changes that. One that wakes people stays open.
    """
    _settle(session, ids, "ignored", reason, ticket, at)


@verb(
    app,
    dated=True,
    examples=[
        ("mlver alerts resolve A0088", "it is over"),
        ("mlver alerts resolve A0087 A0088 --ticket INC-1", "both, and where to read on"),
    ],
)
def resolve(session: Session, ids: Ids, reason: Reason = None, ticket: Ticket = None, at: At = None) -> None:
    """Say that what an alert was about is over."""
    _settle(session, ids, "resolved", reason, ticket, at)
