"""Conditions of rules: as text, or as maps such as `{"column": "age", "op": ">", "value": 125}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mlver.kinds.base import Value
from mlver.kinds.predicates.row_test import NotTested, column_of, listed, missing_at_least
from mlver.kinds.predicates.sandbox import Sandbox
from mlver.kinds.predicates.wording import Malformed, literal

WHEN: Final = ("when", "if", "condition", "predicate", "where", "expr")
COLUMN: Final = ("column", "feature", "field", "metric")
OPERATOR: Final = ("op", "operator", "comparison")
VALUE: Final = ("value", "threshold", "limit")
LOW: Final = {"min": ">=", "minimum": ">=", "min_value": ">=", "lower": ">=", "ge": ">=", "gte": ">=", "gt": ">"}
HIGH: Final = {"max": "<=", "maximum": "<=", "max_value": "<=", "upper": "<=", "le": "<=", "lte": "<=", "lt": "<"}
_SIGNS: Final = {
    ">": ">", ">=": ">=", "<": "<", "<=": "<=", "=": "=", "==": "=", "!=": "<>", "<>": "<>",
    "gt": ">", "ge": ">=", "gte": ">=", "lt": "<", "le": "<=", "lte": "<=", "eq": "=", "equals": "=", "is": "=",
    "ne": "<>", "neq": "<>",
}  # fmt: skip
_IN: Final = {"in": "IN", "one of": "IN", "one_of": "IN", "not in": "NOT IN", "not_in": "NOT IN", "nin": "NOT IN"}
_EMPTY: Final = {
    "is null": "IS NULL", "is missing": "IS NULL", "missing": "IS NULL", "isnull": "IS NULL", "null": "IS NULL",
    "is not null": "IS NOT NULL", "not null": "IS NOT NULL", "present": "IS NOT NULL", "notnull": "IS NOT NULL",
}  # fmt: skip
_SEVERAL: Final = {"all": " AND ", "and": " AND ", "any": " OR ", "or": " OR "}


def condition(sandbox: Sandbox, when: Value) -> str:
    """Return a condition as checked SQL. Raises Malformed, Forbidden, and NotTested for a map mlver does not read."""
    if isinstance(when, bool):
        return literal(when)
    if isinstance(when, str):
        return sandbox.parse(when)
    if isinstance(when, list) and when:
        return _joined(sandbox, when, " AND ")
    if not isinstance(when, dict) or not when:
        raise NotTested("its condition is neither a text nor a map")
    word = next(iter(when)) if len(when) == 1 else ""
    if word in _SEVERAL and isinstance(when[word], list) and when[word]:
        return _joined(sandbox, when[word], _SEVERAL[word])
    if word == "not":
        return f"NOT ({condition(sandbox, when[word])})"
    if "missing_at_least" in when and when.keys() <= {"missing_at_least", "columns"}:
        return missing_at_least(sandbox, when["missing_at_least"], when.get("columns"))
    return _comparison(sandbox, when)


def _joined(sandbox: Sandbox, parts: list[Value], by: str) -> str:
    return by.join(f"({condition(sandbox, part)})" for part in parts)


def _comparison(sandbox: Sandbox, when: Mapping[str, Value]) -> str:
    """Return SQL for one column: compared with a value or a column, within limits, in a list, or empty."""
    rest = dict(when)
    names = [rest.pop(name) for name in COLUMN if name in rest]
    if len(names) != 1:
        raise NotTested(f"its condition has {', '.join(map(str, when))}: nothing mlver reads")
    column = column_of(sandbox, names[0])
    operators = [rest.pop(name) for name in OPERATOR if name in rest]
    values = [rest.pop(name) for name in VALUE if name in rest]
    parts = []
    if operators or values:
        parts.append(_compared(column, operators[0] if operators else "=", values))
    for limits in (LOW, HIGH):
        parts += [f"{column} {sign} {literal(rest.pop(name))}" for name, sign in limits.items() if name in rest]
    parts += [f"{column} {word} {listed(rest.pop(name))}" for name, word in _IN.items() if name in rest]
    if "missing" in rest:
        parts.append(f"{column} IS {'NULL' if rest.pop('missing') else 'NOT NULL'}")
    if rest or not parts:
        raise NotTested(f"its condition has {', '.join(map(str, rest or when))}: nothing mlver reads")
    return " AND ".join(parts)


def _compared(column: str, operator: Value, values: list[Value]) -> str:
    word = " ".join(str(operator).lower().split())
    if word in _EMPTY and not values:
        return f"{column} {_EMPTY[word]}"
    if len(values) != 1:
        raise Malformed(f"the operator {word} needs one value")
    if word in _SIGNS:
        if values[0] is None:
            raise Malformed("nothing equals null: use the operator `is null`")
        return f"{column} {_SIGNS[word]} {literal(values[0])}"
    if word in _IN:
        return f"{column} {_IN[word]} {listed(values[0])}"
    if word == "between" and isinstance(values[0], list) and len(values[0]) == 2:
        return f"{column} BETWEEN {literal(values[0][0])} AND {literal(values[0][1])}"
    raise NotTested(f"its operator {word} is none mlver reads")
