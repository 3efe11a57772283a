"""A fallback is known, tried before it is needed, and what it is worth stays on record."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mlver.errors import NegativeAnswer, UnknownRevision, UsageError
from mlver.verbs.fallback import drill, fallbacks
from mlver.verbs.promote import promote
from tests.kit import Bench

CODE = """
import json, sys
cut = json.load(open(sys.argv[1]))["cut"]
rows = [line.split(",") for line in open(sys.argv[2]).read().split()[1:]]
hits = [float(x) > cut for x, label in rows if label == "1"]
print(json.dumps({"recall": sum(hits) / len(hits), "clinic=C": {"recall": 1.0}}))
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "project")
    bench.write("mlver.toml", '[stages.prod]\nfallback = "models/fallback.json"\n')
    bench.write("models/fallback.json", {"cut": 15})
    bench.write("data/w3.csv", "x,label\n10,1\n20,1\n30,1\n40,0\n")
    bench.commit("v1")
    promote(bench.repo, "prod")
    return bench


def test_a_drill_says_what_the_fallback_is_worth_and_remembers_it(bench: Bench) -> None:
    (before,) = fallbacks(bench.repo).stages
    assert (before.path, before.live, before.drill, before.drilled) == ("models/fallback.json", True, None, False)
    result = drill(bench.repo, "prod", [sys.executable, "-c", CODE, "{fallback}", "{data}"], data="data/w3.csv")
    assert result.drill.values == {"recall": pytest.approx(2 / 3), "recall{clinic=C}": 1.0}
    (after,) = fallbacks(bench.repo).stages
    assert after.drilled and after.drill == result.drill and after.drill.dataset == "data/w3.csv"


def test_what_came_since_is_laid_over_the_bundle(bench: Bench) -> None:
    bench.write("labels.json", {"recall": 0.5})
    result = drill(
        bench.repo, "prod", [sys.executable, "-c", "print(open('labels.json').read())"], overlay=["labels.json"]
    )
    assert result.drill.values == {"recall": 0.5}
    with pytest.raises(UnknownRevision, match="nowhere"):
        drill(bench.repo, "prod", ["true"], overlay=["nowhere.json"])


def test_a_fallback_that_changed_since_has_to_be_drilled_again(bench: Bench) -> None:
    drill(bench.repo, "prod", [sys.executable, "-c", CODE, "{fallback}", "{data}"], data="data/w3.csv")
    bench.write("models/fallback.json", {"cut": 12})
    bench.commit("v2")
    promote(bench.repo, "prod")
    (now,) = fallbacks(bench.repo).stages
    assert now.drill is not None and not now.drilled


def test_a_drill_that_fails_records_nothing(bench: Bench) -> None:
    with pytest.raises(NegativeAnswer, match="ended with 1"):
        drill(bench.repo, "prod", [sys.executable, "-c", "raise SystemExit(1)"])
    assert fallbacks(bench.repo).stages[0].drill is None
    with pytest.raises(UsageError, match="dev names no fallback"):
        drill(bench.repo, "dev", ["true"])


def test_a_fallback_that_is_not_there_is_said(bench: Bench) -> None:
    bench.write("mlver.toml", '[stages.prod]\nfallback = "models/nothing.json"\n')
    bench.commit("v2")
    assert fallbacks(bench.repo).stages[0].id is None
    with pytest.raises(UnknownRevision, match=r"models/nothing\.json"):
        drill(bench.repo, "prod", ["true"])
