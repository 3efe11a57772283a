"""Bisect names the commit, isolate the changes; each says which question it answered, and changes nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mlver.errors import NegativeAnswer, UnknownRevision, UsageError
from mlver.verbs.bisect import bisect, bisect_stored
from mlver.verbs.isolate import isolate
from mlver.verbs.metrics import add_metrics
from mlver.verbs.reproduce import reproduce
from mlver.verbs.run import run
from mlver.verbs.trials import Question, question
from tests.kit import Bench

TRAIN = """
import json
config, rows = json.load(open("config.json")), open("data.csv").read().split()[1:]
json.dump({"fill": config["fill"], "rows": len(rows)}, open("model.json", "w"))
"""
# a small clinic: the model carries the fill value it was trained with, the rule catches what that misses
SERVE = """
import json
model, rules = json.load(open("model.json")), json.load(open("rules.json"))
caught = model["fill"] != -1 or any(rule["id"] == "R2" for rule in rules)
print(json.dumps({"rate": 0.6 if caught else 0.1, "clinic=C": {"rate": 0.65 if caught else 0.11}}))
"""
PYTHON = sys.executable
TOML = '[[artifact]]\npath = "model.json"\nkind = "model"\n[[artifact]]\npath = "rules.json"\nkind = "rules"\n'


class World(Bench):
    """A project that trains, serves and goes wrong by two changes together."""

    def train(self) -> None:
        run(self.repo, [PYTHON, "train.py"], inputs=["data.csv", "config.json"], outputs=["model.json"], name="train")


@pytest.fixture
def world(tmp_path: Path) -> World:
    bench = World(tmp_path / "project")
    bench.write("mlver.toml", TOML)
    bench.write("train.py", TRAIN)
    bench.write("serve.py", SERVE)
    bench.write("config.json", {"fill": "median", "iterations": 10})
    bench.write("rules.json", [{"id": "R1", "if": "x > 3"}, {"id": "R2", "if": "x > 5"}])
    bench.write("data.csv", "x\n1\n2\n")
    bench.train()
    bench.commit("v2")
    bench.write("data.csv", "x\n1\n2\n3\n")
    bench.commit("more rows")
    bench.write("config.json", {"fill": -1, "iterations": 10})
    bench.commit("simpler fill")
    bench.write("config.json", {"fill": -1, "iterations": 99})
    bench.commit("more iterations")
    bench.write("rules.json", [{"id": "R1", "if": "x > 3"}])
    bench.commit("drop R2", trailers={"why": ["0 hits"]}, by="eve")
    bench.train()
    bench.commit("nightly", by="cron")
    return bench


def asked(bench: World, metric: str | None = "rate{clinic=C} >= 0.3", **more) -> Question:
    return question(bench.repo, more.pop("command", [PYTHON, "serve.py"]), metric=metric, **more)


def everything(bench: World) -> dict[str, bytes]:
    """Work tree and state, byte by byte; caches may change."""
    paths = [p for p in bench.root.rglob("*") if p.is_file() and "cache" not in p.parts and "tmp" not in p.parts]
    return {p.relative_to(bench.root).as_posix(): p.read_bytes() for p in paths}


def test_as_committed_the_retrained_model_is_the_first_bad(world: World) -> None:
    before = everything(world)
    result = bisect(world.repo, "HEAD~5", "HEAD", asked(world))
    (found,) = result.found
    assert (result.mode, found.subject, found.author) == ("as committed", "nightly", "cron")
    assert len(result.trials) <= 4 and result.candidates == 5
    assert {trial.verdict for trial in result.trials} == {"good", "bad"}
    assert everything(world) == before


def test_rebuilt_the_removed_rule_is_the_first_bad(world: World) -> None:
    result = bisect(world.repo, "HEAD~5", "HEAD", asked(world, rebuild=True))
    (found,) = result.found
    assert (result.mode, found.subject, found.why) == ("rebuilt", "drop R2", "0 hits")
    assert any("rules.json" in text for text in found.changes)
    assert any(trial.rebuilt == ("train",) for trial in result.trials)


def test_isolated_the_two_changes_that_do_it_together_are_named(world: World) -> None:
    before = everything(world)
    result = isolate(world.repo, "HEAD~5", "HEAD", asked(world, rebuild=True, jobs=3))
    assert [sorted(change.name for change in some) for some in result.guilty] == [["config.json#fill", "rules.json#R2"]]
    swaps = {swap.change.name: swap for swap in result.swaps}
    assert set(swaps) == {"config.json#fill", "config.json#iterations", "data.csv", "rules.json#R2"}
    assert swaps["config.json#iterations"].without == "bad"
    assert (swaps["rules.json#R2"].without, swaps["rules.json#R2"].alone) == ("good", "good")
    assert everything(world) == before


def test_as_committed_the_model_is_guilty_with_the_rule(world: World) -> None:
    result = isolate(world.repo, "HEAD~5", "HEAD", asked(world))
    assert [sorted(change.name for change in some) for some in result.guilty] == [["model.json", "rules.json#R2"]]


def test_one_guilty_change_is_named_alone(world: World) -> None:
    serve = SERVE.replace('model["fill"] != -1 or ', "")
    world.write("today.py", serve)
    result = isolate(world.repo, "HEAD~5", "HEAD", asked(world, command=[PYTHON, "today.py"], beside=["today.py"]))
    assert [[change.name for change in some] for some in result.guilty] == [["rules.json#R2"]]


def test_of_three_that_only_together_do_it_all_three_are_named(world: World) -> None:
    code = """
