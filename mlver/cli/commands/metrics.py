"""`mlver metrics`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlver.cli import complete, metric_backfill, metric_views
from mlver.cli.command import verb
from mlver.cli.metric_views import show_groups
from mlver.cli.metrics_app import AsOf, Estimate, MeasuredAsOf, Names, Window, app
from mlver.cli.options import RECORDED
from mlver.cli.session import Session
from mlver.errors import UsageError

__all__ = ["app", "metric_backfill", "metric_views"]


@verb(
    app,
    dated=True,
    examples=[
        ("mlver metrics add HEAD accuracy=0.958 recall=0.952 --on data/val/static.csv", "after training"),
        ("mlver metrics add prod 'recall{clinic=C}=0.375' -n 8 --as-of 2024-05-13", "when the labels are in"),
        ("python evaluate.py | mlver metrics add HEAD --from -", "from a program that prints JSON"),
    ],
)
def add(
    session: Session,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[REV] NAME=VALUE...", help="HEAD if no revision is said.")
    ] = None,
    slice: Annotated[
        str,
        typer.Option(
            "--slice", metavar="SLICE", help="Of which part, such as clinic=C; all.", rich_help_panel=RECORDED
        ),
    ] = "",
    on: Annotated[
        str | None, typer.Option("--on", metavar="PATH", help="Measured on this dataset.", rich_help_panel=RECORDED)
    ] = None,
    n: Annotated[
        int | None, typer.Option("--n", "-n", min=0, metavar="N", help="Of so many samples.", rich_help_panel=RECORDED)
    ] = None,
    as_of: MeasuredAsOf = None,
    window: Window = None,
    estimate: Estimate = False,
    file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="From a JSON file: {name: value, slice: {...}}; - is stdin."),
    ] = None,
) -> None:
    """Record metric values of a commit.

    A name may carry its slice: recall{clinic=C}=0.9. The dataset is pinned by its content, so that
    values measured on different versions of it are never compared as if they were alike. Each value
    carries the definition of its metric in mlver.toml; an estimate is never compared with what was measured.
    """
    from mlver.cli.values import parse_pairs, read_json
    from mlver.render.facts import metrics_page
    from mlver.verbs.metrics import add_metrics

    words = words or []
    rev, pairs = ("HEAD", words) if not words or "=" in words[0] else (words[0], words[1:])
    values = (read_json(session.cwd, file) if file else {}) | parse_pairs(pairs)
    with session.open() as repo:
        result = add_metrics(
            repo,
            rev,
            values,
            slice=slice,
            dataset=on,
            n=n,
            as_of=session.moment(as_of),
            window=window,
            estimate=estimate,
        )
    session.show(result, lambda: metrics_page(result), [value.fact for value in result.values if value.fact])
    session.hint("mlver undo takes it back")


@verb(
    app,
    examples=[
        ("mlver metrics show prod", "what is known of what is live?"),
        ("mlver metrics show prod --as-of 2024-04-22T03:07Z", "what was known that night?"),
        ("mlver metrics show --by author,dataset", "does everybody measure on the same data?"),
    ],
)
def show(
    session: Session,
    rev: Annotated[
        str | None, typer.Argument(metavar="[REV]", help="Of which commit; HEAD.", autocompletion=complete.revision)
    ] = None,
    name: Names = None,
    as_of: AsOf = None,
    history: Annotated[bool, typer.Option("--history", help="Every value ever recorded, not only the newest.")] = False,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="FIELDS", help="Count by author,dataset,name,slice,commit; of all commits."),
    ] = None,
) -> None:
    """Show the metrics of a commit, or count who measured what on which data (--by)."""
    from mlver.render.facts import metrics_page
    from mlver.verbs.metrics import show_metrics

    if by is not None:
        if history:
            raise UsageError("--by counts values, --history lists them", hint="mlver metrics log NAME")
        show_groups(session, by, rev, name or [], as_of)
        return
    with session.open() as repo:
        result = show_metrics(repo, rev or "HEAD", as_of=session.moment(as_of), names=name or [], history=history)
    session.show(result, lambda: metrics_page(result), [f"{v.name} {v.slice} {v.value}" for v in result.values])


@verb(
    app,
    examples=[
        ("mlver metrics diff prod@{1} prod", "better or worse than before?"),
        ("mlver metrics diff v1 v2 --name recall", "one metric"),
        ("mlver metrics diff main exp --top 5 --strict", "the largest moves; 1 when some cannot be compared"),
    ],
    exits={1: "some values cannot be compared (with --strict)"},
)
def diff(
    session: Session,
    old: Annotated[str, typer.Argument(metavar="A", help="The old one.", autocompletion=complete.revision)],
    new: Annotated[
        str, typer.Argument(metavar="[B]", help="The new one; HEAD.", autocompletion=complete.revision)
    ] = "HEAD",
    name: Names = None,
    as_of: AsOf = None,
    top: Annotated[int | None, typer.Option("--top", min=1, metavar="N", help="Only the N that count most.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="End with 1 when values cannot be compared.")] = False,
) -> int:
    """Compare the metrics of two commits, worst first.

    Regressions come first, by the size of the move against how much that metric varied from commit to
    commit before; with fewer than four such values, by relative size. Values measured on different versions
    of a dataset, by different definitions, or estimated and measured, are not ranked: it says why.
    """
    from mlver.render.facts import metrics_diff_page
    from mlver.verbs.metrics import diff_metrics

    with session.open() as repo:
        result = diff_metrics(repo, old, new, as_of=session.moment(as_of), names=name or [], top=top)
    session.show(result, lambda: metrics_diff_page(result), [f"{m.name} {m.slice} {m.verdict}" for m in result.metrics])
    return int(strict and result.incomparable)
