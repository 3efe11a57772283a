"""The list of rules: age, owner and whether they left, what needs attention first; what status says of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlver.errors import UsageError
from mlver.repo.people import people
from mlver.verbs.alerts import act_on_alert, add_alert
from mlver.verbs.rules_check import check_rules
from mlver.verbs.rules_list import ListedRule, RulesListResult, list_rules
from mlver.verbs.status import status
from tests.kit import Bench

R1 = {"id": "R1", "when": "radius > 20", "then": "refer", "owner": "ana", "why": "very large masses"}
R2 = {"id": "R2", "when": {"missing_at_least": 1}, "then": "refer", "owner": "Dana", "why": "the scanner"}
BOUNDS = {name: {"min": 0, "owner": "dana", "why": "no length is negative"} for name in ("radius", "texture")}
DATA = "id,clinic,radius,texture\nP1,A,10,5\nP2,C,25,6\nP3,C,,7\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "clinic")
    bench.write("rules/rules.json", [R1])
    bench.write("checks/bounds.json", BOUNDS)
    bench.write("data/w1.csv", DATA)
    bench.write("mlver.toml", '[people.dana]\nleft = 2024-03-12\naliases = ["d.meyer@clinic.example"]\n')
    bench.commit("v1")
    bench.write("rules/rules.json", [R1, R2])
    bench.commit("add R2", by="dana", trailers={"ticket": ["TRI-31"]})
    bench.repo.actor = "ana"
    return bench


def by_id(result: RulesListResult) -> dict[str, ListedRule]:
    return {rule.id: rule for rule in result.rules}


def test_every_rule_comes_with_its_commit_its_owner_and_its_reason(bench: Bench) -> None:
    rule = by_id(list_rules(bench.repo))["R2"]
    assert (rule.path, rule.owner, rule.author, rule.why) == ("rules/rules.json", "Dana", "dana", "the scanner")
    assert rule.ticket == ("TRI-31",)
    assert rule.commit == bench.repo.view.head
    assert rule.left == datetime(2024, 3, 12, tzinfo=UTC)


def test_rules_of_somebody_who_left_come_first_those_of_small_files_before_those_of_large_ones(bench: Bench) -> None:
    result = list_rules(bench.repo, owner_left=True)
    assert [rule.id for rule in result.rules] == ["R2", "radius", "texture"]
    assert result.of == 4
    assert [rule.id for rule in list_rules(bench.repo).rules][-1] == "R1"


@pytest.mark.parametrize(("written", "gone"), [
    ("DANA", True), ("Dana <d.meyer@clinic.example>", True), ("d.meyer@clinic.example", True), ("danae", False),
    ("ana", False),
])  # fmt: skip
def test_a_person_is_known_however_the_name_is_written(bench: Bench, written: str, gone: bool) -> None:
    known = people(bench.repo.project())
    assert (known.left(written, datetime(2024, 4, 1, tzinfo=UTC)) is not None) is gone
    assert known.left(written, datetime(2024, 3, 1, tzinfo=UTC)) is None


def test_a_malformed_person_is_named_with_its_line(bench: Bench) -> None:
    bench.write("mlver.toml", '[people.dana]\nleft = "soon"\n')
    with pytest.raises(UsageError, match=r"mlver\.toml:1: people\.dana\.left: not a time: 'soon'"):
        list_rules(bench.repo)


def test_a_rule_nobody_owns_is_its_authors(bench: Bench) -> None:
    bench.write("rules/rules.json", [R1, R2, {"id": "R3", "when": "radius > 3"}])
    bench.commit("add R3", by="Dana <d.meyer@clinic.example>")
    rule = by_id(list_rules(bench.repo))["R3"]
    assert rule.attention[0] == "owner left"
    assert {"nobody owns it", "no reason"} <= set(rule.attention)


def test_what_rules_check_found_counts_each_version_of_the_data_once(bench: Bench) -> None:
    assert "never tested" in by_id(list_rules(bench.repo))["R1"].attention
    for _ in range(2):
        check_rules(bench.repo, "data/w1.csv")
    bench.write("data/w1.csv", DATA + "P4,A,30,\n")
    check_rules(bench.repo, "data/w1.csv")
    rules = by_id(list_rules(bench.repo))
    assert (rules["R1"].fired.hits, rules["R1"].fired.rows, rules["R1"].fired.tables) == (1 + 2, 3 + 4, 2)
    assert rules["R1"].last_fired is not None
    assert rules["radius"].fired.hits == 0
    assert [rule.id for rule in list_rules(bench.repo, never_fired=True).rules] == ["radius", "texture"]


def test_an_alert_that_names_a_rule_counts_as_its_firing(bench: Bench) -> None:
    add_alert(bench.repo, "rule.R1", id="A1")
    add_alert(bench.repo, "rule.R11", id="A2")
    act_on_alert(bench.repo, "A1", did="looked")
    rule = by_id(list_rules(bench.repo))["R1"]
    assert rule.alerts == 1
    assert rule.last_fired is not None
    assert "never tested" not in rule.attention


def test_rules_past_their_date_come_before_everything_and_stand_in_status(bench: Bench) -> None:
    bench.write("rules/rules.json", [R1 | {"expires": "2024-03-31"}, R2 | {"expires": "2024-04-03"}])
    result = list_rules(bench.repo)
    assert (result.rules[0].id, result.rules[0].attention[0]) == ("R1", "expired")
    assert "expires soon" in by_id(result)["R2"].attention
    assert [rule.id for rule in list_rules(bench.repo, expired=True).rules] == ["R1"]
    assert [(rule.id, rule.state, rule.why) for rule in status(bench.repo).rules] == [
        ("R1", "expired", "since 2024-03-31, ana: very large masses")
    ]


def test_a_date_that_is_none_is_said_with_file_line_and_rule(bench: Bench) -> None:
    bench.write("rules/rules.json", [R1, R2 | {"expires": "when it is fixed"}])
    rule = by_id(list_rules(bench.repo))["R2"]
    assert "malformed" in rule.attention
    assert rule.problem == "rules/rules.json:10: rule R2: expires is no date: 'when it is fixed'"


def test_a_rule_that_only_the_work_tree_has_is_not_committed(bench: Bench) -> None:
    bench.write("rules/rules.json", [R1, R2 | {"when": {"missing_at_least": 2}}])
    rules = by_id(list_rules(bench.repo))
    assert (rules["R2"].commit, rules["R2"].changed) == (None, None)
    assert rules["R1"].commit is not None
    assert by_id(list_rules(bench.repo, rev="HEAD"))["R2"].commit is not None


def test_a_file_that_cannot_be_read_is_said_and_the_others_are_listed(bench: Bench) -> None:
    bench.write("rules/more.json", '[{"id": "R7"}, {"id": "R7"}]')
    result = list_rules(bench.repo)
    assert result.unread == (("rules/more.json", "duplicate rule id R7 (entries 1 and 2)"),)
    assert len(result.rules) == 4
    with pytest.raises(UsageError, match=r"rules/more\.json: duplicate rule id R7"):
        list_rules(bench.repo, rules="rules/more.json")


def test_programs_of_rules_are_listed_by_function(bench: Bench) -> None:
    bench.write(
        "rules/filters.py", '@rule(owner="dana")\ndef too_old(row):\n    """Nobody is."""\n    return row.age > 125\n'
    )
    rule = by_id(list_rules(bench.repo))["too_old"]
    assert (rule.owner, rule.why, rule.text) == ("dana", "Nobody is.", "def too_old(row): return row.age > 125")
