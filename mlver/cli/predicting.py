"""`mlver diff --predict`: its options, and how it is answered."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from mlver.cli import complete
from mlver.cli.session import Session
from mlver.errors import UsageError
from mlver.frozen import frozen

_PANEL = "Behaviour: only with --predict, which runs both versions"

Predict = Annotated[
    str | None,
    typer.Option(
        "--predict", metavar="DATA", help="Predict this table with both.", rich_help_panel=_PANEL,
        autocompletion=complete.path,
    ),
]  # fmt: skip
Serve = Annotated[
    str | None,
    typer.Option("--serve", metavar="CMD", help="Your command predicts; {data} is the table.", rich_help_panel=_PANEL),
]
Lay = Annotated[
    list[str] | None,
    typer.Option("--lay", metavar="PATH[@REV]", help="Lay this over both for --serve.", rich_help_panel=_PANEL),
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="PATH", help="The model that predicts.", rich_help_panel=_PANEL),
]
Trust = Annotated[
    bool, typer.Option("--trust", help="Run a model whose verdict is `unknown`, walled in.", rich_help_panel=_PANEL)
]
Label = Annotated[
    str | None, typer.Option("--label", metavar="COLUMN", help="The column of labels.", rich_help_panel=_PANEL)
]
With = Annotated[
    list[str] | None,
    typer.Option("--with", metavar="LABELS", help="A table of labels: PATH or PATH@REV.", rich_help_panel=_PANEL),
]
By = Annotated[
    list[str] | None,
    typer.Option("--by", metavar="COLUMN", help="Slice by this column.", rich_help_panel=_PANEL),
]
Tolerance = Annotated[
    float | None,
    typer.Option("--tolerance", metavar="X", help="Amounts within X are the same.", rich_help_panel=_PANEL),
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", help="For each version; 300.", rich_help_panel=_PANEL),
]


@frozen
class Predicting:
    """What was said of predicting."""

    serve: str | None = None
    lay: Sequence[str] = ()
    model: str | None = None
    trust: bool = False
    label: str | None = None
    labels: Sequence[str] = ()
    by: Sequence[str] = ()
    tolerance: float | None = None
    timeout: float | None = None

    def refuse(self) -> None:
        """Raise UsageError when something was said although nothing is to be predicted."""
        if self != Predicting():
            raise UsageError(
                "--serve, --model, --label and so on say how to predict", hint="mlver diff A B --predict DATA"
            )


def predict(
    session: Session, words: Sequence[str], data: str, asked: Predicting, *, limit: int | None, exit_code: bool
) -> int:
    """Have two versions predict, show what differs, and return the exit code."""
    from mlver.cli.paths import any_target, split_revisions
    from mlver.render.predict import predict_page
    from mlver.verbs.predict import TIMEOUT, predict_diff

    try:
        command = shlex.split(asked.serve or "")
    except ValueError as error:
        raise UsageError(f"--serve: {error}") from None
    if asked.serve is not None and not command:
        raise UsageError("--serve is empty", hint="--serve 'python predict.py {data}'")
    with session.open() as repo:
        revisions, targets = split_revisions(repo, session, words, most=2)
        if targets:
            raise UsageError(f"predictions are not limited to {targets[0]}", hint="--by COLUMN tells slices apart")
        old, new = (*revisions, None, None)[:2]
        with session.progress() as progress:
            result = predict_diff(
                repo,
                old or "HEAD",
                new,
                any_target(repo, session.cwd, data),
                serve=command,
                lay=[any_target(repo, session.cwd, word) for word in asked.lay],
                model=asked.model and any_target(repo, session.cwd, asked.model),
                trust=asked.trust,
                label=asked.label,
                labels=[any_target(repo, session.cwd, word) for word in asked.labels],
                by=[column for given in asked.by for column in given.split(",")],
                tolerance=asked.tolerance,
                limit=10 if limit is None else limit,
                timeout=TIMEOUT if asked.timeout is None else asked.timeout,
                environment=dict(os.environ),
                progress=progress,
            )
    session.show(result, lambda: predict_page(result), [row.key for row in result.flipped])
    return int(exit_code and not result.same)