import json
config, rows = json.load(open("config.json")), open("data.csv").read().split()
bad = config["fill"] == -1 and len(rows) == 4 and len(json.load(open("rules.json"))) == 1
print(json.dumps({"rate": 0.0 if bad else 1.0}))
"""
    result = isolate(world.repo, "HEAD~5", "HEAD", asked(world, "rate > 0.5", command=[PYTHON, "-c", code]))
    assert [sorted(change.name for change in some) for some in result.guilty] == [
        ["config.json#fill", "data.csv", "rules.json#R2"]
    ]


def test_the_exit_status_of_a_script_decides(world: World) -> None:
    code = 'import json, sys; sys.exit(json.load(open("config.json"))["iterations"] == 99)'
    result = bisect(world.repo, "HEAD~5", "HEAD", asked(world, None, command=[PYTHON, "-c", code]))
    assert [found.subject for found in result.found] == ["more iterations"]


def test_commits_that_cannot_be_tried_leave_it_open(world: World) -> None:
    code = """
import json, sys
fill, rules = json.load(open("config.json"))["fill"], json.load(open("rules.json"))
sys.exit(125 if fill == -1 and len(rules) == 2 else len(rules) == 1)
"""
    result = bisect(world.repo, "HEAD~5", "HEAD", asked(world, None, command=[PYTHON, "-c", code]))
    assert {found.subject for found in result.found} == {"simpler fill", "more iterations", "drop R2"}
    assert "skip" in {trial.verdict for trial in result.trials}


@pytest.mark.parametrize(
    "command, why",
    [
        (["-c", "raise SystemExit('no such file')"], "ended with 1: no such file"),
        (["-c", "import time; time.sleep(60)"], "took longer"),
        (["-c", "import os; os.kill(os.getpid(), 9)"], "ended by signal 9"),
        (["-c", "print('done')"], "answered with no JSON object"),
        (["-c", "print('{\"other\": 1}')"], "never measured"),
    ],
)
def test_a_command_that_never_answers_says_so_and_changes_nothing(world: World, command, why) -> None:
    before = everything(world)
    with pytest.raises(NegativeAnswer, match=why):
        bisect(world.repo, "HEAD~5", "HEAD", asked(world, command=[PYTHON, *command], timeout=1))
    assert everything(world) == before


def test_ends_that_are_not_what_they_are_said_to_be_are_named(world: World) -> None:
    with pytest.raises(NegativeAnswer, match=r"is not bad: 0\.65"):
        bisect(world.repo, "HEAD~5", "HEAD~2", asked(world))
    with pytest.raises(NegativeAnswer, match=r"is not good: 0\.65"):
        bisect(world.repo, "HEAD~5", "HEAD", asked(world, "rate{clinic=C} >= 0.7"))
    with pytest.raises(NegativeAnswer, match="is not bad: the command ended with 0"):
        bisect(world.repo, "HEAD~5", "HEAD", asked(world, None, command=[PYTHON, "-c", "0"]))
    with pytest.raises(UsageError, match="is not newer"):
        bisect(world.repo, "HEAD", "HEAD~5", asked(world))
    with pytest.raises(NegativeAnswer, match=r"is not bad: 0\.65"):
        isolate(world.repo, "HEAD~5", "HEAD~2", asked(world))
    with pytest.raises(NegativeAnswer, match="is not bad: the command ended with 0"):
        isolate(world.repo, "HEAD~5", "HEAD~2", asked(world, None, command=[PYTHON, "-c", "0"]))


def test_nothing_recorded_cannot_be_rebuilt(tmp_path: Path) -> None:
    bench = World(tmp_path / "plain")
    bench.write("a.json", {"x": 1})
    bench.commit("one")
    bench.write("a.json", {"x": 2})
    bench.commit("two")
    with pytest.raises(NegativeAnswer, match="no step is recorded"):
        bisect(bench.repo, "HEAD~1", "HEAD", asked(bench, "x < 2", command=[PYTHON, "-c", "0"], rebuild=True))


def test_the_values_on_record_decide_without_running_anything(world: World) -> None:
    for rev, value in (("HEAD~5", 0.95), ("HEAD~3", 0.94), ("HEAD~2", 0.5), ("HEAD", 0.4)):
        add_metrics(world.repo, rev, {"recall": value})
    result = bisect_stored(world.repo, "HEAD~5", "HEAD", metric="recall >= 0.9")
    assert (result.mode, [found.subject for found in result.found]) == ("recorded", ["more iterations"])


def test_the_profile_of_a_table_decides(tmp_path: Path) -> None:
    """ "This data is supposed to have 50 states, there's only 40, what happened to the other 10?\""""
    bench = Bench(tmp_path / "project")
    for version in range(12):
        states = 40 if version >= 7 else 50
        rows = "".join(f"{n},state{n % states}\n" for n in range(200))
        bench.write("data/train.csv", f"id,state\n{rows}" + f"{1000 + version},state0\n")
        bench.commit(f"week {version}")
    result = bisect_stored(bench.repo, "HEAD~11", "HEAD", profile="state.distinct >= 50", of="data/train.csv")
    assert (result.mode, [found.subject for found in result.found]) == ("profile", ["week 7"])
    assert len(result.trials) <= 5
    with pytest.raises(NegativeAnswer, match=r"tried: no nothing.distinct in data/train.csv") as caught:
        bisect_stored(bench.repo, "HEAD~11", "HEAD", profile="nothing.distinct >= 50", of="data/train.csv")
    assert "lists the columns" in (caught.value.hint or "")
    with pytest.raises(NegativeAnswer, match="never measured") as caught:
        bisect_stored(bench.repo, "HEAD~11", "HEAD", metric="recall >= 0.9")
    assert "metrics list" in (caught.value.hint or "")


