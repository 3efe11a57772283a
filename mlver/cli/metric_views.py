"""`mlver metrics` list, define, log, matrix and age: metrics across commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mlver.cli.command import verb
from mlver.cli.metrics_app import AsOf, Metric, On, Revs, app, split
from mlver.cli.session import Session

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_OWNED = "What it means"


def show_groups(session: Session, by: str, rev: str | None, names: list[str], as_of: str | None) -> None:
    """Answer with the recorded values of all commits (or of `rev`), counted by the fields in `by`."""
    from mlver.render.metric_views import groups_page
    from mlver.verbs.metric_groups import group_metrics

    with session.open() as repo:
        result = group_metrics(repo, split([by]), rev=rev, names=names, as_of=session.moment(as_of))
    rows = ["\t".join([*group.by.values(), str(group.values)]) for group in result.groups]
    session.show(result, lambda: groups_page(result), rows)


@verb(
    app,
    name="list",
    examples=[
        ("mlver metrics list", "what is measured here, and who owns it?"),
        ("mlver metrics list --json | jq '.metrics[] | select(.definition == null).name'", "what nobody defined"),
    ],
)
def list_(session: Session, as_of: AsOf = None) -> None:
    """List metrics: what they mean, who owns them, the last value of each and how many there are.

    Definitions stand in mlver.toml: [metrics.recall] with direction, unit, formula, window, owner, description
    and product; slices in [slices.young] with where = "age < 30".
    """
    from mlver.render.metric_views import list_page
    from mlver.verbs.metric_list import list_metrics

    with session.open() as repo:
        result = list_metrics(repo, as_of=session.moment(as_of))
    session.show(result, lambda: list_page(result), [metric.name for metric in result.metrics])


@verb(
    app,
    examples=[
        ('mlver metrics define recall --formula "sklearn.recall_score(pos=malignant)@1" --unit share', "add it"),
        ("mlver metrics define missed --direction lower --owner ana --product", "what the product is judged by"),
    ],
)
def define(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The metric.")],
    direction: Annotated[
        str | None,
        typer.Option("--direction", metavar="WAY", help="Which way is better: higher, lower.", rich_help_panel=_OWNED),
    ] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="TEXT", help="Its unit.", rich_help_panel=_OWNED)
    ] = None,
    formula: Annotated[
        str | None, typer.Option("--formula", metavar="TEXT", help="How it is computed.", rich_help_panel=_OWNED)
    ] = None,
    window: Annotated[
        str | None, typer.Option("--window", metavar="TEXT", help="Over which time: 7d.", rich_help_panel=_OWNED)
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="NAME", help="Who answers for it.", rich_help_panel=_OWNED)
    ] = None,
    description: Annotated[
        str | None, typer.Option("--description", metavar="TEXT", help="For people.", rich_help_panel=_OWNED)
    ] = None,
    product: Annotated[
        bool, typer.Option("--product", help="The product is judged by it.", rich_help_panel=_OWNED)
    ] = False,
) -> None:
    """Write the definition of a metric to mlver.toml.

    Formula, unit and window are its meaning: values recorded from now on carry it, and are never ranked
    against values that meant something else. A definition that is there already is changed by hand.
    """
    from mlver.render.metric_views import list_page
    from mlver.repo.transaction import recorded
    from mlver.verbs.metric_list import define_metric, list_metrics

    with session.open() as repo:
        define_metric(
            repo,
            name,
            direction=direction,
            unit=unit,
            formula=formula,
            window=window,
            owner=owner,
            description=description,
            product=product,
        )
        with recorded():
            result = list_metrics(repo)
    session.show(result, lambda: list_page(result), [name])
    session.hint("it stands in mlver.toml: mlver commit keeps it")


@verb(
    app,
    examples=[
        ("mlver metrics log 'recall{clinic=C}'", "when did we learn it, and how late?"),
        ("mlver metrics log recall --on data/live/w3.csv -n 20", "on this data, the newest twenty"),
    ],
)
def log(
    session: Session,
    name: Metric,
    on: On = None,
    limit: Annotated[int | None, typer.Option("-n", "--limit", min=0, metavar="N", help="At most N.")] = None,
    as_of: AsOf = None,
) -> None:
    """List every value of a metric as it became known, newest first.

    The label delay is how long after its commit went live (or was made, if it never was) the labels were
    in that a value rests on.
    """
    from mlver.render.metric_views import log_page
    from mlver.verbs.metric_log import log_metric

    with session.open() as repo:
        result = log_metric(repo, name, on=_paths(repo, session, on), limit=limit, as_of=session.moment(as_of))
    session.show(result, lambda: log_page(result), [item.value.fact for item in result.values])


@verb(
    app,
    examples=[
        ("mlver metrics matrix recall --on data/val/static.csv", "each model on each version of the data"),
        ("mlver metrics matrix 'recall{clinic=C}' --revs v1,v2,v4", "these models, on everything"),
    ],
)
def matrix(session: Session, name: Metric, on: On = None, revs: Revs = None, as_of: AsOf = None) -> None:
    """Show a metric of every model on every version of data.

    Models are the commits that brought one, were live or are tagged. What nobody measured is `not evaluated`;
    `mlver metrics backfill` fills it.
    """
    from mlver.render.metric_views import matrix_page
    from mlver.verbs.metric_grid import metrics_matrix

    with session.open() as repo:
        paths = _paths(repo, session, on)
        result = metrics_matrix(repo, name, on=paths, revs=split(revs), as_of=session.moment(as_of))
    session.show(result, lambda: matrix_page(result), [row.commit for row in result.rows])


@verb(
    app,
    examples=[
        ("mlver metrics age recall", "how soon do our models go stale?"),
        ("mlver metrics age recall --on data/live/w2.csv --on data/live/w3.csv", "on live data alone"),
    ],
)
def age(session: Session, name: Metric, on: On = None, revs: Revs = None, as_of: AsOf = None) -> None:
    """Show how a metric of each model goes with the age of the data it met.

    The age is the time between the commit that brought the model and the one that brought the data (or when
    it was first measured on). From the values that are stored; nothing is run.
    """
    from mlver.render.metric_views import age_page
    from mlver.verbs.metric_grid import metrics_age

    with session.open() as repo:
        paths = _paths(repo, session, on)
        result = metrics_age(repo, name, on=paths, revs=split(revs), as_of=session.moment(as_of))
    session.show(result, lambda: age_page(result), [f"{row.commit} {row.days:.1f}" for row in result.rows])


def _paths(repo: Repository, session: Session, words: list[str] | None) -> list[str]:
    from mlver.cli.paths import tree_paths

    return tree_paths(repo, session, words or [])
