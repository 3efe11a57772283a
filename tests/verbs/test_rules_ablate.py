"""Can a rule go? Measured by the user's command in scratch folders; the answer is kept, and goes stale."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from mlver.errors import NegativeAnswer, UsageError
from mlver.kinds.registry import get
from mlver.repo.ablation_facts import Answer, ablations
from mlver.repo.measuring import CommandFailed
from mlver.verbs.rules_ablate import AblateResult, ablate_rules, ablations_of
from mlver.verbs.rules_list import list_rules
from mlver.verbs.show import ShowUnitResult, show
from mlver.verbs.status import status
from tests.kit import Bench

# The model misses a patient without measurement when gaps are filled with -1; R2 catches such patients.
SERVE = """
import csv, json, sys
config = json.load(open("config/pipeline.json"))
rules = {rule["id"]: rule for rule in json.load(open("rules/rules.json"))}
truth = {row["id"]: row["label"] for row in csv.DictReader(open("data/labels.csv"))}
rows = list(csv.DictReader(open(sys.argv[1])))
def measured(rows):
    missed = unneeded = flagged = 0
    for row in rows:
        radius = float(row["radius"] or (15 if config["impute"] == "median" else -1))
        refer = radius > 14 or ("R2" in rules and not row["radius"]) or ("R1" in rules and radius > 20)
        flagged += refer
        missed += truth[row["id"]] == "1" and not refer
        unneeded += truth[row["id"]] == "0" and refer
    return {"n": len(rows), "flag_rate": flagged / len(rows), "missed": missed, "unneeded": unneeded}
metrics = measured(rows)
for clinic in sorted({row["clinic"] for row in rows}):
    metrics[f"clinic={clinic}"] = measured([row for row in rows if row["clinic"] == clinic])
