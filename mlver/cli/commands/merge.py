"""`mlver merge`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.options import RECORDED
from mlver.cli.session import Session
from mlver.errors import UsageError

app = new_app()
_OPEN = "A merge that is open"


@verb(
    app,
    dated=True,
    examples=[
        ("mlver merge exp/features -n", "would it be clean?"),
        ("mlver merge exp/features", "bring the branch in, unit by unit"),
        ("mlver merge --theirs 'config/pipeline.json#impute'", "decide a conflict"),
        ("mlver merge --continue", "commit what is resolved"),
    ],
    exits={3: "work that is not committed would be overwritten", 4: "conflicts are left to resolve"},
)
def merge(
    session: Session,
    rev: Annotated[
        str | None, typer.Argument(help="The branch; none shows the open merge.", autocompletion=complete.revision)
    ] = None,
    message: Annotated[str | None, typer.Option("--message", "-m", metavar="TEXT", help="The message.")] = None,
    no_commit: Annotated[bool, typer.Option("--no-commit", help="Leave it open, also without conflicts.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what it would do; do nothing.")] = False,
    ours: Annotated[
        list[str] | None,
        typer.Option("--ours", metavar="PATH[#UNIT]", help="Take our side of it.", rich_help_panel=_OPEN),
    ] = None,
    theirs: Annotated[
        list[str] | None,
        typer.Option("--theirs", metavar="PATH[#UNIT]", help="Take their side of it.", rich_help_panel=_OPEN),
    ] = None,
    go_on: Annotated[bool, typer.Option("--continue", help="Commit it.", rich_help_panel=_OPEN)] = False,
    abort: Annotated[bool, typer.Option("--abort", help="Give it up; files as before.", rich_help_panel=_OPEN)] = False,
    why: Annotated[
        list[str] | None, typer.Option("--why", metavar="TEXT", help="The reason.", rich_help_panel=RECORDED)
    ] = None,
    ticket: Annotated[
        list[str] | None, typer.Option("--ticket", metavar="ID", help="A ticket.", rich_help_panel=RECORDED)
    ] = None,
) -> int:
    """Bring another branch in: rows by key, settings by path, rules by id, metrics, alerts, lines of code.

    Without conflicts it is a commit with two parents. A conflict shows both values, who made them and
    why; it is resolved by taking a side or by editing the file. Facts belong to no branch: metrics
    and alerts that were recorded need no merge.
    """
    from mlver.cli.merging import report_merge
    from mlver.cli.paths import tree_target
    from mlver.verbs.merge import abort_merge, continue_merge, merge, open_merge, resolve

    if sum((rev is not None, go_on, abort)) > 1 or (abort and (ours or theirs)):
        raise UsageError("a branch, --continue or --abort, one of them", hint="mlver merge --help")
    with session.open() as repo, session.progress() as progress:
        mine, other = ([tree_target(repo, session.cwd, word) for word in words or []] for words in (ours, theirs))
        trailers = {name: texts for name, texts in {"why": why, "ticket": ticket}.items() if texts}
        if rev is not None:
            result = merge(
                repo, rev, message=message, trailers=trailers, ours=mine, theirs=other,
                no_commit=no_commit, dry_run=dry_run, progress=progress,
            )  # fmt: skip
        elif abort:
            result = abort_merge(repo, progress=progress)
        else:
            result = resolve(repo, ours=mine, theirs=other) if mine or other else open_merge(repo)
            if go_on:
                result = continue_merge(repo, message=message, trailers=trailers, progress=progress)
    return report_merge(session, result)
