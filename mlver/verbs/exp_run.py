"""`exp run`: run a command and commit what came of it, with nothing to write down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import ClassVar

from mlver.errors import NegativeAnswer
from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.result import Result
from mlver.repo.experiments import EXPERIMENT, HYPOTHESIS, IDEA
from mlver.repo.repository import Repository
from mlver.verbs.commit import CommitResult, commit
from mlver.verbs.run import RunResult, run
from mlver.verbs.run_same import EarlierRun


@frozen
class ExperimentRun(Result):
    """What was run and what was committed of it: nothing when it failed, was skipped, or changed nothing."""

    schema: ClassVar[str] = "mlver.exp-run/v1"
    run: RunResult
    committed: CommitResult | None


def run_experiment(
    repo: Repository,
    command: Sequence[str],
    *,
    idea: str | None = None,
    hypothesis: str | None = None,
    name: str | None = None,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    parameters: Mapping[str, Value] | None = None,
    cwd: str | None = None,
    environment: Mapping[str, str] | None = None,
    skip_same: bool = False,
    on_same: Callable[[EarlierRun], None] | None = None,
) -> ExperimentRun:
    """Do what `run` does, then commit everything on the current branch with a message written from the diff.

    `idea`, `hypothesis` and the `name` of the run are kept as trailers. See `run` for all else.
    """
    done = run(
        repo,
        command,
        inputs=inputs,
        outputs=outputs,
        name=name,
        parameters=parameters,
        cwd=cwd,
        environment=environment,
        skip_same=skip_same,
        on_same=on_same,
    )
    if done.exit != 0 or done.skipped:
        return ExperimentRun(done, None)
    given = {EXPERIMENT: name or _named(command), IDEA: idea, HYPOTHESIS: hypothesis}
    trailers = {key: [text.strip()] for key, text in given.items() if text and text.strip()}
    try:
        return ExperimentRun(done, commit(repo, trailers=trailers, parameters=parameters))
    except NegativeAnswer:  # the same bytes came out, made the same way
        return ExperimentRun(done, None)


def _named(command: Sequence[str]) -> str:
    """Return what a command runs: `train.py` for `python train.py --fast`."""
    words = [word for word in command if not word.startswith("-")]
    scripts = [word for word in words if word.endswith((".py", ".sh", ".R", ".jl", ".ipynb"))]
    return PurePath((scripts or words or list(command))[0]).name
