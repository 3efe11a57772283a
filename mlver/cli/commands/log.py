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
        ("mlver log --kind data data/val", "do the validation sets ever change?"),
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
    ticket: Annotated[str | None, typer.Option("--ticket", metavar="ID", help="Which name this ticket.")] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="Which changed data, models, rules ...: data.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="From all branches, tags and stages.")] = False,
    every: Annotated[bool, typer.Option("--every", help="Every commit, however many there are.")] = False,
) -> None:
    """List commits, newest first.

    When there are more than thirty and nothing else is asked for, only the newest are listed and those
    that were live, are tagged, or that somebody wrote a note about.

    Times may be written as 2024-04-22, 2024-04-22T03:07Z, yesterday, 2h or 3d.
    """
    from mlver.cli.paths import split_revisions
    from mlver.render.log import log_page
    from mlver.verbs.log import log

    narrowed = (words, session.after_dashes, limit is not None, graph, since, until, author, grep, ticket, kind, all_)
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
            ticket=ticket,
            kind=kind,
            every=all_,
            brief=not (every or any(narrowed)) and not session.quiet,
        )
    page = lambda: log_page(result, oneline=oneline, graph=graph)  # noqa: E731
    session.show(result, page, [commit.id for commit in result.commits])
