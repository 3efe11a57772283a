"""`rules` as it is typed: what it says in 80 columns, and how it ends."""

from __future__ import annotations

import sys

import pytest

from tests.cli.conftest import Terminal
from tests.kit import Bench

RULES = [
    {"id": "R1", "when": "radius > 20", "then": "refer", "owner": "ana", "why": "very large masses"},
    {"id": "R2", "when": {"missing_at_least": 1}, "then": "refer", "owner": "dana", "why": "the scanner"},
]
BOUNDS = {name: {"min": 0, "owner": "dana", "why": "a length"} for name in ("radius", "texture", "area", "width")}
DATA = "data/w3.csv"


@pytest.fixture
def world(bench: Bench) -> Bench:
    bench.write("rules/rules.json", RULES)
    bench.write("checks/bounds.json", BOUNDS)
    bench.write("mlver.toml", "[people.dana]\nleft = 2024-03-12\n")
    bench.write(DATA, "id,clinic,radius,texture,area,width\nP1,A,25,1,1,1\nP2,C,,1,1,1\n")
    bench.commit("v3")
    return bench


def test_without_a_command_the_rules_are_listed(mlver: Terminal, world: Bench) -> None:
    out = mlver("rules").out
    assert out.startswith("R2  rules/rules.json  owner left  never tested\n")
    assert "  dana (left 2024-03-12): the scanner\n" in out
    assert "and 3 rules like it (--json lists all): texture, area, width" in out
    document = mlver("rules", "list", "--owner-left", "--json").json
    assert document["schema"] == "mlver.rules-list/v1"
    assert [rule["id"] for rule in document["rules"]] == ["R2", "radius", "texture", "area", "width"]
    assert mlver("rules", "-q", "--expired").out == ""
    assert mlver("rules", "--expired").out == "none of 6 rules\n"


def test_check_shows_hits_and_ends_with_one_when_a_bound_is_broken(mlver: Terminal, world: Bench) -> None:
    found = mlver("rules", "check", DATA, "--by", "clinic")
    assert found.code == 0
    assert "R2    fires     1  50.0%  0/1  1/1  P2" in found.out
    assert "4 bounds hold; up to 1 row could not be told: empty cells" in found.out
    world.write(DATA, "id,clinic,radius,texture,area,width\nP1,A,10,-1,1,1\n")
    broken = mlver("rules", "check", DATA)
    assert broken.code == 1
    assert "texture  broken     1  100.0%  P1" in broken.out
    assert "this table has no row on which R2 fires: it says nothing about R2" in broken.out
    document = mlver("rules", "check", DATA, "--json").json
    assert document["broken"] is True
    assert [rule["id"] for rule in document["rules"] if rule["silent"]] == ["R1", "R2"]
    assert "fired on 1 of 3 rows in 2 tables" in mlver("rules", "--rules", "rules/rules.json#R1").out


def test_a_condition_that_reaches_out_is_refused_in_one_line(mlver: Terminal, world: Bench) -> None:
    world.write("rules/rules.json", [{"id": "R9", "when": "getenv('HOME') = 'x'"}])
    refused = mlver("rules", "check", DATA)
    assert (refused.code, refused.out) == (3, "")
    assert refused.err.startswith("mlver: rules/rules.json:3: rule R9: it calls getenv, which a condition may not\n")
    assert "hint: a condition compares the cells of one row" in refused.err


def test_paths_are_those_of_the_folder_one_is_in(mlver: Terminal, world: Bench) -> None:
    found = mlver("rules", "check", "w3.csv", "--rules", "../rules/rules.json#R1", folder="w/data")
    assert found.code == 0 and "R1    fires" in found.out


def test_replay_shows_flips(mlver: Terminal, world: Bench) -> None:
    world.write("rules/rules.json", RULES[:1])
    out = mlver("rules", "replay", "HEAD", ".", DATA).out
    assert "1 of 2 rows decided otherwise" in out
    assert "refer → nothing     1  P2" in out
    assert mlver("rules", "replay", "HEAD", "HEAD", DATA, "--json").json["flipped"] == 0


