"""`mlver search`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    examples=[
        ("mlver search scanner", "who ever wrote about the scanner?"),
        ("mlver search 'worst block' --in note --in rule", "both words, in notes and reasons of rules"),
        ("mlver search '\"clinic C\" -canary'", "these words in this order, and another one not"),
    ],
    exits={1: "nothing was found"},
)
def search(
    session: Session,
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", help="What to look for.")],
    sources: Annotated[
        list[str] | None,
        typer.Option("--in", metavar="SOURCE", help="Only in commit, trailer, operation, rule, alert, action, note..."),
    ] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, metavar="N", help="At most N; 20.")] = 20,
) -> int:
    """Find what people wrote: messages, reasons, notes, rules, alerts and what was done about them.

    All words must be there, in any form: removed finds removes. "In quotes" they must follow each
    other; scan* begins a word; OR between two is either; -word must not be there.
    """
    from mlver.render.query import search_page
    from mlver.verbs.search import search

    with session.open() as repo:
        result = search(repo, " ".join(words), sources=sources or (), limit=limit)
    session.show(result, lambda: search_page(result), [hit.commit or hit.about or "" for hit in result.hits])
    return int(not result.hits)
