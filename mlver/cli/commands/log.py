"""`mlver log`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    after_dashes=True,
    own=("author",),
    examples=[
        ("mlver log --oneline -n 10", "the last ten"),
        ("mlver log prod@{3}..prod -- rules/", "what changed the rules lately?"),
        ("mlver log --grep TRI-31 --all", "which commits name this ticket?"),
    ],
)
def log(
    session: Session,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[REV|A..B]... [-- PATH...]", help="Where to start, and for which paths."),
    ] = None,
    limit: Annotated[int | None, typer.Option("-n", "--limit", min=0, metavar="N", help="At most N commits.")] = None,
    oneline: Annotated[bool, typer.Option("--oneline", help="One line per commit.")] = False,
    graph: Annotated[bool, typer.Option("--graph", help="Draw how the commits hang together.")] = False,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Not older than.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Not newer than.")] = None,
    author: Annotated[str | None, typer.Option("--author", metavar="NAME", help="Whose author matches.")] = None,
    grep: Annotated[
        str | None, typer.Option("--grep", metavar="WORDS", help="Whose message, reason, ticket or alert matches.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="From all branches, tags and stages.")] = False,
) -> None:
    """List commits, newest first.

    Times may be written as 2024-04-22, 2024-04-22T03:07Z, yesterday, 2h or 3d.
    """
    from mlver.cli.paths import split_revisions
    from mlver.render.log import log_page
    from mlver.verbs.log import log

    with session.open() as repo:
        revisions, paths = split_revisions(repo, session, words or [], most=1000, ranges=True)
        result = log(
            repo,
            revisions,
            paths=paths,
            limit=limit,
            since=session.moment(since),
            until=session.moment(until),
            author=author,
            grep=grep,
            every=every,
        )
    page = lambda: log_page(result, oneline=oneline, graph=graph)  # noqa: E731
    session.show(result, page, [commit.id for commit in result.commits])
