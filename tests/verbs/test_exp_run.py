"""`exp run` commits by itself; whoever runs the very same again is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mlver.verbs.commit import commit
from mlver.verbs.exp_list import list_experiments
from mlver.verbs.exp_run import run_experiment
from mlver.verbs.metrics import add_metrics
from mlver.verbs.run import run
from mlver.verbs.run_same import EarlierRun
from tests.kit import Bench

TRAIN = "import json; c = json.load(open('c.json')); json.dump({'coef': [c['C']]}, open('models/model.json', 'w'))\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "w")
    bench.write("train.py", TRAIN)
    bench.write("c.json", {"C": 1.0})
    bench.write("models/model.json", {"coef": [0.0]})
    bench.commit("start")
    return bench


COMMAND = [sys.executable, "train.py"]
DECLARED = {"inputs": ["c.json"], "outputs": ["models/model.json"]}


def test_an_experiment_is_run_and_committed_with_nothing_to_write_down(bench: Bench) -> None:
    done = run_experiment(bench.repo, COMMAND, idea="priors", hypothesis="smaller is better", **DECLARED)
    assert done.committed is not None
    assert done.committed.written
    one = list_experiments(bench.repo).experiments[0]
    assert (one.commit, one.idea, one.hypothesis) == (done.committed.commit, "priors", "smaller is better")
    assert bench.repo.commit(one.commit).trailers["experiment"] == ("train.py",)


def test_the_same_again_is_told_with_the_commit_and_its_metrics(bench: Bench) -> None:
    first = run_experiment(bench.repo, COMMAND, **DECLARED)
    assert first.committed is not None
    assert first.run.earlier is None
    add_metrics(bench.repo, "HEAD", {"recall": 0.93})
    bench.write("notes.txt", "later\n")
    bench.commit("later")
    told: list[EarlierRun] = []
    again = run_experiment(bench.repo, COMMAND, on_same=told.append, **DECLARED)
    assert again.run.exit == 0
    assert not again.run.skipped
    assert again.committed is None  # the same bytes came out
    assert [one.commit for one in told] == [first.committed.commit]
    assert told[0].line.endswith("recall 0.93")
    assert run(bench.repo, COMMAND, **DECLARED).earlier == told[0]


def test_another_input_parameter_or_word_is_not_the_same(bench: Bench) -> None:
    run_experiment(bench.repo, COMMAND, **DECLARED)
    assert run(bench.repo, [*COMMAND, "--fast"], **DECLARED).earlier is None
    commit(bench.repo)
    assert run(bench.repo, COMMAND, parameters={"seed": 2}, **DECLARED).earlier is None
    commit(bench.repo)
    bench.write("c.json", {"C": 2.0})
    assert run(bench.repo, COMMAND, **DECLARED).earlier is None
    bench.write("c.json", {"C": 1.0})
    assert run(bench.repo, COMMAND, **DECLARED).earlier is not None
    bench.write("train.py", TRAIN + "# more\n")
    assert run(bench.repo, COMMAND, **DECLARED).earlier is None


def test_what_was_run_already_can_be_skipped(bench: Bench) -> None:
    run(bench.repo, COMMAND, **DECLARED)
    (bench.root / "models" / "model.json").unlink()
    done = run(bench.repo, COMMAND, skip_same=True, **DECLARED)
    assert (done.skipped, done.exit, done.earlier is not None) == (True, 0, True)
    assert done.earlier is not None
    assert done.earlier.commit is None  # recorded, not committed yet
    assert not (bench.root / "models" / "model.json").exists()
    assert run_experiment(bench.repo, COMMAND, skip_same=True, **DECLARED).committed is None


def test_a_run_that_fails_commits_nothing(bench: Bench) -> None:
    head = bench.repo.view.head
    done = run_experiment(bench.repo, [sys.executable, "-c", "raise SystemExit(3)"])
    assert (done.run.exit, done.committed) == (3, None)
    assert bench.repo.refresh().head == head
