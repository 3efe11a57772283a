"""From a rule, as its file writes it, to a test of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mlver.kinds.base import Value
from mlver.kinds.predicates.bounds import FIELDS, bound
from mlver.kinds.predicates.conditions import COLUMN, OPERATOR, WHEN, condition
from mlver.kinds.predicates.constraints import constraint, dbt_test
from mlver.kinds.predicates.expectations import expectation
from mlver.kinds.predicates.row_test import CONDITION, DEMAND, NotTested, Part, RowTest
from mlver.kinds.predicates.sandbox import NoColumn, Sandbox

_DEMANDS: Final = (
    "check",
    "assert",
    "expect",
    "require",
    "constraint",
)  # of the rows, as text: fires where it is false


def read_test(sandbox: Sandbox, key: str, rule: Value) -> RowTest:
    """Return the test of one rule; one without parts when it says nothing of rows, or of columns that are not there.

    Raises Malformed for a condition that is none, and Forbidden for one that is more.
    """
    try:
        return _read(sandbox, key, rule)
    except (NotTested, NoColumn) as reason:
        return RowTest(why_not=str(reason))


def _read(sandbox: Sandbox, key: str, rule: Value) -> RowTest:
    if isinstance(rule, str) and not key.startswith("@"):
        return RowTest(CONDITION, (Part(condition(sandbox, rule)),))
    if not isinstance(rule, dict):
        raise NotTested("it is a value, not a rule")
    if "code" in rule or "class" in rule:
        raise NotTested("it is a program, which mlver reads and never runs")
    if rule.get("enabled") is False or rule.get("disabled") is True:
        raise NotTested("it is switched off")
    if (found := _of_a_library(sandbox, rule)) is not None:
        return found
    for name in WHEN:
        if rule.get(name) is not None:
            return RowTest(CONDITION, (Part(condition(sandbox, rule[name])),))
    for name in _DEMANDS:
        if isinstance(rule.get(name), str):
            return RowTest(DEMAND, (Part(f"NOT ({condition(sandbox, rule[name])})"),))
    if rule.keys() & {*OPERATOR} and rule.keys() & {*COLUMN}:
        wanted = {name: rule[name] for name in (*COLUMN, *OPERATOR, "value", "threshold", "limit") if name in rule}
        return RowTest(CONDITION, (Part(condition(sandbox, wanted)),))
    if "missing_at_least" in rule:
        when = {name: rule[name] for name in ("missing_at_least", "columns") if name in rule}
        return RowTest(CONDITION, (Part(condition(sandbox, when)),))
    if rule.keys() & FIELDS:
        column = next((rule[name] for name in COLUMN if isinstance(rule.get(name), str)), key)
        return bound(sandbox, column, rule)
    raise NotTested("it has no condition mlver reads")


def _of_a_library(sandbox: Sandbox, rule: Mapping[str, Value]) -> RowTest | None:
    """Return the test of a rule that other people's library knows; None when it is none of theirs."""
    if ("alert" in rule or "record" in rule) and isinstance(rule.get("expr"), str):
        raise NotTested("it watches series of Prometheus, not rows")
    if isinstance(rule.get("sql"), str):
        raise NotTested("it is a whole statement of SQL; only conditions are tested")
    if isinstance(code := rule.get("code_for_constraint"), str):
        return constraint(sandbox, code)
    kind = rule.get("expectation_type", rule.get("type"))
    if isinstance(kind, str) and isinstance(rule.get("kwargs"), dict):
        return expectation(sandbox, kind, rule["kwargs"])
    if isinstance(rule.get("test"), str) and isinstance(rule.get("model"), str):
        return dbt_test(sandbox, rule)
    return None
