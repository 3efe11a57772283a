"""Rules as programs and as other people's libraries write them: Python, SQL, Great Expectations, Deequ, dbt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlver.kinds.base import Unreadable
from mlver.kinds.rules import RulesKind
from tests.kinds.byte_source import as_dict, diff, units

RULES = RulesKind()
FILES = Path(__file__).parent / "files"

PYTHON = '''"""Rules of the triage service."""
import numpy as np

MOST_RADIUS: float = 20.0
CLINICS = ["A", "C"]

@rule(owner="dana", ticket="TRI-31", expires="2024-06-01")
def many_missing(row, at_least=3):
    """Clinic C's scanner
    drops the worst block."""
    return row.isna().sum() >= at_least

class Filters:
    DEPTH = 3

    def old(self, row):
        return row["age"] > 125
'''
SQL = """
-- name: too old
-- owner: dana
-- why: nobody is that old (TRI-9)
SELECT * FROM patients WHERE age > 125;

create or replace view quarantined as
  select patient_id from patients where clinic = 'C;D' /* a ; in a comment */ and age > 3;
DELETE FROM cache;
"""


def test_python_functions_are_rules_by_name_with_what_their_decorator_and_docstring_say() -> None:
    found = as_dict(units(RULES, "rules/r.py", PYTHON))
    assert list(found) == [
        "MOST_RADIUS",
        "CLINICS",
        "many_missing",
        "Filters.DEPTH",
        "Filters.old",
        "Filters",
        "@module",
    ]
    assert found["MOST_RADIUS"] == 20.0
    rule = found["many_missing"]
    assert (rule["owner"], rule["ticket"], rule["expires"]) == ("dana", "TRI-31", "2024-06-01")
    assert rule["why"] == "Clinic C's scanner drops the worst block."
    assert rule["code"] == "def many_missing(row, at_least=3):\n    return row.isna().sum() >= at_least"


def test_comments_and_formatting_of_python_are_no_change() -> None:
    tidy = (
        PYTHON.replace("3):", " 3 ) :  # three").replace('row["age"] > 125', "(row['age']>125)").replace("20.0", "2e1")
    )
    delta, comparison = diff(RULES, "rules/r.py", PYTHON, tidy)
    assert not delta
    assert comparison.same_meaning


def test_one_changed_threshold_is_one_changed_unit() -> None:
    delta, _ = diff(RULES, "rules/r.py", PYTHON, PYTHON.replace("20.0", "25.0"))
    assert (delta.added, delta.removed, delta.changed) == ([], [], ["MOST_RADIUS"])
    delta, _ = diff(RULES, "rules/r.py", PYTHON, PYTHON.replace("> 125", "> 110"))
    assert delta.changed == ["Filters.old"]
    delta, _ = diff(RULES, "rules/r.py", PYTHON, PYTHON.replace("import numpy", "import pandas"))
    assert delta.changed == ["@module"]


@pytest.mark.parametrize(("text", "reason"), [
    ("x = (", "line 1: not Python: '(' was never closed"), ("\n\ndef f(:\n", "line 3: not Python: invalid syntax"),
    ("a" + ".b" * 50_000, "nested too deeply"), ("x\0", "not Python: source code string cannot contain null bytes"),
])  # fmt: skip
def test_python_that_is_none_is_named(text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        units(RULES, "rules/r.py", text)
    assert str(refusal.value) == reason


def test_python_is_read_and_never_run() -> None:
    found = units(RULES, "rules/r.py", "def f(x=open('/nonexistent').read()): pass\nBIG = 10 ** 10 ** 10\n")
    assert found.get("BIG") == {"code": "10 ** 10 ** 10"}


def test_sql_statements_go_by_name_by_what_they_create_or_by_place() -> None:
    found = as_dict(units(RULES, "rules/r.sql", SQL))
    assert list(found) == ["too old", "quarantined", "statement 1"]
    assert found["too old"] == {
        "sql": "SELECT * FROM patients WHERE age > 125", "owner": "dana", "why": "nobody is that old (TRI-9)",
    }  # fmt: skip
    assert found["quarantined"]["sql"].endswith("where clinic = 'C;D' and age > 3")


def test_comments_and_whitespace_of_sql_are_no_change_and_quotes_are() -> None:
    spread = SQL.replace("age > 125", "age>125 -- years\n").replace("FROM patients WHERE", "FROM patients\n\tWHERE")
    assert not diff(RULES, "r.sql", SQL, spread)[0]
    assert diff(RULES, "r.sql", "select 'a  b'", "select 'a b'")[0].changed == ["statement 1"]


@pytest.mark.parametrize(("text", "reason"), [
    ("select 1;\nselect 'a", "line 2: the quote ' is never closed"),
    ("/* /* */", "line 1: the comment is never closed"),
    ("select $a$ $b$", "line 1: the quote $a$ is never closed"),
    ("-- name: a\nselect 1;\n-- name: a\nselect 2", "line 4: duplicate rule id a (first in line 2)"),
])  # fmt: skip
def test_sql_that_cannot_be_cut_into_statements_is_named(text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        units(RULES, "rules/r.sql", text)
    assert str(refusal.value) == reason


@given(st.text(alphabet="ab'\"`;-/* \n$<=,()", max_size=60))
def test_any_text_is_cut_into_statements_or_refused(text: str) -> None:
    try:
        found = as_dict(units(RULES, "r.sql", text))
    except Unreadable:
        return
    tidy = ";\n".join(f"-- name: {name}\n{value['sql']}" for name, value in found.items())
    assert as_dict(units(RULES, "r.sql", tidy)).keys() == found.keys()


def test_a_suite_that_great_expectations_wrote_goes_by_expectation_and_column() -> None:
    suite = (FILES / "patients.gx.json").read_text()
    found = as_dict(units(RULES, "expectations/patients.json", suite))
    assert found["expect_column_values_to_not_be_null(patient_id)"]["severity"] == "critical"
    twice = [key for key in found if key.startswith("expect_column_values_to_be_between(mean texture)")]
    assert len(twice) == 2
    assert found["@meta.great_expectations_version"] == "1.24.1"
    anew = json.loads(suite)
    for expectation in anew["expectations"]:
        expectation["id"] = "00000000-" + expectation["id"][9:]
    assert not [key for key in diff(RULES, "e.json", suite, json.dumps(anew))[0].changed if not key.startswith("@")]
    old = json.loads(suite.replace('"type": "expect', '"expectation_type": "expect'))
    assert list(as_dict(units(RULES, "e.json", json.dumps(old)))) == list(found)


DEEQU: dict[str, Any] = {
    "constraint_suggestions": [
        {
            "constraint_name": "CompletenessConstraint(Completeness(status,None,None))",
            "column_name": "status",
            "current_value": "Completeness: 1.0",
            "description": "'status' is not null",
            "suggesting_rule": "CompleteIfCompleteRule()",
            "rule_description": "If a column is complete in the sample, we suggest a NOT NULL constraint",
            "code_for_constraint": '.isComplete("status")',
        },
        {
            "constraint_name": "ComplianceConstraint(Compliance('status' has value range 'A', 'B', ...",
            "column_name": "status",
            "suggesting_rule": "CategoricalRangeRule()",
            "code_for_constraint": '.isContainedIn("status", Array("A", "B"))',
        },
        {
            "constraint_name": "ComplianceConstraint(Compliance('status' has value range 'A' for at least 90.0% ...",
            "column_name": "status",
            "suggesting_rule": "FractionalCategoricalRangeRule(0.9)",
            "code_for_constraint": '.isContainedIn("status", Array("A"), _ >= 0.9, Some("It should be above 0.9!"))',
        },
    ]
}


def test_constraints_of_deequ_go_by_what_they_demand_of_which_column() -> None:
    found = as_dict(units(RULES, "constraints/orders.json", json.dumps(DEEQU)))
    assert list(found) == [
        "isComplete(status)",
        "isContainedIn(status) [CategoricalRangeRule()]",
        "isContainedIn(status) [FractionalCategoricalRangeRule(0.9)]",
    ]


DBT = """
version: 2
models:
  - name: orders
    description: one row per order
    tests:
      - dbt_utils.expression_is_true: {expression: "amount >= 0", config: {severity: warn}}
    columns:
      - name: id
        data_tests: [unique, not_null]
      - name: status
        data_tests:
          - accepted_values: {values: [placed, shipped]}
          - accepted_values: {values: [placed], config: {where: "day < '2020-01-01'"}}
