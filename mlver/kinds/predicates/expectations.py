"""Expectations of Great Expectations as tests of rows. Empty cells are left out, as the library does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from mlver.kinds.base import Value
from mlver.kinds.predicates.bounds import unique
from mlver.kinds.predicates.row_test import DEMAND, NotTested, Part, RowTest, column_of, listed, number, share
from mlver.kinds.predicates.sandbox import NoColumn, Sandbox
from mlver.kinds.predicates.wording import Malformed, literal

_SETTINGS: Final = {"mostly", "result_format", "meta", "batch_id", "catch_exceptions", "column", "include_config"}
_MEANS: Final = {"mean": "avg", "min": "min", "max": "max", "sum": "sum", "median": "median", "stdev": "stddev_samp"}
_Words = Mapping[str, Value]


def expectation(sandbox: Sandbox, name: str, words: _Words) -> RowTest:
    """Return the test of one expectation; NotTested when it is of a type mlver does not read."""
    if words.get("row_condition"):
        raise NotTested("it has a row_condition, which is a program of another library")
    inner = name.removeprefix("expect_")
    if inner == "column_to_exist":
        return _exists(sandbox, words)
    if inner == "table_row_count_to_be_between":
        return RowTest(DEMAND, (Part(_outside("count(*)", words), whole=True),))
    if inner.startswith("column_pair_values_"):
        return RowTest(DEMAND, (_pair(sandbox, inner, words),))
    if (read := _CELLS.get(inner)) is None and not _is_statistic(inner):
        raise NotTested(f"expectations of type {name} are not read")
    column = column_of(sandbox, words.get("column"))
    if read is None:
        function = _MEANS[inner.removeprefix("column_").removesuffix("_to_be_between")]
        return RowTest(DEMAND, (Part(_outside(f"{function}({column})", words), whole=True),))
    tolerated = 1 - share(words.get("mostly", 1), "mostly")
    sql = read(column, words)
    among = None if "null" in inner else f"{column} IS NOT NULL"
    return RowTest(DEMAND, (Part(sql, round(tolerated, 12), among),))


def _is_statistic(name: str) -> bool:
    return name.startswith("column_") and name.removeprefix("column_").removesuffix("_to_be_between") in _MEANS


def _exists(sandbox: Sandbox, words: _Words) -> RowTest:
    try:
        column_of(sandbox, words.get("column"))
    except NoColumn:
        return RowTest(DEMAND, (Part("TRUE", whole=True),))
    return RowTest(DEMAND, (Part("FALSE", whole=True),))


def _outside(value: str, words: _Words) -> str:
    """Return SQL that is true when a value lies outside the limits."""
    parts = []
    for limit, strict, sign in (("min_value", "strict_min", ">"), ("max_value", "strict_max", "<")):
        if words.get(limit) is not None:
            sign = sign if words.get(strict) else f"{sign}="
            bound = words[limit] if isinstance(words[limit], str) else number(words[limit], limit)
            parts.append(f"NOT ({value} {sign} {literal(bound)})")
    if not parts:
        raise Malformed("neither min_value nor max_value")
    return " OR ".join(parts)


def _pair(sandbox: Sandbox, name: str, words: _Words) -> Part:
    a, b = (column_of(sandbox, words.get(side)) for side in ("column_A", "column_B"))
    both = f"{a} IS NOT NULL AND {b} IS NOT NULL"
    if name == "column_pair_values_to_be_equal":
        return Part(f"{a} <> {b}", among=both)
    if name == "column_pair_values_a_to_be_greater_than_b":
        return Part(f"NOT ({a} {'>=' if words.get('or_equal') else '>'} {b})", among=both)
    raise NotTested(f"expectations of type expect_{name} are not read")


def _lengths(column: str, words: _Words) -> str:
    exact = words.get("value")
    return f"length({column}) <> {literal(exact)}" if exact is not None else _outside(f"length({column})", words)


def _pattern(column: str, words: _Words) -> str:
    if not isinstance(words.get("regex"), str):
        raise Malformed("regex: not a pattern")
    return f"regexp_matches({column}, {literal(words['regex'])})"


_CELLS: Final[Mapping[str, Callable[[str, _Words], str]]] = {
    "column_values_to_not_be_null": lambda column, _: f"{column} IS NULL",
    "column_values_to_be_null": lambda column, _: f"{column} IS NOT NULL",
    "column_values_to_be_between": _outside,
    "column_values_to_be_in_set": lambda column, words: f"{column} NOT IN {listed(words.get('value_set'))}",
    "column_values_to_not_be_in_set": lambda column, words: f"{column} IN {listed(words.get('value_set'))}",
    "column_values_to_be_unique": lambda column, _: unique(column).sql,
    "column_values_to_match_regex": lambda column, words: f"NOT {_pattern(column, words)}",
    "column_values_to_not_match_regex": _pattern,
    "column_value_lengths_to_be_between": _lengths,
    "column_value_lengths_to_equal": _lengths,
}