def test_what_makes_it_bad_must_be_said(world: World) -> None:
    with pytest.raises(UsageError, match="what makes a commit bad"):
        bisect_stored(world.repo, "HEAD~5", "HEAD")
    with pytest.raises(UsageError, match="no baseline"):
        asked(world, "rate >= baseline")
    with pytest.raises(UsageError, match="--metric: not a condition"):
        asked(world, "rate")
    with pytest.raises(UnknownRevision):
        asked(world, data="nowhere.csv")


def test_data_and_code_of_today_are_laid_over_every_bundle(world: World) -> None:
    world.write("live/w3.csv", "x\n7\n")
    world.write("judge.py", "import sys; print('{\"rows\": %d}' % len(open(sys.argv[1]).read().split()))")
    ask = asked(world, "rows > 5", command=[PYTHON, "judge.py", "{data}"], data="live/w3.csv", beside=["judge.py"])
    with pytest.raises(NegativeAnswer, match="is not good: 2"):
        bisect(world.repo, "HEAD~5", "HEAD", ask)


def test_a_step_that_always_gives_the_same_is_reproduced(world: World) -> None:
    before = everything(world)
    result = reproduce(world.repo, "HEAD", step="train", times=2)
    (step,) = result.steps
    assert result.same and step.outputs[0].verdict == "same bytes" and step.outputs[0].versions == 1
    assert everything(world) == before
    with pytest.raises(UsageError, match="no step deploy is recorded"):
        reproduce(world.repo, "HEAD", step="deploy")


def test_a_step_without_a_seed_gives_two_results_in_two_runs(world: World) -> None:
    world.write("train.py", TRAIN.replace("len(rows)", "__import__('os').urandom(8).hex()"))
    world.train()
    world.commit("unseeded")
    result = reproduce(world.repo, "HEAD", times=2)
    (output,) = result.steps[0].outputs
    assert not result.same and output.verdict == "differs" and output.versions == 2


def test_other_bytes_with_the_same_meaning_are_told_apart(world: World) -> None:
    code = "import json, os; json.dump({'fill': 1}, open('model.json', 'w'), indent=len(os.listdir('..')) % 2 or None)"
    world.write("pad.txt", "")
    run(world.repo, [PYTHON, "-c", code], inputs=["config.json"], outputs=["model.json"], name="odd")
    world.commit("odd")
    result = reproduce(world.repo, "HEAD", step="odd")
    assert result.steps[0].outputs[0].verdict in ("same bytes", "same meaning") and result.same


def test_a_step_runs_with_the_inputs_it_had_and_not_with_those_of_today(world: World) -> None:
    assert reproduce(world.repo, "HEAD~1", step="train").same  # the model there is older than its data
    world.write("data.csv", "x\n9\n")
    assert reproduce(world.repo, "HEAD", step="train").same
    assert not os.path.exists(world.root / "out.json")
