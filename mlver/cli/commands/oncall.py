"""`mlver oncall`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli.command import new_app, verb
from mlver.cli.groups import DefaultGroup
from mlver.cli.session import Session


class _Group(DefaultGroup):
    default = "guide"


app = new_app(cls=_Group)


@app.callback()
def oncall() -> None:
    """Where to look first. Without a command, `guide` is meant."""


@verb(
    app,
    examples=[
        ("mlver oncall guide", "you were paged: what now?"),
        ("mlver oncall guide A0087", "everything worth knowing about this alert"),
    ],
)
def guide(
    session: Session,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="Only these alerts.")] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=0, metavar="N", help="At most N alerts; 4.")] = 4,
) -> None:
    """Show for each open alert what to know, most important first, and what to type next.

    What fired, on which release and since when; how often alerts of its type mattered; what was done the
    last time, by whom, and whether that still stands; which rules and checks speak of what it names; and
    what else came with the release since the last healthy one.
    """
    from mlver.render.guide import guide_page
    from mlver.verbs.oncall_guide import oncall_guide

    with session.open() as repo:
        result = oncall_guide(repo, ids or [], limit=limit)
    session.show(result, lambda: guide_page(result), [one.alert.id for one in result.alerts])
