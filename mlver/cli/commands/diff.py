"""`mlver diff`."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli import predicting
from mlver.cli.command import new_app, verb
from mlver.cli.options import OUTPUT, Jobs
from mlver.cli.session import Session
from mlver.errors import UsageError

Words = Annotated[list[str] | None, typer.Argument(metavar="[REV [REV]] [-- PATH[#UNIT]...]", help="What to compare.")]
Limit = Annotated[
    int | None, typer.Option("--limit", min=0, metavar="N", help="Show N units of each artifact; N rows.")
]

app = new_app()


@verb(
    app,
    after_dashes=True,
    examples=[
        ("mlver diff", "the work tree against HEAD"),
        ("mlver diff prod@{1} prod", "what did the last promotion change?"),
        ("mlver diff v1 v2 -- 'data/train.csv#P0404'", "one row"),
        ("mlver diff v1 v2 --predict data/w3.csv --serve 'python predict.py {data}'", "whom does it treat otherwise?"),
    ],
    exits={1: "something differs (only with --exit-code)"},
)
def diff(
    session: Session,
    words: Words = None,
    stat: Annotated[bool, typer.Option("--stat", help="One line per artifact.", rich_help_panel=OUTPUT)] = False,
    name_only: Annotated[bool, typer.Option("--name-only", help="Paths only.", rich_help_panel=OUTPUT)] = False,
    md: Annotated[bool, typer.Option("--md", help="Markdown, for a pull request.", rich_help_panel=OUTPUT)] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 1 if something differs.")] = False,
    key: Annotated[list[str] | None, typer.Option("--key", metavar="COLUMN", help="Key columns of tables.")] = None,
    limit: Limit = None,
    jobs: Jobs = None,
    predict: predicting.Predict = None,
    serve: predicting.Serve = None,
    lay: predicting.Lay = None,
    model: predicting.Model = None,
    trust: predicting.Trust = False,
    label: predicting.Label = None,
    with_: predicting.With = None,
    by: predicting.By = None,
    tolerance: predicting.Tolerance = None,
    timeout: predicting.Timeout = None,
) -> int:
    """Show what changed between two snapshots, in each kind's own terms.

    No revision: the work tree against HEAD. One: the work tree against it. Two: from the first to
    the second (also A..B). Rows, rules, keys, parameters, arrays and metric values are compared,
    not bytes; order and formatting never count.

    Nothing a repository holds is run, but with --predict: then both versions predict the same rows, by your
    command in scratch folders, or by their models in a process that can only compute.
    """
    from mlver.cli.paths import split_revisions
    from mlver.render import diff as pages
    from mlver.render.markdown import diff_markdown
    from mlver.verbs.diff import diff

    asked = predicting.Predicting(
        serve, tuple(lay or ()), model, trust, label, tuple(with_ or ()), tuple(by or ()), tolerance, timeout
    )
    if predict is not None:
        if stat or name_only or md or key:
            raise UsageError(
                "--predict shows rows, not artifacts: neither --stat, --name-only, --md nor --key go with it"
            )
        return predicting.predict(session, words or [], predict, asked, limit=limit, exit_code=exit_code)
    asked.refuse()
    columns = [column for given in key or [] for column in given.split(",")]
    with session.open() as repo:
        revisions, targets = split_revisions(repo, session, words or [], most=2)
        listing = (name_only or session.quiet) and not session.json
        most = 1000 if limit is None else limit
        result = diff(repo, *revisions, targets=targets, key=columns, limit=most, units=not listing, jobs=jobs)
    if listing:
        session.show(result, lambda: pages.names_page(result), [artifact.path for artifact in result.artifacts])
    elif md:
        session.show(result, lambda: diff_markdown(result))
    else:
        session.show(result, lambda: pages.stat_page(result) if stat else pages.diff_page(result, room=limit))
    return int(exit_code and not result.identical)
