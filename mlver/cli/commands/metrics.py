"""`mlver metrics`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.command import new_app, verb
from mlver.cli.groups import DefaultGroup
from mlver.cli.options import RECORDED
from mlver.cli.session import Session

AsOf = Annotated[str | None, typer.Option("--as-of", metavar="TIME", help="As it was known at this moment.")]
Names = Annotated[list[str] | None, typer.Option("--name", metavar="NAME", help="Only this metric.")]


class _Group(DefaultGroup):
    default = "show"


app = new_app(cls=_Group)


@app.callback()
def metrics() -> None:
    """Record, show and compare metric values of commits.

    Values may come weeks after the commit, when the labels are in; the commit never changes. What
    is not known yet is `unknown`, never good. Without a command, `show` is meant.
    """


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
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="TIME", help="With the labels of then; now.", rich_help_panel=RECORDED),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="From a JSON file: {name: value, slice: {...}}; - is stdin."),
    ] = None,
) -> None:
    """Record metric values of a commit.

    A name may carry its slice: recall{clinic=C}=0.9. The dataset is pinned by its content, so that
    values measured on different versions of it are never compared as if they were alike.
    """
    from mlver.cli.values import parse_pairs, read_json
    from mlver.render.facts import metrics_page
    from mlver.verbs.metrics import add_metrics

    words = words or []
    rev, pairs = ("HEAD", words) if not words or "=" in words[0] else (words[0], words[1:])
    values = (read_json(session.cwd, file) if file else {}) | parse_pairs(pairs)
    with session.open() as repo:
        result = add_metrics(repo, rev, values, slice=slice, dataset=on, n=n, as_of=session.moment(as_of))
    session.show(result, lambda: metrics_page(result), [value.fact for value in result.values if value.fact])
    session.hint("mlver undo takes it back")


@verb(
    app,
    examples=[
        ("mlver metrics show prod", "what is known of what is live?"),
        ("mlver metrics show prod --as-of 2024-04-22T03:07Z", "what was known that night?"),
    ],
)
def show(
    session: Session,
    rev: Annotated[
        str, typer.Argument(metavar="[REV]", help="Of which commit; HEAD.", autocompletion=complete.revision)
    ] = "HEAD",
    name: Names = None,
    as_of: AsOf = None,
    history: Annotated[bool, typer.Option("--history", help="Every value ever recorded, not only the newest.")] = False,
) -> None:
    """Show the metrics of a commit."""
    from mlver.render.facts import metrics_page
    from mlver.verbs.metrics import show_metrics

    with session.open() as repo:
        result = show_metrics(repo, rev, as_of=session.moment(as_of), names=name or [], history=history)
    session.show(result, lambda: metrics_page(result), [f"{v.name} {v.slice} {v.value}" for v in result.values])


@verb(
    app,
    examples=[
        ("mlver metrics diff prod@{1} prod", "better or worse than before?"),
        ("mlver metrics diff v1 v2 --name recall", "one metric"),
    ],
)
def diff(
    session: Session,
    old: Annotated[str, typer.Argument(metavar="A", help="The old one.", autocompletion=complete.revision)],
    new: Annotated[
        str, typer.Argument(metavar="[B]", help="The new one; HEAD.", autocompletion=complete.revision)
    ] = "HEAD",
    name: Names = None,
    as_of: AsOf = None,
) -> None:
    """Compare the metrics of two commits, worst first."""
    from mlver.render.facts import metrics_diff_page
    from mlver.verbs.metrics import diff_metrics

    with session.open() as repo:
        result = diff_metrics(repo, old, new, as_of=session.moment(as_of), names=name or [])
    session.show(result, lambda: metrics_diff_page(result), [f"{m.name} {m.slice} {m.verdict}" for m in result.metrics])