def test_ablate_runs_keeps_and_shows(mlver: Terminal, world: Bench) -> None:
    serve = "import json; rules = json.load(open('rules/rules.json')); print(json.dumps({'missed': 2 - len(rules)}))"
    done = mlver("rules", "ablate", DATA, "--rules", "rules/rules.json#R2", "--", sys.executable, "-c", serve)
    assert done.code == 0, done.err
    assert "  without R2: not removable, fires on 1 row\n    missed  0  →  1  worse\n" in done.out
    assert mlver("rules", "ablate", "--show", "-q").out == "rules/rules.json#R2: not removable\n"
    world.write("config/pipeline.json", {"impute": "mean"})
    assert 'stale: config/pipeline.json changed since (impute: "-1" → "mean"' in mlver("rules", "ablate", "--show").out
    assert "rule R2 stale: without it not removable" in mlver("status").out


def test_an_older_answer_that_holds_again_is_not_stale(mlver: Terminal, world: Bench) -> None:
    asked = (
        "rules",
        "ablate",
        DATA,
        "--rules",
        "rules/rules.json#R2",
        "--",
        sys.executable,
        "-c",
        "print('{\"missed\": 1}')",
    )
    config = (world.root / "config/pipeline.json").read_text()
    assert mlver(*asked).code == 0
    world.write("config/pipeline.json", {"impute": "mean"})
    assert mlver("commit", "-m", "mean").code == 0 and mlver(*asked).code == 0
    assert "R2 stale" not in mlver("status").out
    world.write("config/pipeline.json", config)
    assert mlver("rules", "ablate", "--show").out.count("stale:") == 1
    assert "R2 stale" not in mlver("status").out


def test_a_failing_command_of_ablate_is_one_line_and_ends_with_one(mlver: Terminal, world: Bench) -> None:
    failed = mlver("rules", "ablate", DATA, "--", sys.executable, "-c", "raise SystemExit('no model here')")
    assert (failed.code, failed.out) == (1, "")
    assert "ended with 1: no model here" in failed.err
    assert mlver("rules", "ablate").code == 2
    assert mlver("rules", "ablate", DATA).code == 2
    assert "nobody ever measured" in mlver("rules", "ablate", "--show").out


def test_backtest_takes_several_values(mlver: Terminal, world: Bench) -> None:
    out = mlver("rules", "backtest", "data/w*.csv", "--set", "radius.max=20,30", "--where", "n_missing >= 1").out
    rows = [line.split("  ")[0] for line in out.splitlines() if line.startswith(("radius", "n_missing"))]
    assert rows == ["radius.max = 20", "radius.max = 30", "n_missing >= 1"]
    assert mlver("rules", "backtest", DATA).code == 2
    assert mlver("rules", "backtest", "data/none.csv", "--set", "radius.max=20").code == 1


def test_leakage_names_rows_and_columns_and_ends_with_one(mlver: Terminal, world: Bench) -> None:
    world.write("data/train.csv", "id,clinic,radius,texture,area,width\nP0,B,1,2,3,4\nP1,A,25,1,1,1\n")
    run = mlver("rules", "leakage", "data/train.csv", DATA)
    assert run.code == 1
    assert "1 of 2 rows of the same id\n  P1\n" in run.out
    assert "not looked for: columns that tell the label" in run.out
    assert max(map(len, run.out.splitlines())) <= 80
    document = mlver("rules", "leakage", "data/train.csv", DATA, "--json").json
    assert document["schema"] == "mlver.rules-leakage/v1"
    assert [(leak["sort"], leak["count"]) for leak in document["leaks"]] == [("key", 1), ("rows", 1)]
    world.write(DATA, "id,clinic,radius,texture,area,width\nP7,A,21,1,1,1\n")
    assert "nothing leaked that was looked for\n" in mlver("rules", "leakage", "data/train.csv", DATA).out
