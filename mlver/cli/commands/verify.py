"""`mlver verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    examples=[
        ("mlver verify prod", "who signed what is live, who signed that it is, and is every byte as it was?"),
        ("mlver verify v2 HEAD", "two commits"),
        ("mlver verify --all", "all commits, and every move of a stage"),
    ],
    exits={1: "unsigned, signed by a key that does not count, or something is not as it was signed"},
)
def verify(
    session: Session,
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="[REV|STAGE]...", help="What; HEAD.", autocompletion=complete.revision),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All there is; unsigned counts where a stage asks.")] = False,
) -> int:
    """Check signatures, and all they rest on.

    A signature holds when it is over just this commit or promotion, made with an SSH key that counts, by the
    one who is named in it. Whose keys count is said by the file of signing.allowed_signers, else by the
    one that [policy] allowed_signers in mlver.toml names. Every object and operation below is read and hashed
    anew; what is not as it was is named.
    """
    from mlver.render.verify import verify_page
    from mlver.verbs.verify import verify

    with session.open() as repo, session.progress() as progress:
        result = verify(repo, targets or (), every=every, progress=progress)
    session.show(result, lambda: verify_page(result), [row.commit for row in result.rows if not row.seal.holds])
    return 0 if result.ok else 1
