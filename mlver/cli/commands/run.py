"""`mlver run`."""

from __future__ import annotations

import os

from mlver.cli.command import new_app, verb
from mlver.cli.running import Inputs, Outputs, Parameters, SkipSame, StepName, Words
from mlver.cli.session import Session

app = new_app()


@verb(
    app,
    dated=True,
    passes_through=True,
    examples=[
        ("mlver run -- python train.py", "inputs and outputs are observed"),
        ("mlver run --in data/train.csv --out models/triage.joblib -- python train.py", "they are declared"),
    ],
    exits={0: "the command ended with 0; its status otherwise, and then nothing is recorded"},
)
def run(
    session: Session,
    command: Words,
    inputs: Inputs = None,
    outputs: Outputs = None,
    name: StepName = None,
    param: Parameters = None,
    skip_same: SkipSame = False,
) -> int:
    """Run a command and record what it read, what it wrote and where.

    The command's own output goes where it always goes, mlver's report to stderr; with --json the
    report has stdout to itself and the command writes to stderr.

    When the same command was run already with the same parameters on inputs of the same content, it says
    so first and names the commit and its metrics.

    What was recorded belongs to the files it wrote: the next commit carries it along, and lineage, impact
    and stale models are known from then on.
    """
    from mlver.cli import output
    from mlver.cli.paths import tree_paths
    from mlver.cli.values import parse_pairs
    from mlver.render.run import run_page
    from mlver.verbs.run import run

    with session.open() as repo, output.stdout_spared(session.json):
        result = run(
            repo,
            command,
            inputs=tree_paths(repo, session, inputs or []),
            outputs=tree_paths(repo, session, outputs or []),
            name=name,
            parameters=parse_pairs(param or []),
            cwd=repo.tree_path(".", session.cwd),
            environment=dict(os.environ),
            skip_same=skip_same,
            on_same=lambda earlier: session.warn(earlier.line),
        )
    session.show(result, lambda: run_page(result), [result.derivation] if result.derivation else [], aside=True)
    if result.derivation and not result.same:
        session.hint("mlver commit keeps it")
    return result.exit
