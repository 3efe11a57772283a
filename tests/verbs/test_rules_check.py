"""Rules tested on tables: hits by rule and slice, kept as facts; decisions that flip; bounds tried on the past."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlver.errors import NegativeAnswer, Refused, UnknownRevision, UsageError
from mlver.repo.firing_facts import firings
from mlver.verbs.alerts import act_on_alert, add_alert
from mlver.verbs.note import add_note
from mlver.verbs.rules_backtest import backtest_rules
from mlver.verbs.rules_check import CheckedRule, check_rules
from mlver.verbs.rules_replay import replay_rules
from mlver.verbs.show import ShowUnitResult, show
from tests.kit import Bench

R1 = {"id": "R1", "when": {"column": "radius", "op": ">", "value": 20}, "then": "refer"}
R2 = {"id": "R2", "when": {"missing_at_least": 1}, "then": "refer"}
W1 = "id,clinic,radius\nP1,A,10\nP2,C,25\nP3,B,3\n"
W2 = "id,clinic,radius\nP4,A,10\nP5,C,\nP6,C,\nP7,B,40\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "clinic")
    bench.write("rules/rules.json", [R1, R2])
    bench.write("checks/bounds.json", {"radius": {"min": 0, "max": 30}, "weight": {"min": 0}})
    bench.write("data/w1.csv", W1)
    bench.commit("v1")
    return bench


def checked(bench: Bench, data: str, **options: Any) -> dict[str, CheckedRule]:
    return {rule.id: rule for rule in check_rules(bench.repo, data, **options).rules}


def test_every_rule_says_how_often_and_where_it_fires(bench: Bench) -> None:
    bench.write("data/w2.csv", W2)
    rules = checked(bench, "data/w2.csv", by="clinic")
    assert (rules["R2"].hits, rules["R2"].share, rules["R2"].keys) == (2, 0.5, ("P5", "P6"))
    assert [(one.slice, one.hits, one.rows) for one in rules["R2"].slices] == [("A", 0, 1), ("B", 0, 1), ("C", 2, 2)]
    assert (rules["R1"].hits, rules["R1"].unknown) == (1, 2)
    assert (rules["radius"].sort, rules["radius"].hits, rules["radius"].broken) == ("demand", 1, True)
    assert rules["weight"].untested == "no column weight"


def test_a_table_without_a_row_that_fires_says_nothing(bench: Bench) -> None:
    result = check_rules(bench.repo, "data/w1.csv")
    assert [rule.id for rule in result.rules if rule.silent] == ["R2"]
    assert not result.broken


def test_the_answer_is_kept_for_these_versions_and_shown_with_the_data(bench: Bench) -> None:
    result = check_rules(bench.repo, "data/w1.csv")
    kept = {one.rules: one for one in firings(bench.repo)}
    assert kept["rules/rules.json"].fired == {"R1": {"hits": 1, "keys": ["P2"]}, "R2": {"hits": 0}}
    assert kept["rules/rules.json"].data_id == result.data_id
    assert kept["checks/bounds.json"].untested == {"weight": "no column weight"}
    page = show(bench.repo, "data/w1.csv")
    assert isinstance(page, ShowUnitResult)
    assert "rules/rules.json on data/w1.csv, 3 rows: R1 1; R2 on none" in [fact.text for fact in page.facts]
    bench.write("data/w1.csv", W2)
    bench.commit("another week")
    other = show(bench.repo, "data/w1.csv")
    assert isinstance(other, ShowUnitResult) and other.facts == ()
    rule = show(bench.repo, "rules/rules.json#R2")
    assert isinstance(rule, ShowUnitResult) and len(rule.facts) == 1


def test_nothing_is_kept_when_nothing_shall_be(bench: Bench) -> None:
    check_rules(bench.repo, "data/w1.csv", record=False)
    assert list(firings(bench.repo)) == []


def test_rules_of_then_are_tested_on_data_of_now(bench: Bench) -> None:
    bench.write("rules/rules.json", [R1])
    assert "R2" not in checked(bench, "data/w1.csv")
    assert "R2" in checked(bench, "data/w1.csv", rev="HEAD")
    bench.write("data/w1.csv", W2)
    assert checked(bench, "data/w1.csv", rev="HEAD")["R2"].hits == 2
    assert checked(bench, "data/w1.csv@HEAD", rev="HEAD")["R2"].hits == 0
    assert list(checked(bench, "data/w1.csv", rules="rules/rules.json#R1")) == ["R1"]


@pytest.mark.parametrize(("when", "error", "said"), [
    ("radius >", UsageError, "rules/rules.json:12: rule R9: it ends too early"),
    ("getenv('HOME') = 'x'", Refused, "rules/rules.json:12: rule R9: it calls getenv"),
    ("COPY rows TO '/tmp/x'", Refused, "rules/rules.json:12: rule R9: it is a statement (copy)"),
    ("1 = (SELECT 1 FROM read_csv('x'))", Refused, "rules/rules.json:12: rule R9: it uses a query of its own"),
    ({"column": "radius", "op": ">"}, UsageError, "rules/rules.json:12: rule R9: the operator > needs one value"),
])  # fmt: skip
def test_a_condition_that_is_none_is_named_with_file_line_and_rule(
    bench: Bench, when: Any, error: type[Exception], said: str
) -> None:
    bench.write("rules/rules.json", [R1, {"id": "R9", "when": when}])
    with pytest.raises(error) as refusal:
        check_rules(bench.repo, "data/w1.csv")
    assert str(refusal.value).startswith(said)
    assert list(firings(bench.repo)) == []


def test_what_is_no_table_is_said(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"rules/rules\.json is no table of rows"):
        check_rules(bench.repo, "rules/rules.json")
    with pytest.raises(UnknownRevision, match=r"no table data/w9\.csv"):
        check_rules(bench.repo, "data/w9.csv")
    with pytest.raises(UsageError, match=r"data/w1\.csv: no column klinik; did you mean clinic\?"):
        check_rules(bench.repo, "data/w1.csv", by="klinik")
    with pytest.raises(UsageError, match=r"data/w1\.csv is of kind data, not rules"):
        check_rules(bench.repo, "data/w1.csv", rules="data/w1.csv")


def test_replay_shows_whose_decision_is_another(bench: Bench) -> None:
    bench.write("data/w2.csv", W2)
    bench.write("rules/rules.json", [R1 | {"when": {"column": "radius", "op": ">", "value": 5}, "then": "call"}])
    result = replay_rules(bench.repo, "HEAD", ".", "data/w2.csv", by="clinic")
    assert [(flip.old, flip.new, flip.keys) for flip in result.flips] == [
        ("refer", "nothing", ("P5", "P6")), ("nothing", "call", ("P4",)), ("refer", "call", ("P7",)),
    ]  # fmt: skip
    assert result.flipped == 4
    assert [(part.slice, part.hits) for part in result.flips[0].slices] == [("A", 0), ("B", 0), ("C", 2)]
    rules = {rule.id: rule for rule in result.rules}
    assert (rules["R2"].change, rules["R2"].old_hits, rules["R2"].new_hits, rules["R2"].stops) == (
        "removed",
        2,
        None,
        2,
    )
    assert (rules["R1"].change, rules["R1"].starts, rules["R1"].stops) == ("changed", 1, 0)


def test_replay_of_the_same_rules_flips_nothing(bench: Bench) -> None:
    bench.write("rules/rules.json", [R2, R1])
    assert replay_rules(bench.repo, "HEAD", ".", "data/w1.csv").flips == ()


def test_the_first_rule_that_fires_decides_where_order_matters(bench: Bench) -> None:
    bench.write("mlver.toml", '[[artifact]]\npath = "rules/rules.json"\nkind = "rules"\norder = true\n')
    rules = [{"id": "A", "when": "radius > 5", "then": "call"}, {"id": "B", "when": "radius > 20", "then": "refer"}]
    bench.write("rules/rules.json", rules)
    bench.commit("call first")
    bench.write("rules/rules.json", rules[::-1])
    result = replay_rules(bench.repo, "HEAD", ".", "data/w1.csv")
    assert [(flip.old, flip.new, flip.keys) for flip in result.flips] == [("call", "refer", ("P2",))]


def past(bench: Bench) -> Bench:
    """Three versions of a table: in the time of the second an alert was acted on, the third is marked bad."""
    bench.write("data/w1.csv", W1.replace("25", "28"))
    bench.commit("second")
    add_alert(bench.repo, "radius_too_large", id="A1")
    act_on_alert(bench.repo, "A1", did="called the clinic")
    add_alert(bench.repo, "noise", id="A2")
    bench.write("data/w1.csv", W1.replace("P3,B,3", "P3,B,-3"))
    third = bench.commit("third")
    add_note(bench.repo, third.hex(), "spoiled", mark="bad")
    return bench


def test_bounds_are_tried_on_every_past_version_and_what_came_of_it(bench: Bench) -> None:
    past(bench)
    result = backtest_rules(bench.repo, "data/w1.csv", settings={"Radius.max": [20, 27, 30]}, where=["radius < 0"])
    found = [(one.name, one.fired, one.true, one.false, one.missed) for one in result.backtests]
    assert found == [
        ("Radius.max = 20", 3, 2, 1, 0), ("Radius.max = 27", 1, 1, 0, 1), ("Radius.max = 30", 0, 0, 0, 2),
        ("radius < 0", 1, 1, 0, 1),
    ]  # fmt: skip
    versions = result.backtests[1].versions
    assert [version.hits for version in versions] == [0, 1, 0]
    assert versions[1].bad == ("A1 radius_too_large",)
    assert "is marked bad" in versions[2].bad[0]
    assert versions[0].until == versions[1].since and versions[2].until is None


def test_a_version_fires_when_more_than_a_share_of_its_rows_does(bench: Bench) -> None:
    past(bench)
    result = backtest_rules(bench.repo, "data/w1.csv", settings={"radius.max": [5]}, at_least=0.7)
    assert result.backtests[0].fired == 0
    assert backtest_rules(bench.repo, "data/w1.csv", settings={"radius.max": [5]}, at_least=0.6).backtests[0].fired == 3


def test_files_of_one_pattern_are_one_series(bench: Bench) -> None:
    bench.write("data/w2.csv", W2)
    bench.commit("week 2")
    result = backtest_rules(bench.repo, "data/*.csv", where=["radius is null"])
    one, two = result.backtests[0].versions
    assert (one.path, two.path, one.until) == ("data/w1.csv", "data/w2.csv", two.since)
    assert [one.hits, two.hits] == [0, 2]


@pytest.mark.parametrize(("words", "error", "said"), [
    ({"settings": {"radius": [3]}}, UsageError, "not a bound: radius"),
    ({"settings": {"radius.mox": [3]}}, NegativeAnswer, "it has no condition mlver reads"),
    ({"settings": {"radius.max": ["x"]}}, UsageError, "radius.max = x: "),
    ({"where": ["radius >"]}, UsageError, "radius >: it ends too early"),
    ({"where": ["exists(from '/etc/passwd')"]}, Refused, "it uses a query of its own"),
    ({}, UsageError, "no bound and no condition"),
])  # fmt: skip
def test_a_proposal_that_makes_no_sense_is_said(bench: Bench, words: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error) as refusal:
        backtest_rules(bench.repo, "data/w1.csv", **words)
    assert said in str(refusal.value)
