"""`mlver handover`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlver.cli.command import new_app, verb
from mlver.cli.options import OUTPUT, RECORDED
from mlver.cli.session import Session
from mlver.errors import UsageError

app = new_app()


@verb(
    app,
    dated=True,
    examples=[
        ("mlver handover", "what changed since the last handover, and what to watch"),
        ("mlver handover --since 2024-04-20 --md", "since a day, for a chat or a ticket"),
        ("mlver handover --record --to ben --text 'labels of week 3 are due'", "the next one starts here"),
    ],
)
def handover(
    session: Session,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="From this moment; the last handover, else 7d.")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Write it down: the next one starts here.", rich_help_panel=RECORDED)
    ] = False,
    to: Annotated[str | None, typer.Option("--to", metavar="NAME", help="To whom.", rich_help_panel=RECORDED)] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="TEXT", help="What they must know.", rich_help_panel=RECORDED)
    ] = None,
    md: Annotated[bool, typer.Option("--md", help="Markdown.", rich_help_panel=OUTPUT)] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write one HTML file.", rich_help_panel=OUTPUT)
    ] = None,
) -> None:
    """Hand over to whoever is next on call: what to watch, what is live, what happened, what is left.

    Promotions and rollbacks, alerts that wait (for long), mutes, incidents, objectives, metric values that
    became known, rules that came and went, stale models. Nothing is recorded without --record.
    """
    from mlver.cli.pages import show_document
    from mlver.render.handover import handover_blocks
    from mlver.verbs.handover import handover

    if (to or text) and not record:
        raise UsageError("--to and --text belong to a handover that is recorded", hint="add --record")
    start = session.moment(since)
    with session.open() as repo:
        result = handover(repo, since=start, to=to, text=text, record=record)
    show_document(session, result, lambda: handover_blocks(result), title="Handover", html=html, md=md)
