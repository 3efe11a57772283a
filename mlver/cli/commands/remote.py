"""`mlver remote`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.groups import DefaultGroup
from mlver.cli.session import Session


class _Group(DefaultGroup):
    default = "ls"


app = new_app(cls=_Group)


@app.callback()
def remote() -> None:
    """Name the repositories to push to and fetch from.

    Without a command, `ls` is meant.
    """


@verb(
    app,
    examples=[
        ("mlver remote add origin /mnt/team/clinic", "a folder on a mounted disk"),
        ("mlver remote add ben ../ben", "a colleague's repository"),
    ],
    exits={3: "the name is taken"},
)
def add(
    session: Session,
    name: Annotated[str, typer.Argument(help="What it is called here: origin.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Its folder.")],
) -> None:
    """Give the folder of another repository a name.

    An empty folder becomes a bare repository with the first push. The name is kept in
    .mlver/config.toml and never travels.
    """
    from mlver.cli.folders import absolute
    from mlver.render.sharing import remotes_page
    from mlver.verbs.remote import add_remote

    with session.open() as repo:
        result = add_remote(repo, name, absolute(session, folder))
    session.show(result, lambda: remotes_page(result), [one.name for one in result.remotes])
    if not result.remotes[0].exists:
        session.warn(f"{result.remotes[0].where} is not there now")
    else:
        session.hint(f"mlver push {name}, or mlver fetch {name}")


@verb(
    app,
    examples=[
        ("mlver remote ls", "which repositories are known here?"),
        ("mlver remote ls --json | jq -r '.remotes[].where'", "their folders, for a script"),
    ],
)
def ls(session: Session) -> None:
    """List the other repositories known here."""
    from mlver.render.sharing import remotes_page
    from mlver.verbs.remote import list_remotes

    with session.open() as repo:
        result = list_remotes(repo)
    session.show(result, lambda: remotes_page(result), [one.name for one in result.remotes])
    if not result.remotes:
        session.hint("mlver remote add origin DIR")


@verb(
    app,
    examples=[
        ("mlver remote rm ben", "forget a repository; nothing there is touched"),
        ("mlver remote rm origin && mlver remote add origin /mnt/new", "it has moved"),
    ],
)
def rm(
    session: Session,
    name: Annotated[str, typer.Argument(help="Which.", autocompletion=complete.remote)],
) -> None:
    """Forget another repository and what was seen of it."""
    from mlver.render.sharing import remotes_page
    from mlver.verbs.remote import remove_remote

    with session.open() as repo:
        result = remove_remote(repo, name)
    session.show(result, lambda: remotes_page(result), [one.name for one in result.remotes])
