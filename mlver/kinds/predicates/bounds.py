"""Bounds and checks: what a column's cells must be. They fire on the rows that break them.

An empty cell breaks a bound only where the bound says so (`nulls: false`, or `nulls: 0.05` for a share).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from mlver.kinds.base import Value
from mlver.kinds.predicates.conditions import HIGH, LOW
from mlver.kinds.predicates.row_test import DEMAND, Part, RowTest, column_of, listed, share
from mlver.kinds.predicates.sandbox import Sandbox
from mlver.kinds.predicates.wording import Malformed, literal

_NULLS: Final = ("nulls", "nullable", "null_fraction", "max_null_fraction", "max_nulls", "allow_null", "allow_nulls")
_PRESENT: Final = ("required", "not_null", "notnull", "complete")
_ALLOWED: Final = ("allowed", "in", "one_of", "values", "enum", "choices", "allowed_values", "value_set")
_FORBIDDEN: Final = ("forbidden", "not_in", "not_allowed")
_TYPES: Final = ("type", "dtype")
_SIGNS: Final = {"nonneg": "< 0", "nonnegative": "< 0", "non_negative": "< 0", "positive": "<= 0"}
_PATTERNS: Final = ("pattern", "regex", "matches")
FIELDS: Final = frozenset(
    (*LOW, *HIGH, *_NULLS, *_PRESENT, *_ALLOWED, *_FORBIDDEN, *_SIGNS, *_PATTERNS, "integer", "unique", "dtype")
)
_WHOLE: Final = "TRY_CAST({0} AS DOUBLE) IS NULL OR TRY_CAST({0} AS DOUBLE) <> floor(TRY_CAST({0} AS DOUBLE))"
_BREAKS: Final = {  # type in one word -> SQL that is true on a cell that is of no such type
    "number": "TRY_CAST({0} AS DOUBLE) IS NULL", "integer": _WHOLE, "boolean": "TRY_CAST({0} AS BOOLEAN) IS NULL",
    "date": "TRY_CAST({0} AS TIMESTAMP) IS NULL", "text": "typeof({0}) <> 'VARCHAR'",
}  # fmt: skip
_WORDS: Final = {
    "float": "number", "float64": "number", "float32": "number", "double": "number", "real": "number",
    "numeric": "number", "fractional": "number", "int": "integer", "int64": "integer", "int32": "integer",
    "long": "integer", "integral": "integer", "bool": "boolean", "str": "text", "string": "text", "object": "text",
    "varchar": "text", "datetime": "date", "timestamp": "date",
}  # fmt: skip


def bound(sandbox: Sandbox, name: str, rule: Mapping[str, Value]) -> RowTest:
    """Return the test of one bound. Raises Malformed naming the field that makes no sense."""
    column = column_of(sandbox, name)
    parts: list[Part] = []
    for field, value in rule.items():
        if value is not None and (read := _reader(field, value)) is not None:
            parts += read(column, field, value)
    return RowTest(DEMAND, tuple(parts))


def breaks_type(column: str, word: Value) -> str:
    """Return SQL that is true on a cell that is not of a type, written in any of the usual words."""
    name = str(word).lower()
    name = _WORDS.get(name, name)
    if name not in _BREAKS:
        raise Malformed(f"type: {word} is no type mlver knows")
    return f"{column} IS NOT NULL AND ({_BREAKS[name].format(column)})"


def unique(column: str) -> Part:
    """Return the part that is true on rows whose value another row has, too."""
    return Part(f"{column} IS NOT NULL AND count(*) OVER (PARTITION BY {column}) > 1")


_Read = Callable[[str, str, Value], list[Part]]


def _reader(field: str, value: Value) -> _Read | None:
    if field in LOW or field in HIGH:
        return _limit
    if field in _NULLS:
        return _nulls
    if field in _PRESENT:
        return _present
    if field in _ALLOWED or field in _FORBIDDEN:
        return _members
    if field in _TYPES and isinstance(value, str):
        return lambda column, _, word: [Part(breaks_type(column, word))]
    if field in _SIGNS or field in ("integer", "unique"):
        return _flag
    return _pattern if field in _PATTERNS else None


def _limit(column: str, field: str, value: Value) -> list[Part]:
    if isinstance(value, (bool, dict, list)):
        raise Malformed(f"{field}: not a limit: {str(value)[:40]!r}")
    return [Part(f"NOT ({column} {LOW.get(field) or HIGH[field]} {literal(value)})")]


def _nulls(column: str, field: str, value: Value) -> list[Part]:
    if value is True:
        return []
    tolerated = 0.0 if value is False else None
    if tolerated is None and field == "max_nulls" and isinstance(value, int):
        return [Part(f"count(*) - count({column}) > {value}", whole=True), Part(f"{column} IS NULL", 1.0)]
    return [Part(f"{column} IS NULL", share(value, field) if tolerated is None else tolerated)]


def _present(column: str, field: str, value: Value) -> list[Part]:
    return [Part(f"{column} IS NULL")] if _yes(field, value) else []


def _members(column: str, field: str, value: Value) -> list[Part]:
    return [Part(f"{column} {'IN' if field in _FORBIDDEN else 'NOT IN'} {listed(value)}")]


def _flag(column: str, field: str, value: Value) -> list[Part]:
    if not _yes(field, value):
        return []
    if field == "unique":
        return [unique(column)]
    return [Part(breaks_type(column, "integer") if field == "integer" else f"{column} {_SIGNS[field]}")]


def _pattern(column: str, field: str, value: Value) -> list[Part]:
    if not isinstance(value, str):
        raise Malformed(f"{field}: not a pattern: {str(value)[:40]!r}")
    return [Part(f"NOT regexp_matches({column}, {literal(value)})")]


def _yes(field: str, value: Value) -> bool:
    if not isinstance(value, bool):
        raise Malformed(f"{field}: not true or false: {str(value)[:40]!r}")
    return value
