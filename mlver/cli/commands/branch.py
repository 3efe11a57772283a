"""`mlver branch`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.refs import name_or_list
from mlver.cli.session import Session
from mlver.errors import UsageError

app = new_app()


@verb(
    app,
    examples=[
        ("mlver branch", "list them"),
        ("mlver branch exp/features prod", "a branch that starts at what is live"),
        ("mlver branch -d exp/features", "delete one; its commits stay"),
        ("mlver branch --compare exp/features main", "how far apart are they?"),
    ],
    exits={3: "the name is taken (-f moves the branch)"},
)
def branch(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(help="The branch to make, move or delete.", autocompletion=complete.branch)
    ] = None,
    rev: Annotated[str | None, typer.Argument(help="Where; HEAD.", autocompletion=complete.revision)] = None,
    delete: Annotated[bool, typer.Option("--delete", "-d", help="Delete it.")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Move it if it exists.")] = False,
    compare: Annotated[bool, typer.Option("--compare", help="How far NAME and REV (HEAD) are apart.")] = False,
) -> None:
    """List, make or delete branches.

    A deleted branch can be brought back: mlver undo.
    """
    if compare:
        _compare(session, name, rev, made=delete or force)
        return
    name_or_list(session, "branch", name, rev, delete=delete, force=force)


def _compare(session: Session, name: str | None, rev: str | None, *, made: bool) -> None:
    from mlver.render.merge import divergence_page
    from mlver.verbs.divergence import compare_branches

    if name is None or made:
        raise UsageError("--compare takes two branches and nothing else", hint="mlver branch --compare A B")
    with session.open() as repo:
        result = compare_branches(repo, name, rev or "HEAD")
    session.show(
        result, lambda: divergence_page(result), [info.id for side in (result.a, result.b) for info in side.commits]
    )
    if result.a.commits and result.b.commits:
        session.hint(f"mlver merge {name} -n says whether a merge would be clean")