print("served", len(rows))
print(json.dumps(metrics))
"""
R1 = {"id": "R1", "when": {"column": "radius", "op": ">", "value": 20}, "then": "refer"}
R2 = {"id": "R2", "when": {"missing_at_least": 1}, "then": "refer"}
R3 = {"id": "R3", "when": "clinic = 'Z'", "then": "refer"}
W3 = "id,clinic,radius\nP1,A,10\nP2,C,\nP3,C,\nP4,B,25\n"
LABELS = "id,label\nP1,0\nP2,1\nP3,0\nP4,1\n"
COMMAND = [sys.executable, "serve.py", "{data}"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "clinic")
    bench.write("serve.py", SERVE)
    bench.write("config/pipeline.json", {"impute": "median", "C": 1.0})
    bench.write("rules/rules.json", [R1, R2, R3])
    bench.write("checks/bounds.json", {"radius": {"min": 0, "max": 30}})
    bench.write("data/w3.csv", W3)
    bench.write("data/labels.csv", LABELS)
    bench.commit("v1")
    return bench


def ablate(bench: Bench, command: list[str] | None = None, **options: Any) -> AblateResult:
    return ablate_rules(bench.repo, "data/w3.csv", command or COMMAND, environment=dict(os.environ), **options)


def answers(result: AblateResult) -> dict[tuple[str, ...], Answer]:
    return {answer.off: answer for one in result.ablations for answer in one.answers}


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".mlver" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_with_median_r2_can_go_with_minus_one_it_cannot_and_both_answers_stay(bench: Bench) -> None:
    first = answers(ablate(bench))
    assert first[("R2",)].verdict == "removable"
    assert first[("R1",)].verdict == "removable"
    assert "no metric changed, though it fires on 1 row" in first[("R1",)].why
    bench.write("config/pipeline.json", {"impute": "-1", "C": 1.0})
    change = bench.commit("simpler", by="ben")
    second = answers(ablate(bench, rules="rules/rules.json#R2"))
    assert second[("R2",)].verdict == "not removable"
    changed = {(c.metric, c.slice): (c.with_, c.without, c.verdict) for c in second[("R2",)].changes}
    assert changed["missed", "clinic=C"] == (0, 1, "worse")
    assert changed["unneeded", ""] == (1, 0, "better")
    shown = ablations_of(bench.repo, rule="R2")
    verdicts = [answer.verdict for one in shown.ablations for answer in one.answers if answer.off == ("R2",)]
    assert verdicts == ["not removable", "removable"]
    assert [bool(one.stale) for one in shown.ablations] == [False, True]
    (moved,) = shown.ablations[1].stale
    assert moved.said == 'config/pipeline.json changed since (impute: "median" → "-1")'
    assert (moved.commit, moved.author) == (change, "ben")


def test_a_rule_that_never_fires_here_says_nothing_and_no_run_is_spent_on_it(bench: Bench) -> None:
    result = ablate(bench)
    found = answers(result)
    assert (found[("R3",)].verdict, found[("R3",)].hits) == ("says nothing", 0)
    assert found[("R3",)].why == "this table has no row on which it fires"
    assert result.runs == 4  # all rules twice, and without R1, without R2
    assert not any("radius" in off for off in found)


def test_pairs_are_switched_off_together(bench: Bench) -> None:
    assert set(answers(ablate(bench, pairs=True))) == {("R1",), ("R2",), ("R1", "R2"), ("R3",)}


def test_a_condition_of_ones_own_decides(bench: Bench) -> None:
    found = answers(ablate(bench, metrics=["flag_rate{clinic=C} >= baseline", "missed{clinic=*} <= 0"]))
    assert found[("R2",)].verdict == "removable"
    bench.write("config/pipeline.json", {"impute": "-1"})
    bench.commit()
    found = answers(ablate(bench, metrics=["flag_rate{clinic=C} >= baseline"]))
    assert (found[("R2",)].verdict, found[("R2",)].why) == (
        "not removable", "flag_rate{clinic=C} >= baseline: 0, not >= 1",
    )  # fmt: skip
    assert answers(ablate(bench, metrics=["unneeded"]))[("R2",)].verdict == "removable"
    assert answers(ablate(bench, metrics=["recall >= 0.9"]))[("R2",)].verdict == "not removable"


def test_without_labels_there_is_no_verdict(bench: Bench) -> None:
    only = [
        sys.executable,
        "-c",
        "import json; r=json.load(open('rules/rules.json')); print(json.dumps({'flags': len(r)}))",
    ]
    found = answers(ablate(bench, only))
    assert found[("R2",)].verdict == "says nothing"
    assert "only flags changed, of which none is better or worse" in found[("R2",)].why


@pytest.mark.parametrize("without, verdict, why", [
    ("NaN", "says nothing", "no metric was measured that knows better and worse; are there labels?"),
    ("0.9", "says nothing", "only recall changed, of which none is better or worse"),
])  # fmt: skip
def test_what_cannot_be_computed_with_the_rule_is_no_reason_to_remove_it(
    bench: Bench, without: str, verdict: str, why: str
) -> None:
    answer = answers(ablate(bench, _answering("NaN", without)))[("R2",)]
    assert (answer.verdict, answer.why) == (verdict, why)


def test_what_cannot_be_computed_without_the_rule_is_lost(bench: Bench) -> None:
    answer = answers(ablate(bench, _answering("0.9", 'NaN, "clinic=A": {"recall": 1.0}')))[("R2",)]
    assert (answer.verdict, answer.why) == ("not removable", "recall 0.9 → unknown")


def _answering(with_: str, without: str) -> list[str]:
    choice = f"{with_!r} if 'R2' in open('rules/rules.json').read() else {without!r}"
    code = f"print('{{\"recall\": ' + ({choice}) + '}}')"
    return [sys.executable, "-c", code]


def test_a_metric_that_the_command_does_not_say_gives_no_verdict(bench: Bench) -> None:
    answer = answers(ablate(bench, metrics=["recall{clinic=Z}"]))[("R2",)]
    assert (answer.verdict, answer.why) == ("says nothing", "the command said no recall{clinic=Z}")


def test_what_differs_from_run_to_run_is_no_effect(bench: Bench) -> None:
    noisy = [sys.executable, "-c", "import json, random; print(json.dumps({'recall': random.random(), 'missed': 0}))"]
    result = ablate(bench, noisy)
    assert result.unstable == ("recall",)
    assert answers(result)[("R2",)].changes == ()


def test_the_answer_rests_on_what_was_read_and_on_all_that_is_served(bench: Bench) -> None:
    (found,) = ablate(bench).ablations
    assert {"data/labels.csv", "data/w3.csv", "rules/rules.json", "config/pipeline.json", "serve.py"} <= set(
        found.inputs
    )
    bench.write("data/labels.csv", LABELS.replace("P3,0", "P3,1"))
    (found,) = ablations_of(bench.repo).ablations
    assert [moved.path for moved in found.stale] == ["data/labels.csv"]
    bench.write("data/labels.csv", LABELS)
    bench.write("notes.md", "unrelated")
    assert ablations_of(bench.repo).ablations[0].stale == ()


def test_status_list_and_show_know_the_answer_and_when_it_is_stale(bench: Bench) -> None:
    ablate(bench)
    rule = next(rule for rule in list_rules(bench.repo).rules if rule.id == "R2")
    assert rule.ablation is not None and rule.ablation.verdict == "removable"
    assert rule.attention[0] == "can go"
    assert status(bench.repo).rules == ()
    bench.write("config/pipeline.json", {"impute": "-1", "C": 1.0})
    bench.commit("simpler", by="ben")
    assert "ablation is stale" in next(rule for rule in list_rules(bench.repo).rules if rule.id == "R2").attention
    bench.write("rules/rules.json", [R1, R3])
    told = {rule.id: rule for rule in status(bench.repo).rules}
    assert told["R2"].state == "removed here"
    assert 'stale: config/pipeline.json changed since (impute: "median" → "-1") by ben' in told["R2"].why
    assert told["R1"].state == "stale"
    page = show(bench.repo, "data/w3.csv")
    assert isinstance(page, ShowUnitResult)
    assert any("without R2 removable" in fact.text for fact in page.facts)


@pytest.mark.parametrize(("command", "said"), [
    (["-c", "import sys; sys.exit('no model')"], "ended with 1: no model"),
    (["-c", "import time; time.sleep(60)"], "took longer than"),
    (["-c", "import os; os.kill(os.getpid(), 9)"], "ended by signal 9"),
    (["-c", "print('all fine')"], "answered with no JSON object"),
    (["-c", "import json; print(json.dumps({'recall': 'good'}))"], "recall"),
    (["-c", "import json; r=json.load(open('rules/rules.json')); assert r[1]['id'] == 'R2'; print('{\"missed\": 1}')"],
     "without R1"),
])  # fmt: skip
def test_a_command_that_gives_no_answer_changes_nothing(bench: Bench, command: list[str], said: str) -> None:
    before, operations = tree(bench.root), bench.repo.state.id
    with pytest.raises(CommandFailed) as failure:
        ablate(bench, [sys.executable, *command], timeout=3)
    assert said in str(failure.value)
    assert tree(bench.root) == before
    assert bench.repo.refresh() and bench.repo.state.id == operations
    assert list(ablations(bench.repo)) == []


def test_a_command_can_spoil_nothing_but_its_scratch_folder(bench: Bench) -> None:
    before = tree(bench.root)
    spoil = "import json, pathlib; pathlib.Path('rules/rules.json').write_text('[]'); print(json.dumps({'missed': 0}))"
    ablate(bench, [sys.executable, "-c", spoil])
    assert tree(bench.root) == before


def test_a_table_that_is_not_committed_is_laid_into_the_bundle(bench: Bench) -> None:
    bench.write("data/w3.csv", W3 + "P5,Z,1\n")
    bench.write("data/labels.csv", LABELS + "P5,0\n")
    bench.commit("one more")
    bench.write("data/w4.csv", W3)
    result = ablate_rules(bench.repo, "data/w4.csv", COMMAND, environment=dict(os.environ), rules="rules/rules.json#R2")
    assert answers(result)[("R2",)].verdict == "removable"


def test_an_old_bundle_can_be_asked(bench: Bench) -> None:
    bench.write("rules/rules.json", [R1])
    bench.commit("R2 gone")
    assert ("R2",) in answers(ablate(bench, rev="HEAD~1"))
    assert ("R2",) not in answers(ablate(bench))


def test_rules_in_a_program_say_why_they_cannot_be_switched_off_unless_the_command_does_it(bench: Bench) -> None:
    bench.write("rules/filters.py", "def too_old(row):\n    return row['age'] > 125\n")
    bench.commit()
    found = answers(ablate(bench, rules="rules/filters.py"))[("too_old",)]
    assert found.verdict == "says nothing"
    assert "cannot be switched off here" in found.why
    by_itself = [sys.executable, "-c", "import sys, json; print(json.dumps({'missed': len(sys.argv[1])}))", "{off}"]
    assert answers(ablate(bench, by_itself, rules="rules/filters.py"))[("too_old",)].verdict == "not removable"


@pytest.mark.parametrize(("path", "text"), [
    ("r.json", '[\n {"id": "A", "n": 1},\n {"id": "B"}\n]\n'), ("r.yaml", "- id: A\n  n: 1  # one\n- id: B\n"),
    ("r.toml", '[[rules]]\nid = "A"\n\n[[rules]]\nid = "B"\n'), ("m.yaml", "A:\n  n: 1\nB:\n  n: 2\n"),
    ("p.yaml", "groups:\n- name: g\n  rules:\n  - {alert: A, expr: up}\n  - {alert: B, expr: x}\n"),
])  # fmt: skip
def test_a_rule_is_switched_off_in_every_document(bench: Bench, path: str, text: str) -> None:
    from mlver.repo.rulebook import rule_files
    from mlver.verbs.ablation_runs import without
    from tests.kinds.byte_source import source

    bench.write(f"rules/{path}", text)
    (file,) = rule_files(bench.repo.work_snapshot(), f"rules/{path}")
    left = get("rules").units(source(path, without(file, ["A"])), file.snapshot.spec(file.path))
    assert [key for key in left.keys() if not key.startswith("@")] == ["B"]  # noqa: SIM118


def test_what_makes_no_sense_is_said(bench: Bench) -> None:
    with pytest.raises(UsageError, match="no command"):
        ablate_rules(bench.repo, "data/w3.csv", [])
    with pytest.raises(UsageError, match="not a condition"):
        ablate(bench, metrics=["recall >="])
    with pytest.raises(UsageError, match=r"unknown place \{model\}"):
        ablate(bench, [*COMMAND, "{model}"])
    bench.write("rules/rules.json", [])
    bench.commit()
    with pytest.raises(NegativeAnswer, match="no rule to ask about"):
        ablate(bench)
