"""`mlver evidence`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.session import Session
from mlver.errors import UsageError

app = new_app()


@verb(
    app,
    dated=True,
    examples=[
        ("mlver evidence prod --at 2024-04-22T02:30Z", "what was live then, who let it, and what they knew"),
        ("mlver evidence prod/clinic=C --with-files --out c.tar", "with the bytes of all files"),
        ("mlver evidence --verify c.tar", "does it still hold together?"),
    ],
    exits={1: "the evidence does not hold together (--verify)"},
)
def evidence(
    session: Session,
    rev: Annotated[
        str | None,
        typer.Argument(metavar="REV", help="A commit, or a stage or branch.", autocompletion=complete.revision),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="What was known then, and what a stage served then.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write it there.")] = None,
    with_files: Annotated[
        bool, typer.Option("--with-files", help="With the bytes of the files, not their digests alone.")
    ] = False,
    verify: Annotated[
        Path | None, typer.Option("--verify", metavar="FILE", help="Check some; needs no repository.")
    ] = None,
) -> int | None:
    """Write one archive that shows what was live, who let it and on what evidence; it can be checked without mlver.

    It holds the commit and its folders as they are stored, a manifest of all files with their digests, the
    operations that made it live with their reasons and gates, the environment, every metric, alert and note known
    by then, and a program that computes every digest anew. The same repository and words give the same bytes.
    """
    if verify is not None:
        if rev is not None or at or out or with_files:
            raise UsageError("--verify stands alone", hint=f"mlver evidence --verify {shlex.quote(str(verify))}")
        return _verify(session, verify)
    if rev is None:
        raise UsageError("evidence of what?", hint="mlver evidence prod, or mlver evidence --verify FILE")
    from mlver.cli.pages import out_path
    from mlver.render.evidence import evidence_page
    from mlver.verbs.evidence import evidence_name, write_evidence

    dated = session.date or os.environ.get("MLVER_DATE")
    with session.open() as repo:
        moment = session.moment(at)
        if moment is None and dated and "@" not in rev:
            moment = session.now()
        name = out or Path(evidence_name(repo, rev, moment))
        result = write_evidence(repo, rev, out_path(session, name), at=moment, with_files=with_files)
    session.show(result, lambda: evidence_page(result, str(name)), [name])
    session.hint(f"mlver evidence --verify {shlex.quote(str(name))} checks it, as does the verify.py in it")
    return None


def _verify(session: Session, path: Path) -> int:
    from mlver.render.evidence import verify_page
    from mlver.verbs.evidence import verify_evidence

    result = verify_evidence(session.cwd / path)
    session.show(result, lambda: verify_page(result), [one.name for one in result.wrong])
    return 0 if result.sound else 1
