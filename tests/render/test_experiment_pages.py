"""Pages of experiments, in 80 columns: what was varied is never cut while there is room."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.render.console import to_text
from mlver.render.exp import describe_page, list_page
from mlver.verbs.exp_describe import describe_experiment, give_verdict
from mlver.verbs.exp_list import list_experiments
from tests.kit import Bench
from tests.verbs.experiments import attempt, branch, started


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = started(tmp_path / "w")
    attempt(bench, {"C": 0.001, "features": "worst"}, {"recall": 0.8})
    return bench


def shown(bench: Bench, **words: object) -> str:
    return to_text(list_page(list_experiments(bench.repo, **words)), width=80)  # type: ignore[arg-type]


def test_of_one_idea_the_list_leaves_its_room_to_what_varied(bench: Bench) -> None:
    page = shown(bench)
    assert "C 1.0 -> 0.001; +features worst  lost" in page
    assert "1 experiment, idea grid: 1 lost" in page
    branch(bench, "exp/other", "main")
    attempt(bench, {"C": 3.0}, {"recall": 0.95})
    page = shown(bench)
    assert "other  " in page
    assert "2 experiments: 1 won, 1 lost" in page


def test_why_experiments_are_unknown_stands_below_the_list(bench: Bench) -> None:
    attempt(bench, {"C": 5.0})
    page = shown(bench)
    assert "2 experiments, idea grid: 1 lost, 1 unknown" in page
    assert "1 unknown: it was not measured" in page
    described = to_text(describe_page(describe_experiment(bench.repo)), width=80)
    assert "2 metrics not known of both" in described
    assert "→" not in described


def test_what_a_person_said_stands_beside_the_outcome(bench: Bench) -> None:
    give_verdict(bench.repo, "HEAD", "abandoned", reason="needs more of clinic C")
    assert shown(bench).strip() == "1 abandoned not shown (--all)"
    assert "  abandoned: needs more of clinic C" in shown(bench, every=True)
    assert shown(bench, outcomes=["won"]).strip() == "none of 1 experiment ended so"
