"""`mlver metrics backfill`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import verb
from mlver.cli.metrics_app import MeasuredAsOf, Revs, app, split
from mlver.cli.session import Session

if TYPE_CHECKING:
    from mlver.verbs.backfill import BackfillResult


@verb(
    app,
    dated=True,
    after_dashes=True,
    examples=[
        (
            "mlver metrics backfill recall --on data/val/static.csv -- python evaluate.py {data}",
            "every model on the validation data as it is now",
        ),
        (
            "mlver metrics backfill recall --revs night --served --on w3.csv --with y.csv -- python evaluate.py {data}",
            "when labels have arrived",
        ),
        (
            "mlver metrics backfill recall --revs v1..v4 --on val.csv@v4 --dry-run -- python evaluate.py {data}",
            "what would it cost?",
        ),
    ],
    exits={1: "some commits could not be measured"},
)
def backfill(
    session: Session,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="The metrics to record.")],
    on: Annotated[
        str, typer.Option("--on", metavar="PATH[@REV]", help="Measure on this dataset.", autocompletion=complete.path)
    ],
    revs: Revs = None,
    others: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="PATH[@REV]", help="Also lay this file over each commit: labels, a script."),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="End the command after so long; 600.")
    ] = 600.0,
    again: Annotated[bool, typer.Option("--again", help="Measure also what was measured already.")] = False,
    served: Annotated[
        bool,
        typer.Option("--served", help="These commits did serve this data: count for objectives (mlver slo)."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be done, and the cost.")] = False,
    as_of: MeasuredAsOf = None,
) -> int:
    """Measure old models with today's metric; the values belong to the old commits.

    Each commit is laid out in a scratch folder, the dataset over it, and the command behind -- runs there: it
    prints metrics as JSON, or writes them to {out}. {data} is the path of the dataset. What was measured
    already is left out. Nothing else changes: neither work tree nor commits.
    """
    from mlver.cli.paths import tree_target
    from mlver.render.backfill import backfill_page, cost
    from mlver.verbs.backfill import backfill_metrics

    with session.open() as repo:
        data = tree_target(repo, session.cwd, on)
        laid = [tree_target(repo, session.cwd, word) for word in others or []]

        def measured(dry_run: bool) -> BackfillResult:
            return backfill_metrics(
                repo,
                names,
                session.after_dashes or [],
                on=data,
                revs=split(revs),
                others=laid,
                as_of=session.moment(as_of),
                timeout=timeout,
                again=again,
                served=served,
                dry_run=dry_run,
                environment=dict(os.environ),
                tell=lambda done, total, what: session.hint(f"{done + 1} of {total}: {what}"),
            )

        result = measured(dry_run=dry_run or bool(session.after_dashes))
        if not dry_run and result.to_do:
            session.hint(cost(result))
            result = measured(dry_run=False)
    session.show(result, lambda: backfill_page(result), [row.commit for row in result.rows if row.state == "recorded"])
    return int(result.failed)
