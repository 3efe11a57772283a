"""`mlver repair`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

app = new_app()


@verb(
    app,
    dated=True,
    examples=[
        ("mlver repair -n", "what could be mended, and what would be left?"),
        ("mlver repair", "mend what can be, from what is left here"),
        ("mlver repair --from origin", "... and copy what is missing from origin"),
        ("mlver repair --from /backup/triage", "... or from any copy or clone"),
    ],
    exits={4: "gc or another repair is running", 5: "something is damaged still", 8: "no repository to copy from"},
)
def repair(
    session: Session,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="DIR|REMOTE", help="Copy what is missing from there.", autocompletion=complete.remote
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what it would do; do nothing.")] = False,
) -> int:
    """Make damage good; name what is left, and what that hurts.

    Head slots are written anew from the operations, releases from their commits, caches from all
    of it. A flipped bit is found and put right. Of a damaged pack all that is good goes into a new
    one, and the old file to .mlver/quarantine/, with a note. Every object that is copied is
    checked. Nothing is deleted, and other commands may run meanwhile.
    """
    from mlver.errors import Damaged
    from mlver.render.repair import repair_page
    from mlver.verbs.repair import repair

    with session.open(salvage=True) as repo, session.progress() as progress:
        result = repair(repo, _place(session, repo, source), dry_run=dry_run, progress=progress)
    session.show(result, lambda: repair_page(result), [problem.what for problem in result.left])
    if result.left and source is None:
        session.hint("mlver repair --from DIR copies what is missing from a clone or backup")
    return 0 if result.ok else Damaged.exit_code


def _place(session: Session, repo: Repository, source: str | None) -> str | None:
    """Return a folder as an absolute path, unless a remote has that name; what is neither as it is."""
    from pathlib import Path

    from mlver.cli.folders import absolute
    from mlver.errors import UsageError
    from mlver.storage.looking import is_folder

    if source is None:
        return None
    if source.strip() == "":
        raise UsageError("--from: an empty name", hint="mlver repair --from DIR|REMOTE")
    try:
        known = source in repo.settings.remotes()
    except UsageError:  # damaged settings do not keep a folder from being looked at
        known = False
    folder = absolute(session, Path(source))
    return str(folder) if is_folder(folder) and not known else source
