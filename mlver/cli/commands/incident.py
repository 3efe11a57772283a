"""`mlver incident`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlver.cli.command import new_app, verb
from mlver.cli.groups import DefaultGroup
from mlver.cli.options import OUTPUT
from mlver.cli.session import Session
from mlver.errors import UsageError

if TYPE_CHECKING:
    from mlver.verbs.incident import IncidentResult

Id = Annotated[str, typer.Argument(metavar="ID", help="The incident, such as INC-1.")]
Alerts = Annotated[list[str] | None, typer.Option("--alert", metavar="ID", help="An alert that belongs to it.")]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write one HTML file.", rich_help_panel=OUTPUT)
]
Markdown = Annotated[bool, typer.Option("--md", help="Markdown, for a ticket.", rich_help_panel=OUTPUT)]
Texts = list[str] | None


class _Group(DefaultGroup):
    default = "list"


app = new_app(cls=_Group)


@app.callback()
def incident() -> None:
    """Take down what went wrong, and have the report written.

    Alerts, releases, rollbacks, metric values and commits are known already; what only people know is linked:
    which alert, which cause, who was hit, what is left to do. Without a command, `list` is meant.
    """


def _answer(session: Session, result: IncidentResult) -> None:
    from mlver.render.incident import incident_page

    session.show(result, lambda: incident_page(result.incident), [result.incident.id])


@verb(
    app,
    "open",
    dated=True,
    examples=[
        ("mlver incident open INC-1 --alert A0088 --reason 'clinic C is not referred'", "it begins"),
        ("mlver incident open INC-2 --at 2024-04-22T02:00Z --reason 'found later'", "it began then"),
    ],
)
def open_(
    session: Session,
    id: Id,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="What is wrong.")] = None,
    alert: Alerts = None,
    stage: Annotated[str | None, typer.Option("--stage", metavar="STAGE", help="Where.")] = None,
    scope: Annotated[str, typer.Option("--scope", metavar="SCOPE", help="For whom, such as clinic=C; all.")] = "",
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When it began; now.")] = None,
) -> None:
    """Open an incident, or open one again that was closed."""
    from mlver.verbs.incident import open_incident

    if reason is None:
        raise UsageError("an incident needs a reason", hint=f"mlver incident open {id} --reason WHAT")
    when = session.moment(at)
    with session.open() as repo:
        result = open_incident(repo, id, reason=reason, alerts=alert or [], stage=stage, scope=scope, at=when)
    _answer(session, result)
    session.hint(f"mlver incident show {id} says what to do next")


@verb(
    app,
    dated=True,
    examples=[
        ("mlver incident note INC-1 'clinic C was called'", "what happened"),
        ("mlver incident note INC-1 'paged' --at 03:07Z --author eve", "and when"),
    ],
)
def note(
    session: Session,
    id: Id,
    words: Annotated[list[str], typer.Argument(metavar="TEXT", help="What happened.")],
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When it happened; now.")] = None,
) -> None:
    """Write down what happened or was found out."""
    from mlver.verbs.incident import note_incident

    when = session.moment(at)
    with session.open() as repo:
        result = note_incident(repo, id, " ".join(words), at=when)
    _answer(session, result)


@verb(
    app,
    dated=True,
    examples=[
        ("mlver incident link INC-1 --cause 'rules/rules.json#R2@49f75db1a1'", "what did it, in which commit"),
        ("mlver incident link INC-1 --affected P0481 P0490 P0497", "who is to be called"),
        ("mlver incident link INC-1 --follow-up 'gate by clinic' --ticket TRI-61", "what is left to do"),
        ("mlver incident link INC-1 --done 1", "it is done"),
    ],
)
def link(
    session: Session,
    id: Id,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="More ids after --affected.")] = None,
    alert: Alerts = None,
    commit: Annotated[Texts, typer.Option("--commit", metavar="REV", help="A commit or release it is about.")] = None,
    cause: Annotated[
        Texts, typer.Option("--cause", metavar="CAUSE", help="REV, PATH#UNIT@REV, or PATH#UNIT to have it found.")
    ] = None,
    ticket: Annotated[Texts, typer.Option("--ticket", metavar="ID", help="What names this belongs to it.")] = None,
    follow_up: Annotated[Texts, typer.Option("--follow-up", metavar="TEXT", help="Something left to do.")] = None,
    affected: Annotated[Texts, typer.Option("--affected", metavar="ID", help="Who or which rows were hit.")] = None,
    done: Annotated[list[int] | None, typer.Option("--done", metavar="N", help="Follow-up N is done.")] = None,
    text: Annotated[str | None, typer.Option("--text", metavar="TEXT", help="What to say of the cause.")] = None,
) -> None:
    """Tie to an incident what only people know."""
    from mlver.verbs.incident import link_incident

    if ids and not affected:
        raise UsageError(f"what is {ids[0]!r} to the incident?", hint=f"mlver incident link {id} --affected {ids[0]}")
    with session.open() as repo:
        result = link_incident(
            repo,
            id,
            alerts=alert or [],
            commits=commit or [],
            causes=cause or [],
            tickets=ticket or [],
            follow_ups=follow_up or [],
            affected=[*(affected or []), *(ids or [])],
            done=done or [],
            text=text,
        )
    _answer(session, result)


@verb(
    app,
    dated=True,
    examples=[
        ("mlver incident close INC-1 --reason 'v4 is live, labels are fixed'", "it is over"),
        ("mlver incident close INC-1 --reason 'no harm found' --json", "for scripts"),
    ],
)
def close(
    session: Session,
    id: Id,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="What ended it.")] = None,
) -> None:
    """Close an incident; follow-ups stay open until they are done."""
    from mlver.verbs.incident import close_incident

    if reason is None:
        raise UsageError("closing needs a reason", hint=f"mlver incident close {id} --reason WHAT")
    with session.open() as repo:
        result = close_incident(repo, id, reason=reason)
    _answer(session, result)


@verb(
    app,
    "list",
    examples=[
        ("mlver incident list", "all of them, open ones first"),
        ("mlver incident list --state open", "what is going on?"),
    ],
)
def list_(
    session: Session,
    state: Annotated[str | None, typer.Option("--state", metavar="STATE", help="open or closed.")] = None,
) -> None:
    """List incidents, open ones first."""
    from mlver.render.incident import incidents_page
    from mlver.verbs.incident import list_incidents

    with session.open() as repo:
        result = list_incidents(repo, state=state)
    session.show(result, lambda: incidents_page(result), [one.id for one in result.incidents])


@verb(
    app,
    examples=[
        ("mlver incident show INC-1", "where it stands, and what to type next"),
        ("mlver incident show INC-1 --json", "for programs"),
    ],
)
def show(session: Session, id: Id) -> None:
    """Show on one screen where an incident stands and what to do next."""
    from mlver.render.incident import incident_show_page
    from mlver.verbs.incident_report import report_incident

    with session.open() as repo:
        result = report_incident(repo, id)
    session.show(result, lambda: incident_show_page(result), [id])


@verb(
    app,
    examples=[
        ("mlver incident report INC-1", "what happened, for how long, why, and to whom"),
        ("mlver incident report INC-1 --html inc-1.html", "to send around"),
        ("mlver incident report INC-1 --md", "for a ticket"),
    ],
)
def report(session: Session, id: Id, html: Html = None, md: Markdown = False) -> None:
    """Write the report: releases, causes, timeline, objectives then and now, who was hit, what is left.

    Everything in it is recorded: what nobody linked and nothing shows is left out or said to be unknown.
    The same repository gives the same bytes.
    """
    from mlver.cli.pages import show_document
    from mlver.render.incident import report_blocks
    from mlver.verbs.incident_report import report_incident

    with session.open() as repo:
        result = report_incident(repo, id)
    show_document(session, result, lambda: report_blocks(result), title=f"Incident {id}", html=html, md=md)