sources:
  - name: shop
    tables:
      - {name: customers, columns: [{name: id, tests: [not_null]}]}
"""


def test_tests_of_dbt_go_by_model_column_and_test() -> None:
    found = as_dict(units(RULES, "models/schema.yml", DBT))
    tests = [key for key in found if not key.startswith("@")]
    assert tests[:4] == [
        'orders."dbt_utils.expression_is_true"', "orders.id.unique", "orders.id.not_null",
        "orders.status.accepted_values",
    ]  # fmt: skip
    assert tests[4].startswith("orders.status.accepted_values~")
    assert tests[5] == "shop.customers.id.not_null"
    assert found["orders.id.unique"] == {"test": "unique", "model": "orders", "column": "id"}
    assert found["@models.orders.description"] == "one row per order"
    delta, _ = diff(RULES, "models/schema.yml", DBT, DBT.replace("shipped", "sent"))
    assert delta.changed == ["orders.status.accepted_values"]


@pytest.mark.parametrize(("text", "reason"), [
    ("models: [{name: a, columns: [{tests: [unique]}]}]", "a holds something without a name"),
    ("models: [{name: a, tests: unique}]", "tests of a is no list"),
    ("models: [{name: a, tests: [3]}]", "a has a test that is neither a name nor a map"),
])  # fmt: skip
def test_malformed_tests_of_dbt_are_named(text: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        units(RULES, "models/schema.yml", text)


def test_code_reads_as_one_line_with_its_owner() -> None:
    rule = units(RULES, "rules/r.py", PYTHON).get("many_missing")
    assert RULES.text("many_missing", rule).startswith(
        "def many_missing(row, at_least=3): return row.isna().sum() >= at_least"
    )
    assert RULES.text("many_missing", rule).endswith("(dana: Clinic C's scanner drops the worst block.)")
