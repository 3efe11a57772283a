"""`mlver restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    examples=[
        ("mlver restore -f config/pipeline.json", "throw my edit away"),
        ("mlver restore -r v2 models/ config/", "the model of v2 with its settings"),
        ("mlver restore -r prod --to /tmp/prod", "what is live, in another folder"),
    ],
    exits={3: "files with uncommitted changes would be overwritten (-f overwrites them)"},
)
def restore(
    session: Session,
    paths: Annotated[
        list[str] | None, typer.Argument(help="Files and folders; all if not said.", autocompletion=complete.path)
    ] = None,
    rev: Annotated[
        str,
        typer.Option("--rev", "-r", metavar="REV", help="From this revision; HEAD.", autocompletion=complete.revision),
    ] = "HEAD",
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Into this folder, not the work tree.")] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite uncommitted changes.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what it would do; do nothing.")] = False,
) -> None:
    """Write old files back into the work tree, or into another folder.

    Neither HEAD nor any branch or stage moves. Parts that were committed together belong together:
    when only some are restored, mlver says which no longer fit.
    """
    from mlver.cli.paths import tree_paths
    from mlver.render.refs import restore_page
    from mlver.verbs.restore import restore

    with session.open() as repo, session.progress() as progress:
        result = restore(
            repo,
            tree_paths(repo, session, paths or []),
            rev=rev,
            to=session.cwd / to if to else None,
            force=force,
            dry_run=dry_run,
            progress=progress,
        )
        as_in_head = result.commit == repo.view.head
    session.show(result, lambda: restore_page(result), [change.path for change in result.changes])
    session.warn(*(f"{path} was redacted, and left out" for path in result.left_out))
    if result.changes and not dry_run and to is None and not as_in_head:
        session.hint("mlver restore takes it back: all files as in HEAD")
