"""`mlver status`."""

from __future__ import annotations

from mlver.cli.command import new_app, verb
from mlver.cli.options import Jobs
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    examples=[
        ("mlver status", "where am I?"),
        ("mlver status --json | jq '.changes[].path'", "changed paths, for a script"),
    ],
)
def status(session: Session, jobs: Jobs = None) -> None:
    """Show what changed in the work tree, what is stale and what is live.

    Reads only files whose size or time changed. An artifact is stale when it was made from inputs
    that have changed since: a model whose training data moved on.
    """
    from mlver.render.status import status_page
    from mlver.verbs.status import status

    with session.open() as repo:
        result = status(repo, jobs=jobs)
    session.show(result, lambda: status_page(result), [change.path for change in result.changes])
