"""`mlver gc`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    dated=True,
    examples=[
        ("mlver gc -n", "what would go, by name, and how much is that?"),
        ("mlver gc", "drop what has had no name for 90 days"),
        ("mlver gc --grace 0", "drop at once what has no name, and empty the trash"),
        ("mlver gc --grace 0 --keep best:5:recall", "... but for the five best by recall"),
        ("mlver gc --why models/triage.joblib@HEAD~3", "what keeps this model?"),
        ("mlver gc --restore", "bring back what lies in the trash"),
    ],
    exits={1: "--why: nothing keeps it", 4: "another gc is running", 5: "too damaged to tell what is needed"},
)
def gc(
    session: Session,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what it would do; do nothing.")] = False,
    keep: Annotated[
        str | None, typer.Option(metavar="POLICY", help="Also keep: measured, days:30, best:5:recall (with commas).")
    ] = None,
    grace: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long what lost its name stays, and the trash: 2w, 0.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Write every pack anew that holds anything dead.")] = False,
    why: Annotated[str | None, typer.Option(metavar="ID|PATH@REV", help="Say what keeps this; drop nothing.")] = None,
    restore: Annotated[bool, typer.Option("--restore", help="Bring back what lies in the trash.")] = False,
) -> int:
    """Drop what nothing needs any more, and put small packs together.

    Kept are all branches, tags, stages and remote branches with their history, everything that was
    ever live, all facts, and every commit that a note, mark or alert is about; and for 90 days
    (gc.retention) what a deleted branch named. The rest goes to the trash for two weeks (gc.trash).
    Safe beside any other command, with any --grace.
    """
    from mlver.errors import NegativeAnswer, UsageError
    from mlver.render.gc import gc_page, restored_page, why_page
    from mlver.verbs.gc import gc, restore_trash
    from mlver.verbs.gc_why import gc_why

    if (why is not None) + restore > 1 or ((why is not None or restore) and (dry_run or full)):
        raise UsageError("--why and --restore stand alone")
    with session.open() as repo, session.progress() as progress:
        if why is not None:
            reason = gc_why(repo, why, grace=grace, keep=keep)
            session.show(reason, lambda: why_page(reason), [step.id for step in reason.way])
            return 0 if reason.kept else NegativeAnswer.exit_code
        if restore:
            back = restore_trash(repo)
            session.show(back, lambda: restored_page(back), list(back.commits))
            if back.commits:
                session.hint(f"mlver branch NAME {back.commits[0].short} gives a commit a name again")
            return 0
        result = gc(repo, dry_run=dry_run, grace=grace, keep=keep, full=full, progress=progress)
    session.show(result, lambda: gc_page(result), [one.commit for one in result.dropped])
    if result.operation is not None and result.trash:
        session.hint("mlver gc --restore brings back what is in the trash")
    return 0
