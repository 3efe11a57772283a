"""`mlver exp`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from mlver.cli import complete, exp_views
from mlver.cli.command import verb
from mlver.cli.exp_app import Idea, Metric, On, app
from mlver.cli.options import RECORDED
from mlver.cli.running import Inputs, Outputs, Parameters, SkipSame, StepName, Words
from mlver.cli.session import Session
from mlver.errors import UsageError

__all__ = ["app", "exp_views"]

_REV = typer.Argument(metavar="[REV]", help="The experiment; HEAD.", autocompletion=complete.revision)


@verb(
    app,
    "list",
    examples=[
        ("mlver exp", "what was tried, and how did it end?"),
        ("mlver exp list --lost --idea features", "what failed of one idea"),
        ("mlver exp list --metric 'recall{clinic=C}'", "judged by one metric"),
    ],
)
def list_(
    session: Session,
    idea: Idea = None,
    won: Annotated[bool, typer.Option("--won", help="Those that won.")] = False,
    lost: Annotated[bool, typer.Option("--lost", help="Those that lost.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Those somebody abandoned, too.")] = False,
    metric: Metric = None,
    on: On = None,
) -> None:
    """List experiments, newest first: what varied, how it ended, a metric.

    An experiment won when metrics got better against where it started and none got worse, it lost when it
    was the other way round. What must not be compared is not: then it is unknown.
    """
    from mlver.render.exp import list_page
    from mlver.verbs.exp_list import list_experiments

    outcomes = [word for word, asked in (("won", won), ("lost", lost)) if asked]
    with session.open() as repo:
        result = list_experiments(repo, idea=idea, outcomes=outcomes, metric=metric, on=on, every=every)
    session.show(result, lambda: list_page(result), [one.commit for one in result.experiments])


@verb(
    app,
    examples=[
        ("mlver exp describe", "the last one"),
        ("mlver exp describe exp/features~3 --base v2", "against another commit"),
    ],
)
def describe(
    session: Session,
    rev: Annotated[str, _REV] = "HEAD",
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="REV", help="Compare with this one.", autocompletion=complete.revision),
    ] = None,
) -> None:
    """Describe an experiment: what varied, what was fixed, what got worse.

    Written from what was recorded, by no person; the same facts always give the same text.
    """
    from mlver.render.exp import describe_page
    from mlver.verbs.exp_describe import describe_experiment

    with session.open() as repo:
        result = describe_experiment(repo, rev, base=base)
    session.show(result, lambda: describe_page(result), [f"{result.commit} {result.outcome}"])
    if result.verdict is None and result.outcome in ("mixed", "unknown"):
        session.hint(f"mlver exp verdict {result.commit.short} won, lost or abandoned")


@verb(
    app,
    dated=True,
    examples=[
        ("mlver exp verdict exp/features lost", "one word is enough"),
        ("mlver exp verdict 4f2a9c1 abandoned --reason 'needs more data of clinic C'", "with the reason"),
    ],
)
def verdict(
    session: Session,
    rev: Annotated[str, typer.Argument(metavar="REV", help="The experiment.", autocompletion=complete.revision)],
    word: Annotated[str, typer.Argument(metavar="won|lost|abandoned", help="What became of it.")],
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why.", rich_help_panel=RECORDED)
    ] = None,
) -> None:
    """Say in one word what became of an experiment.

    It counts before what the metrics say. Nothing is taken back: a later verdict counts before an earlier one.
    """
    from mlver.render.exp import describe_page
    from mlver.verbs.exp_describe import give_verdict

    with session.open() as repo:
        result = give_verdict(repo, rev, word, reason=reason)
    session.show(result, lambda: describe_page(result), [f"{result.commit} {result.outcome}"])
    session.hint("mlver undo takes it back")


@verb(
    app,
    dated=True,
    passes_through=True,
    examples=[
        ("mlver exp run --idea 'fewer columns' -- python train.py", "run it, commit what came of it"),
        ("mlver exp run --hypothesis 'clinic C needs a prior' --param C=0.1 -- python train.py 0.1", "said beforehand"),
    ],
    exits={0: "the command ended with 0; its status otherwise, and then nothing is recorded"},
)
def run(
    session: Session,
    command: Words,
    idea: Annotated[
        str | None, typer.Option("--idea", metavar="TEXT", help="What it is about.", rich_help_panel=RECORDED)
    ] = None,
    hypothesis: Annotated[
        str | None,
        typer.Option("--hypothesis", metavar="TEXT", help="What you expect, and why.", rich_help_panel=RECORDED),
    ] = None,
    name: StepName = None,
    inputs: Inputs = None,
    outputs: Outputs = None,
    param: Parameters = None,
    skip_same: SkipSame = False,
) -> int:
    """Run a command and commit what came of it on this branch.

    As mlver run and mlver commit together, the message written from the diff. Says first when the same
    command was run already on the same data, config and code.
    """
    from mlver.cli import output
    from mlver.cli.paths import tree_paths
    from mlver.cli.values import parse_pairs
    from mlver.render.exp import run_page
    from mlver.verbs.exp_run import run_experiment

    if not command:
        raise UsageError("no command to run", hint="mlver exp run -- python train.py")
    with session.open() as repo, output.stdout_spared(session.json):
        result = run_experiment(
            repo,
            command,
            idea=idea,
            hypothesis=hypothesis,
            name=name,
            inputs=tree_paths(repo, session, inputs or []),
            outputs=tree_paths(repo, session, outputs or []),
            parameters=parse_pairs(param or []),
            cwd=repo.tree_path(".", session.cwd),
            environment=dict(os.environ),
            skip_same=skip_same,
            on_same=lambda earlier: session.warn(earlier.line),
        )
    commit = result.committed.commit if result.committed else None
    session.show(result, lambda: run_page(result), [commit] if commit else [], aside=True)
    session.warn(*(result.committed.warnings if result.committed else ()))
    if commit:
        session.hint(f"mlver exp describe {commit.short}")
    return result.run.exit
