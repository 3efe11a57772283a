"""Rules: units by id, in every shape people write them, told in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer

from mlver.kinds.base import Unreadable, differing
from mlver.kinds.rules import RulesKind
from tests.kinds.byte_source import as_dict, diff, units

RULES = RulesKind()
R1 = {
    "id": "R1",
    "when": {"column": "mean radius", "op": ">", "value": 20},
    "then": "refer",
    "owner": "ana",
    "why": "P0 rule",
}
R2 = {
    "id": "R2",
    "when": {"missing_at_least": 3},
    "then": "refer",
    "owner": "dana",
    "why": "scanner drops the block, TRI-31",
}
R3 = {"id": "R3", "when": "age > 3", "then": "refer"}
MAXIMA = load_breast_cancer(as_frame=True).data.max()
BOUNDS = {
    str(name): {"min": 0.0, "max": round(float(most) * 1.25, 6), "owner": "dana", "why": "common sense"}
    for name, most in MAXIMA.items()
}
PROMETHEUS = """
groups:
- name: model
  interval: 1m
  rules:
  - {alert: HighLatency, expr: latency > 0.5, for: 10m, labels: {severity: page}}
  - {alert: HighLatency, expr: latency > 0.3, labels: {severity: warn}}
  - {record: flag_rate, expr: sum(flags)}
