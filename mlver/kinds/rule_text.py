"""A rule as a person reads it, whatever shape it was written in."""

from __future__ import annotations

from mlver.kinds.base import Value, short_json

_LOW = {"min": "<=", "minimum": "<=", "min_value": "<=", "lower": "<=", "ge": "<=", "gte": "<=", "gt": "<"}
_HIGH = {"max": "<=", "maximum": "<=", "max_value": "<=", "upper": "<=", "le": "<=", "lte": "<=", "lt": "<"}
_WHEN = ("when", "if", "condition", "predicate", "expr", "where", "sql", "code", "code_for_constraint", "kwargs")
_COLUMN = ("column", "feature", "field", "metric")
_OPERATOR = ("op", "operator", "comparison")
_VALUE = ("value", "threshold", "limit")
_THEN = ("then", "action", "do", "effect")
_WHY = ("why", "reason", "description", "comment")
SAID = ("owner", *_WHY)  # fields that are about the rule, and not part of it
_NAMES = (
    "decorators",
    "id",
    "rule_id",
    "name",
    "alert",
    "record",
    "rule",
    "expectation_type",
    "type",
    "order",
    "group",
)
_MOST_WHY = 200


def rule_text(key: str, value: Value, *, said: bool = True) -> str:
    """Return one line: the condition, `-> action`, other fields, then `(owner: reason)` unless `said` is false."""
    if not isinstance(value, dict):
        return short_json(value)
    rest = dict(value)
    when = _take(rest, _WHEN)
    condition = _condition(key, dict(when), nested=True) if isinstance(when, dict) else short_json(when or "", 120)
    if when is None:
        condition = _condition(key, rest, nested=False)
    if "for" in rest:
        condition += f" for {short_json(rest.pop('for'))}"
    then = _take(rest, _THEN)
    owner, why = rest.pop("owner", None), _take(rest, _WHY)
    for name in _NAMES:
        rest.pop(name, None)
    parts = [condition, f"-> {short_json(then)}" if then is not None else "", _fields(rest)]
    about = ": ".join(short_json(part, _MOST_WHY) for part in (owner, why) if part is not None)
    return " ".join(filter(None, parts)) + (f"  ({about})" if said and about else "")


def _condition(key: str, fields: dict[str, Value], nested: bool) -> str:
    """Return `0 <= age <= 125` or `age > 125`, taking what it says out of `fields`; a nested map is said in full."""
    low = next(((fields.pop(name), sign) for name, sign in _LOW.items() if name in fields), None)
    high = next(((fields.pop(name), sign) for name, sign in _HIGH.items() if name in fields), None)
    column, operator = _take(fields, _COLUMN), _take(fields, _OPERATOR)
    limit = _take(fields, _VALUE) if operator is not None or (column is not None and nested) else None
    subject = short_json(column) if column is not None else key
    said = ""
    if low or high:
        below = f"{_say(low[0])} {low[1]} " if low else ""
        said = below + subject + (f" {high[1]} {_say(high[0])}" if high else "")
    elif operator is not None or limit is not None:
        said = " ".join(filter(None, (subject, short_json(operator or "="), "" if limit is None else _say(limit))))
    elif column is not None:
        said = subject
    return " ".join(filter(None, (said, _fields(fields)))) if nested else said


def _fields(fields: dict[str, Value]) -> str:
    return " ".join(f"{name} {_say(value)}" for name, value in fields.items() if value not in ({}, [], None))


def _say(value: Value) -> str:
    """Return a value in few characters: 0 for 0.0, text without quotes."""
    return f"{value:.12g}" if isinstance(value, float) else short_json(value, 60)


def _take(fields: dict[str, Value], names: tuple[str, ...]) -> Value:
    """Remove and return the first of `names` that is there, None when none is."""
    return next((fields.pop(name) for name in names if name in fields), None)
