"""Rules in every shape as tests of rows: on which rows they fire, or why they can't be tested."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlver.kinds.base import Units, Unreadable
from mlver.kinds.predicates.outcome import Malformed, NoColumn, Outcome, RuleTable
from mlver.kinds.rules import RulesKind
from mlver.kinds.tables.units import TableUnits
from tests.kinds.byte_source import units

NAN = float("nan")
TABLE = pa.table(
    {
        "id": ["P1", "P2", "P3", "P4", "P4x"],
        "clinic": ["A", "C", "C", "B", "B"],
        "radius": [10.0, 25.0, None, -1.0, 2.5],
        "count": ["1", "2", "x", None, "2"],
    }
)


def outcome(rule: Any, key: str = "R", table: pa.Table = TABLE) -> Outcome:
    with RuleTable(TableUnits(table)).open() as opened:
        return opened.test(key, rule)


def fired(rule: Any, key: str = "R") -> list[int]:
    found = outcome(rule, key)
    assert found.why_not is None, found.why_not
    return found.positions.tolist()


@pytest.mark.parametrize(("rule", "rows"), [
    ({"when": {"column": "radius", "op": ">", "value": 20}}, [1]),
    ({"column": "radius", "op": "ge", "threshold": 2.5, "then": "refer"}, [0, 1, 4]),
    ({"when": {"missing_at_least": 1}}, [2, 3]),
    ({"when": {"missing_at_least": 1, "columns": ["radius"]}}, [2]),
    ({"when": {"column": "radius", "missing": True}}, [2]),
    ({"when": {"column": "radius", "op": "is not null"}}, [0, 1, 3, 4]),
    ({"when": {"column": "clinic", "in": ["A", "B"]}}, [0, 3, 4]),
    ({"when": {"column": "clinic", "op": "not in", "value": ["A", "B"]}}, [1, 2]),
    ({"when": {"column": "radius", "gt": 0, "lte": 10}}, [0, 4]),
    ({"when": {"column": "radius", "op": "between", "value": [2, 10]}}, [0, 4]),
    ({"when": {"any": [{"column": "clinic", "value": "A"}, "radius < 0"]}}, [0, 3]),
    ({"when": {"not": {"all": ["clinic = 'C'", "radius > 20"]}}}, [0, 3, 4]),
    ({"if": 'clinic == "C" and radius > 20'}, [1]),
    ("radius > 20", [1]),
    ({"check": "radius >= 0"}, [3]),
    ({"when": True}, [0, 1, 2, 3, 4]),
])  # fmt: skip
def test_a_condition_fires_where_it_is_true(rule: Any, rows: list[int]) -> None:
    assert fired(rule) == rows


@pytest.mark.parametrize(("rule", "rows"), [
    ({"min": 0, "max": 20}, [1, 3]),
    ({"column": "radius", "gt": 2.5}, [3, 4]),
    ({"min": 0, "nulls": False}, [2, 3]),
    ({"nonneg": True, "integer": True}, [3, 4]),
    ({"allowed": [10, 25, 2.5]}, [3]),
    ({"forbidden": [10]}, [0]),
    ({"required": True}, [2]),
    ({"type": "number", "min": 0}, [3]),
])  # fmt: skip
def test_a_bound_fires_on_the_rows_that_break_it(rule: Any, rows: list[int]) -> None:
    found = outcome(rule, "radius")
    assert (found.positions.tolist(), found.broken) == (rows, True)


def test_types_patterns_and_twins_of_a_text_column() -> None:
    assert fired({"type": "integer", "nulls": True}, "count") == [2]
    assert fired({"unique": True}, "count") == [1, 4]
    assert fired({"pattern": r"^P\d$"}, "id") == [4]


def test_a_share_of_empty_cells_is_tolerated() -> None:
    assert outcome({"nulls": 0.2}, "radius").broken is False
    assert outcome({"nulls": 0.19}, "radius").broken is True
    assert outcome({"max_nulls": 1}, "radius").broken is False
    assert outcome({"max_nulls": 0}, "radius").broken is True


@pytest.mark.parametrize(("rule", "why"), [
    ({"alert": "A", "expr": "up == 0"}, "series of Prometheus"),
    ({"code": "def f(): ..."}, "a program"),
    ({"sql": "SELECT 1"}, "whole statement"),
    ({"when": {"regex_on": "clinic"}}, "regex_on: nothing mlver reads"),
    ({"when": {"column": "radius", "op": "resembles", "value": 3}}, "its operator resembles"),
    ({"note": "ask dana"}, "no condition mlver reads"),
    ({"when": "weight > 3"}, "no column weight"),
    ({"when": "radius > 3", "enabled": False}, "switched off"),
    (3, "a value, not a rule"),
])  # fmt: skip
def test_a_rule_that_says_nothing_of_these_rows_says_why(rule: Any, why: str) -> None:
    assert why in str(outcome(rule).why_not)


@pytest.mark.parametrize(("rule", "reason"), [
    ({"min": True}, "min: not a limit"), ({"max": [1]}, "max: not a limit"), ({"nulls": 3}, "not a share"),
    ({"nulls": "no"}, "nulls: not a number"), ({"allowed": []}, "a list of values"),
    ({"integer": 1}, "not true or false"),
    ({"dtype": "blob"}, "blob is no type"), ({"when": {"missing_at_least": "many"}}, "missing_at_least: not a number"),
    ({"when": {"column": "radius", "op": ">"}}, "the operator > needs one value"),
    ({"when": "radius >"}, "it ends too early"),
    ({"min": NAN}, "no value to compare"),
])  # fmt: skip
def test_a_rule_that_makes_no_sense_is_refused_in_words(rule: Any, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        outcome(rule, "radius")


GX = Path(__file__).parent.parent / "files" / "patients.gx.json"


def suite() -> Units:
    return units(RulesKind(), "expectations/patients.json", GX.read_bytes())


def test_a_suite_of_great_expectations_is_tested_row_by_row() -> None:
    table = pa.table(
        {
            "patient_id": ["P0001", "P0002", "P0002", "X"],
            "clinic": ["A", "D", None, "B"],
            "mean radius": [0.0, 36.0, NAN, 12.0],
            "worst radius": [1.0, 30.0, 1.0, 12.0],
            "mean texture": [4.0, None, 6.0, 7.0],
        }
    )
    rules = suite()
    with RuleTable(TableUnits(table)).open() as opened:
        found = {key: opened.test(key, rules.get(key)) for key in rules.keys()}  # noqa: SIM118
    rows = {key: (o.positions.tolist(), o.broken) for key, o in found.items() if o.why_not is None}
    between = [key for key in found if key.startswith("expect_column_values_to_be_between(mean texture)")]
    assert rows["expect_column_values_to_be_between(mean radius)"] == ([0, 1], True)
    assert rows["expect_column_values_to_not_be_null(patient_id)"] == ([], False)
    assert rows["expect_column_values_to_be_in_set(clinic)"] == ([1], True)
    assert rows["expect_column_values_to_be_unique(patient_id)"] == ([1, 2], True)
    assert rows["expect_column_values_to_match_regex(patient_id)"] == ([3], True)
    assert rows["expect_column_pair_values_a_to_be_greater_than_b(worst radius)"] == ([1], True)
    assert rows["expect_table_row_count_to_be_between"] == ([], True)
    assert rows["expect_column_to_exist(label)"] == ([], True)
    assert rows["expect_column_mean_to_be_between(mean radius)"] == ([], False)
    assert [rows.get(key) for key in between] == [None, ([0], True)]
    assert "row_condition" in str(found[between[0]].why_not)


def test_mostly_tolerates_a_share_of_the_cells_that_are_there() -> None:
    def rule(mostly: float) -> Any:
        words = {"column": "radius", "min_value": 0, "mostly": mostly}
        return {"type": "expect_column_values_to_be_between", "kwargs": words}

    assert outcome(rule(0.75)).broken is False  # 1 of 4
    assert outcome(rule(0.76)).broken is True


@pytest.mark.parametrize(("code", "rows"), [
    ('.isComplete("radius")', [2]), ('.isNonNegative("radius")', [3]), ('.isUnique("id")', []),
    ('.isContainedIn("clinic", Array("A", "B"))', [1, 2]),
])  # fmt: skip
def test_plain_constraints_of_deequ_are_tested(code: str, rows: list[int]) -> None:
    assert fired({"column_name": "x", "code_for_constraint": code}) == rows


def test_a_constraint_of_deequ_may_hold_for_a_share_of_the_rows() -> None:
    rule = {"code_for_constraint": '.hasCompleteness("radius", _ >= 0.8, Some("It should be above 0.8!"))'}
    assert outcome(rule).broken is False
    assert outcome({"code_for_constraint": '.hasMin("radius", _ == 1)'}).why_not is not None


@pytest.mark.parametrize(("rule", "rows"), [
    ({"test": "not_null", "column": "radius"}, [2]),
    ({"test": "unique", "column": "clinic"}, [1, 2, 3, 4]),
    ({"test": "accepted_values", "column": "clinic", "arguments": {"values": ["A", "C"]}}, [3, 4]),
    ({"test": "not_null", "column": "radius", "config": {"where": "clinic = 'A'"}}, []),
    ({"test": "dbt_utils.accepted_range", "column": "radius", "min_value": 0, "inclusive": False}, [3]),
    ({"test": "dbt_utils.expression_is_true", "expression": "radius >= 0"}, [3]),
    ({"test": "dbt_utils.expression_is_true", "column": "radius", "expression": "< 20"}, [1]),
])  # fmt: skip
def test_plain_tests_of_dbt_are_tested(rule: Any, rows: list[int]) -> None:
    assert fired({"model": "orders", **rule}) == rows


def test_rows_are_named_by_their_key_and_counted_by_slice() -> None:
    table = RuleTable(TableUnits(TABLE))
    with table.open() as opened:
        found = opened.test("R", "radius > 20 or radius is null")
    assert table.keys(found.positions, 5) == ("P2", "P3")
    assert table.slices("clinic").count(found.positions) == {"A": 0, "B": 0, "C": 2}
    assert table.slices("clinic").sizes == {"A": 1, "B": 2, "C": 2}
    with pytest.raises(NoColumn):
        table.slices("klinik")
    with pytest.raises(Unreadable):
        RuleTable(Units({}))
