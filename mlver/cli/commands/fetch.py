"""`mlver fetch`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.session import Session
from mlver.cli.sharing import CONFLICT, Reason, Stages, tell_conflicts, tell_redactions

app = new_app()


@verb(
    app,
    dated=True,
    examples=[
        ("mlver fetch", "what is new on origin, here"),
        ("mlver fetch && mlver diff HEAD origin/main", "what did the others do?"),
        ("mlver fetch --stage prod=theirs --reason 'ben is on call'", "settle a stage moved on both sides"),
    ],
    exits={3: "it is older than it was", 4: "a stage was moved on both sides", 5: "damaged there", 8: "not there"},
)
def fetch(
    session: Session,
    remote: Annotated[
        str | None, typer.Argument(metavar="[REMOTE]", help="Where from; origin.", autocompletion=complete.remote)
    ] = None,
    stage: Stages = None,
    reason: Reason = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what it would do; do nothing.")] = False,
) -> int:
    """Bring what is new there here; your branches and files stay as they are.

    Branches there can be named as origin/main. Facts, tags and moves of stages are taken over.
    Every object is checked before anything here moves.
    """
    from mlver.render.sharing import fetch_page
    from mlver.verbs.fetch import fetch

    with session.open() as repo, session.progress() as progress:
        result = fetch(repo, remote, stages=tuple(stage or ()), reason=reason, dry_run=dry_run, progress=progress)
    session.show(result, lambda: fetch_page(result), [ref.name for ref in (*result.branches_moved, *result.refs)])
    tell_conflicts(session, "fetch", result)
    tell_redactions(session, result)
    return CONFLICT if result.conflicts else 0
