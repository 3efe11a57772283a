"""`mlver pull`."""

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
        ("mlver pull", "fetch from origin, then merge its branch of this name"),
        ("mlver pull --stage prod=ours --reason 'talked to ben'", "settle a stage moved on both sides"),
    ],
    exits={3: "work that is not committed would be overwritten", 4: "conflicts are left", 8: "not there"},
)
def pull(
    session: Session,
    remote: Annotated[
        str | None, typer.Argument(metavar="[REMOTE]", help="Where from; origin.", autocompletion=complete.remote)
    ] = None,
    stage: Stages = None,
    reason: Reason = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what it would do; do nothing.")] = False,
) -> int:
    """Fetch, and bring the branch you are on up to what it is there; the files follow.

    When both sides have commits of their own they are merged unit by unit, as mlver merge does.
    """
    from mlver.cli.merging import report_merge
    from mlver.render.sharing import fetch_page, pull_page
    from mlver.verbs.pull import pull

    with session.open() as repo, session.progress() as progress:
        result = pull(repo, remote, stages=tuple(stage or ()), reason=reason, dry_run=dry_run, progress=progress)
    code = 0
    if result.merge is not None and not session.json:
        if not session.quiet:
            session.show(result.fetched, lambda: fetch_page(result.fetched))
        code = report_merge(session, result.merge)
    else:
        session.show(result, lambda: pull_page(result), [result.new] if result.new else [])
        code = CONFLICT if result.merge is not None and result.merge.unresolved else 0
    tell_conflicts(session, "pull", result.fetched)
    tell_redactions(session, result.fetched)
    return CONFLICT if result.fetched.conflicts else code
