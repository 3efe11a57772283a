"""`mlver push`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    dated=True,
    examples=[
        ("mlver push", "everything that is new here, to origin"),
        ("mlver push origin main", "only this branch, besides tags, stages and facts"),
        ("mlver push -n", "what would be sent, and how much?"),
    ],
    exits={3: "somebody works there on that branch", 4: "there is something to pull first", 8: "not there"},
)
def push(
    session: Session,
    remote: Annotated[
        str | None, typer.Argument(metavar="[REMOTE]", help="Where to; origin.", autocompletion=complete.remote)
    ] = None,
    branches: Annotated[
        list[str] | None, typer.Argument(metavar="[BRANCH]...", help="Which; all.", autocompletion=complete.branch)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what it would do; do nothing.")] = False,
) -> None:
    """Send what is new here: branches, tags, stages with their ledgers, facts.

    Facts of everybody come together and never conflict. A branch only moves forward, and a stage
    that was moved on both sides is refused, both moves named. Only what is missing there is sent,
    and nothing is seen of it before it is whole.
    """
    from mlver.render.sharing import push_page
    from mlver.verbs.push import push

    with session.open() as repo, session.progress() as progress:
        result = push(repo, remote, branches or (), dry_run=dry_run, progress=progress)
    session.show(result, lambda: push_page(result), [ref.name for ref in result.refs])
