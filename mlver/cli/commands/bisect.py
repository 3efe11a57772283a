"""`mlver bisect`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.session import Session

app = new_app()

On = Annotated[
    str | None,
    typer.Option("--on", metavar="PATH[@REV]", help="The data to measure on: {data}.", autocompletion=complete.path),
]
With = Annotated[list[str] | None, typer.Option("--with", metavar="PATH[@REV]", help="Lay this over every bundle.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="For one run of the command.")]
Jobs = Annotated[
    int | None, typer.Option("--jobs", min=1, metavar="N", help="Try so many bundles side by side; one a core, 4.")
]


@verb(
    app,
    after_dashes=True,
    examples=[
        (
            "mlver bisect --good v2 --metric 'flag_rate >= 0.3' --on data/w3.csv -- python evaluate.py {data}",
            "which commit dropped the rate?",
        ),
        (
            "mlver bisect --good v2 --metric 'recall >= 0.9' --isolate --rebuild -- python evaluate.py",
            "which changes together?",
        ),
        ("mlver bisect --good v1 --of data/train.csv --profile 'state.distinct >= 50'", "when did ten states vanish?"),
        ("mlver bisect --good v1 --metric 'accuracy >= 0.9'", "by the values on record"),
        ("mlver bisect --good v1 -- ./still-works.sh", "by exit status: 0 good, 125 skip, else bad"),
    ],
    exits={1: "an end is not what it is said to be, or nothing could be tried"},
)
def bisect(
    session: Session,
    good: Annotated[str, typer.Option("--good", metavar="REV", help="It was good.", autocompletion=complete.revision)],
    bad: Annotated[
        str, typer.Option("--bad", metavar="REV", help="It is bad; HEAD.", autocompletion=complete.revision)
    ] = "HEAD",
    words: Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND...]", help="What to run.")] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="CONDITION", help="Holds when good: 'recall{clinic=C} >= 0.9'.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="CONDITION", help="Of a table: 'COLUMN.nulls == 0'; see --of.")
    ] = None,
    of: Annotated[
        str | None, typer.Option("--of", metavar="PATH", help="The table.", autocompletion=complete.path)
    ] = None,
    on: On = None,
    beside: With = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make stale models anew first, by the recorded steps.")
    ] = False,
    isolate: Annotated[
        bool, typer.Option("--isolate", help="Name the least of the changes that does the harm.")
    ] = False,
    timeout: Timeout = 600.0,
    jobs: Jobs = None,
) -> None:
    """Find the commit that turned it bad, over all kinds.

    The command runs in a scratch folder with the artifacts of each commit; work tree and repository stay
    as they are. It prints its metrics as JSON, or writes them to {out}. The answer says which question it
    is for: bundles as they were committed, or with their models made anew (--rebuild). With --isolate the
    changes are put back one by one, parts of config and rules each on its own.
    """
    from mlver.render import bisect as pages
    from mlver.verbs import bisect as verbs
    from mlver.verbs.isolate import isolate as isolate_
    from mlver.verbs.trials import question

    command = (*(words or ()), *(session.after_dashes or ()))
    with session.open() as repo:
        if isolate or command:
            asked = question(
                repo, command, metric=metric, data=on, beside=beside or (), rebuild=rebuild, timeout=timeout,
                environment=dict(os.environ), jobs=jobs or min(4, os.cpu_count() or 1),
            )  # fmt: skip
        if isolate:
            guilty = isolate_(repo, good, bad, asked)
            session.show(
                guilty, lambda: pages.isolate_page(guilty), [c.name for changes in guilty.guilty for c in changes]
            )
            return
        if command:
            result = verbs.bisect(repo, good, bad, asked)
        else:
            result = verbs.bisect_stored(repo, good, bad, metric=metric, profile=profile, of=of)
    session.show(result, lambda: pages.bisect_page(result), [one.commit for one in result.found])
