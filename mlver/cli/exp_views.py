"""`mlver exp tree`, `best`, `frontier` and `stats`: many experiments together."""

from __future__ import annotations

from typing import Annotated

import typer

from mlver.cli.command import verb
from mlver.cli.exp_app import Idea, Metric, On, app
from mlver.cli.session import Session

_Top = Annotated[int | None, typer.Option("--top", min=1, metavar="K", help="So many; a tenth, 3 to 20.")]


@verb(
    app,
    examples=[
        ("mlver exp tree", "which ideas came to something?"),
        ("mlver exp tree --metric recall", "by one metric"),
    ],
)
def tree(session: Session, idea: Idea = None, metric: Metric = None, on: On = None) -> None:
    """Group experiments by idea, a line each: how the idea did in one word."""
    from mlver.render.exp import tree_page
    from mlver.verbs.exp_list import list_ideas

    with session.open() as repo:
        result = list_ideas(repo, idea=idea, metric=metric, on=on)
    session.show(result, lambda: tree_page(result), [one.idea for one in result.ideas])
    if len(result.ideas) > 1:
        session.hint("mlver exp list --idea IDEA shows the experiments of one")


@verb(
    app,
    examples=[
        ("mlver exp best --metric recall --why", "and what do the best share?"),
        ("mlver exp best --metric 'recall{clinic=C}' --top 5", "the five best for one clinic"),
    ],
)
def best(
    session: Session,
    metric: Annotated[str, typer.Option("--metric", metavar="NAME", help="By this one: recall, recall{clinic=C}.")],
    top: _Top = None,
    why: Annotated[bool, typer.Option("--why", help="Which values the top shares that the rest lacks.")] = False,
    idea: Idea = None,
    on: On = None,
) -> None:
    """Show the best experiments by a metric, and what they share (--why).

    Only values on the same version of the data and by the same definition are ranked. --why lists settings by
    how unlikely it is that the top has a value so much more often than the rest by chance.
    """
    from mlver.render.exp_space import best_page
    from mlver.verbs.exp_best import best_experiments

    with session.open() as repo:
        result = best_experiments(repo, metric, top=top, why=why, idea=idea, on=on)
    session.show(result, lambda: best_page(result), [one.commit for one in result.experiments])


@verb(
    app,
    examples=[
        ("mlver exp frontier --metric recall", "what was tried, what was not?"),
        ("mlver exp frontier --metric recall --metric latency", "none of these is beaten in both"),
    ],
)
def frontier(
    session: Session,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", metavar="NAME", help="The best by this; several: their front.")
    ] = None,
    idea: Idea = None,
    on: On = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=0, metavar="N", help="List at most N cells.")] = 50,
) -> None:
    """Show the tried region, the best so far, and which cells nobody tried.

    Cells are combinations of values that were each tried: of config keys, run parameters, and columns
    added or removed. It says what is there and proposes nothing.
    """
    from mlver.render.exp_space import frontier_page
    from mlver.verbs.exp_frontier import frontier

    with session.open() as repo:
        result = frontier(repo, metric or [], idea=idea, on=on, limit=limit)
    session.show(result, lambda: frontier_page(result), [one.commit for one in result.best])


@verb(
    app,
    examples=[
        ("mlver exp stats", "what fraction of our ideas are good?"),
        ("mlver exp stats --since 30d", "of the last month"),
    ],
)
def stats(
    session: Session,
    idea: Idea = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Not older than.")] = None,
    on: On = None,
) -> None:
    """Count experiments by week: how many won, were promoted, were merged."""
    from mlver.render.exp import stats_page
    from mlver.verbs.exp_stats import experiment_stats

    with session.open() as repo:
        result = experiment_stats(repo, idea=idea, since=session.moment(since), on=on)
    session.show(result, lambda: stats_page(result), [result.experiments])
