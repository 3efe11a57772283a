"""`mlver redact`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlver.verbs.redact_result import RedactResult

app = new_app()


@verb(
    app,
    dated=True,
    examples=[
        ('mlver redact config/prod.env --why "key leaked" -n', "what would go, and what was made of it?"),
        ('mlver redact config/prod.env --why "key leaked"', "remove all its versions, everywhere here"),
        ('mlver redact models/m.bin@v2 --why "licence withdrawn" --yes', "... one version, unasked"),
        (
            "mlver redact data/visits.csv --rows 'patient = 17' --why \"erasure request 17\"",
            "these rows, in all versions",
        ),
        ("mlver redact", "what was redacted here, by whom and why"),
        ("mlver redact --finish", "remove what is still here, after a pull"),
    ],
    exits={1: "nothing to redact", 3: "not confirmed, or a stage serves it now", 4: "gc or repair is running"},
)
def redact(
    session: Session,
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH[@REV]|ID...]",
            help="What goes: all versions of a file, or one.",
            autocompletion=complete.part,
        ),
    ] = None,
    why: Annotated[
        str | None, typer.Option("--why", "--reason", metavar="TEXT", help="The reason; it is kept for ever.")
    ] = None,
    rows: Annotated[
        str | None, typer.Option(metavar="CONDITION", help="Only rows of tables: patient = 17, id in ('a', 'b').")
    ] = None,
    keys: Annotated[
        str | None, typer.Option(metavar="COLUMN=FILE", help="Only rows whose COLUMN is one of the lines of FILE.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Also what a stage serves now.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what it would do; do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    finish: Annotated[bool, typer.Option("--finish", help="Remove what is still here of earlier ones.")] = False,
) -> int:
    """Remove bytes for good: from packs, trash, quarantine, releases and caches.

    Commits, ids and signatures stay. Whoever reads what is gone is told who removed it, and why.
    The plan is shown first: which commits held it, what was made from it, which stages served
    that, and where bytes may still be. It cannot be undone. With --rows or --keys only such rows
    go, out of every version of the tables. Files in the work tree stay: remove them yourself.
    Without PATH, lists what was redacted.
    """
    from mlver.cli.paths import any_target
    from mlver.errors import UsageError
    from mlver.render.redact import redact_page
    from mlver.verbs.redact import redact

    if finish or not targets:
        if (finish and targets) or why is not None or dry_run or yes or live or rows is not None or keys is not None:
            raise UsageError("redact what?", hint="mlver redact PATH --why REASON; --finish stands alone")
        return _finish(session) if finish else _list(session)
    if why is None:
        raise UsageError("a redaction needs a reason", hint='--why "erasure request 17"')
    values = _read_keys(session, keys) if keys is not None else None
    with session.open() as repo, session.progress() as progress:
        wanted = [any_target(repo, session.cwd, target) for target in targets]

        def run(only: bool) -> RedactResult:
            return redact(repo, wanted, why, rows=rows, keys=values, live=live, dry_run=only, progress=progress)

        if not (dry_run or yes):
            plan = run(True)
            _confirm(session, lambda: session.show(plan, lambda: redact_page(plan)))
        result = run(dry_run)
    session.show(result, lambda: redact_page(result), [blob.id for blob in result.blobs])
    return 0


def _finish(session: Session) -> int:
    from mlver.render.redact import finish_page
    from mlver.verbs.redact import finish_redactions

    with session.open() as repo:
        ended = finish_redactions(repo)
    session.show(ended, lambda: finish_page(ended), [])
    return 0


def _list(session: Session) -> int:
    from mlver.render.redact import redactions_page
    from mlver.verbs.redact import redactions

    with session.open() as repo:
        known = redactions(repo)
    session.show(known, lambda: redactions_page(known), [one.blob for one in known.redactions])
    if known.unfinished:
        session.hint("mlver redact --finish removes what is still here")
    return 0


def _read_keys(session: Session, text: str) -> dict[str, list[str]]:
    """Return the lines of a file, by the name of the column they are values of."""
    from pathlib import Path

    from mlver.cli.folders import absolute
    from mlver.errors import UsageError

    column, mark, name = text.partition("=")
    if not (column and mark and name):
        raise UsageError(f"not COLUMN=FILE: {text[:80]!r}", hint="--keys patient=ids.txt")
    try:
        lines = absolute(session, Path(name)).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {name}: {getattr(error, 'strerror', None) or 'not text'}") from None
    return {column: [line.strip() for line in lines if line.strip()]}


def _confirm(session: Session, show: Callable[[], None]) -> None:
    """Show the plan and ask; Refused when the answer is no, or when there is nobody to ask."""
    import sys

    from mlver.errors import Refused

    if session.json or session.quiet or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Refused("nothing was removed: nobody said yes", hint="-n shows the plan, --yes carries it out")
    show()
    if input("This cannot be undone. Type redact to go on: ").strip() != "redact":
        raise Refused("nothing was removed")