"""


def rules(*entries: Any) -> str:
    return json.dumps(entries)


def test_a_removed_rule_is_one_removed_unit_with_its_text() -> None:
    delta, comparison = diff(RULES, "rules/rules.json", rules(R1, R2), rules(R1))
    assert (delta.added, delta.removed, delta.changed) == ([], ["R2"], [])
    assert comparison.summary == "-1 rule"
    assert RULES.text("R2", R2) == "missing_at_least 3 -> refer  (dana: scanner drops the block, TRI-31)"


def test_a_rule_put_first_changes_no_other() -> None:
    delta, comparison = diff(RULES, "r.json", rules(R1, R2), rules(R3, R1, R2))
    assert (delta.added, delta.changed) == (["R3"], [])
    assert comparison.details == ()


def test_rules_in_another_order_are_the_same_rules_and_it_is_said() -> None:
    delta, comparison = diff(RULES, "r.json", rules(R1, R2, R3), rules(R2, R3, R1))
    assert not delta
    assert comparison.same_meaning
    assert comparison.summary == "same rules, in another order (R1 moved)"
    assert comparison.details[0].rows == (("R1", 1, 3),)


def test_a_changed_rule_is_told_as_two_whole_rules_without_what_they_share() -> None:
    stricter = R1 | {"when": {"column": "mean radius", "op": ">", "value": 21.5}}
    assert RULES.change_text("R1", R1, stricter) == ("mean radius > 20 -> refer", "mean radius > 21.5 -> refer")
    other = stricter | {"why": "too many referred"}
    assert RULES.change_text("R1", R1, other) == (
        "mean radius > 20 -> refer  (P0 rule)",
        "mean radius > 21.5 -> refer  (too many referred)",
    )


def test_of_a_rule_that_says_the_same_only_the_fields_that_differ_are_told() -> None:
    assert RULES.change_text("R1", R1, R1 | {"why": "habit"}) == ("(P0 rule)", "(habit)")
    assert RULES.change_text("R1", R1, R1 | {"name": "large"}) == ("{}", '{"name": "large"}')


def test_order_is_a_unit_where_the_project_says_so() -> None:
    delta, comparison = diff(RULES, "r.json", rules(R1, R2), rules(R2, R1), order=True)
    assert delta.changed == ["@order"]
    assert not comparison.same_meaning
    assert RULES.text("@order", ["R2", "R1"]) == '["R2", "R1"]'


def test_order_has_no_meaning_in_a_map() -> None:
    _, comparison = diff(RULES, "r.json", json.dumps({"a": R1, "b": R2}), json.dumps({"b": R2, "a": R1}))
    assert (comparison.summary, comparison.details) == ("same rules", ())


def test_a_bound_that_moved_shows_as_one_field_of_its_column() -> None:
    new = json.loads(json.dumps(BOUNDS)) | {"mean radius": BOUNDS["mean radius"] | {"max": 30}}
    old, now = (
        units(RULES, "checks/bounds.json", json.dumps(BOUNDS)),
        units(RULES, "checks/bounds.json", json.dumps(new)),
    )
    assert len(old) == 30
    assert old.delta(now).changed == ["mean radius"]
    assert differing(old.get("mean radius"), now.get("mean radius")) == ({"max": 35.1375}, {"max": 30})
    assert RULES.text("mean radius", old.get("mean radius")) == "0 <= mean radius <= 35.1375  (dana: common sense)"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (rules(R1, R2, R1), r"duplicate rule id R1 \(entries 1 and 3\)"),
        (json.dumps({"rules": [R1], "checks": {"R1": {"max": 1}}}), "duplicate rule id R1"),
        ('{"R1": {"max": 1},\n "R1": {"max": 2}}', "line 2: duplicate key R1"),
        ("[1, 1]", r"duplicate rule id 1 \(entries 1 and 2\)"),
        ('"R1"', "neither a list nor a map"),
    ],
)
def test_rules_that_cannot_be_told_apart_are_refused(text: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        units(RULES, "rules/rules.json", text)


def test_the_same_rules_are_found_in_every_shape() -> None:
    expected = as_dict(units(RULES, "r.json", rules(R1, R2)))
    shapes = {
        "r.yaml": yaml.safe_dump([R1, R2]),
        "r.json": json.dumps({"rules": [R2, R1]}),
        "m.json": json.dumps({"R1": R1, "R2": R2}),
        "b.json": json.dumps({"checks": {"R1": R1, "R2": R2}}),
        "two.json": json.dumps({"rules": [R1], "bounds": {"R2": R2}}),
        "r.toml": f"rules = [{_toml(R1)}, {_toml(R2)}]",
    }
    for path, text in shapes.items():
        assert as_dict(units(RULES, path, text)) == expected, path


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


def test_what_stands_beside_the_rules_is_not_lost() -> None:
    delta, _ = diff(
        RULES, "r.json", json.dumps({"version": 1, "rules": [R1]}), json.dumps({"version": 2, "rules": [R1]})
    )
    assert delta.changed == ["@version"]


def test_a_column_named_like_a_section_is_a_bound() -> None:
    found = units(RULES, "b.json", json.dumps({"checks": {"min": 0, "max": 9}, "age": {"min": 0, "max": 125}}))
    assert list(found.keys()) == ["checks", "age"]


def test_rules_without_ids_go_by_what_they_say() -> None:
    entries = [{"column": "age", "op": "<", "value": 125}, {"drop_if": "x"}, "weight > 0"]
    keys = list(units(RULES, "r.json", json.dumps(entries)).keys())
    assert keys[0] == "age"
    assert keys[1].startswith("~")
    assert keys[2] == "weight > 0"
    assert list(units(RULES, "r.json", json.dumps(entries[1:])).keys()) == keys[1:]


def test_prometheus_rules_of_one_name_go_by_severity() -> None:
    found = units(RULES, "alerts.yml", PROMETHEUS)
    assert list(found.keys()) == ["HighLatency [page] [model]", "HighLatency [warn] [model]", "flag_rate [model]"]
    assert RULES.text("x", found.get("HighLatency [page] [model]")).startswith("latency > 0.5 for 10m")


def test_a_great_expectations_suite_goes_by_type_and_column() -> None:
    suite = {
        "name": "input",
        "expectations": [
            {
                "type": "expect_column_values_to_be_between",
                "kwargs": {"column": "age", "min_value": 0, "max_value": 125},
            },
            {"expectation_type": "expect_column_to_exist", "kwargs": {"column": "age"}, "meta": {}},
        ],
    }
    found = units(RULES, "expectations/input.json", json.dumps(suite))
    assert list(found.keys()) == [
        "expect_column_values_to_be_between(age)", "expect_column_to_exist(age)", "@name",
    ]  # fmt: skip
    assert RULES.text("x", found.get("expect_column_values_to_be_between(age)")) == "0 <= age <= 125"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (R1, "mean radius > 20 -> refer  (ana: P0 rule)"),
        ({"max": 30}, "k <= 30"),
        ({"gt": 0, "lt": 1}, "0 < k < 1"),
        ({"column": "age", "op": "<=", "value": 125, "action": "drop"}, "age <= 125 -> drop"),
        ({"when": "a and b", "severity": "page"}, "a and b severity page"),
        ({"allowed": ["A", "B"]}, 'allowed ["A", "B"]'),
        ({"threshold": 0.5}, "threshold 0.5"),
        ({"owner": "ana"}, "  (ana)"),
        (0.25, "0.25"),
        ("age > 3", "age > 3"),
        (None, "null"),
    ],
)
def test_a_rule_reads_as_a_sentence(rule: Any, text: str) -> None:
    assert RULES.text("k", rule) == text


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["rules", "groups", "id", "when", "min", "max", "name", "x", "labels", "alert"]), inner
        )
    ),
    max_leaves=12,
)


@given(anything)
def test_any_document_is_rules_or_a_reason(value: Any) -> None:
    try:
        found = units(RULES, "r.json", json.dumps(value))
    except Unreadable as refusal:
        assert str(refusal)
        return
    for key, rule in as_dict(found).items():
        assert isinstance(RULES.text(key, rule), str)
