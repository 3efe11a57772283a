"""A main line with one model that was measured, and experiments on a branch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlver.objects.ids import CommitId
from mlver.verbs.branch import set_ref, switch
from mlver.verbs.metrics import add_metrics
from tests.kit import Bench

DATA = "patient_id,radius,label\nP1,1.5,0\nP2,2.5,1\n"
START = {"C": 1.0, "impute": "median"}


def started(root: Path, values: Mapping[str, Any] | None = None) -> Bench:
    """A repository with one measured model on main, and HEAD on the new branch exp/grid."""
    bench = Bench(root)
    bench.write("config/pipeline.json", START)
    bench.write("data/train.csv", DATA)
    bench.write("rules/rules.json", [{"id": "R1", "then": "refer"}])
    bench.write("train.py", "print('train')\n")
    bench.write("models/model.json", {"coef": [1.0]})
    bench.commit("v1")
    measure(bench, values or {"recall": 0.9, "recall{clinic=C}": 0.8})
    branch(bench, "exp/grid")
    return bench


def branch(bench: Bench, name: str, start: str | None = None) -> None:
    """Make a branch and switch to it."""
    set_ref(bench.repo, "branch", name, start or "HEAD")
    switch(bench.repo, name)


def measure(bench: Bench, values: Mapping[str, Any], rev: str = "HEAD") -> None:
    """Record values of a commit, on the training data."""
    add_metrics(bench.repo, rev, values, dataset="data/train.csv")


def attempt(
    bench: Bench, settings: Mapping[str, Any], values: Mapping[str, Any] | None = None, **words: Any
) -> CommitId:
    """Commit one experiment: its settings, a model that depends on them, and what was measured of it."""
    bench.write("config/pipeline.json", {**START, **settings})
    bench.write("models/model.json", {"coef": [1.0], "from": repr(sorted(settings.items()))})
    id = bench.commit(**words)
    if values:
        measure(bench, values)
    return id
