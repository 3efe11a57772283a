"""Constraints of Deequ and tests of dbt as tests of rows, where they are plain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from mlver.kinds.base import Value
from mlver.kinds.predicates.bounds import unique
from mlver.kinds.predicates.conditions import condition
from mlver.kinds.predicates.row_test import DEMAND, NotTested, Part, RowTest, column_of, listed, share
from mlver.kinds.predicates.sandbox import Sandbox
from mlver.kinds.predicates.wording import literal

_CALL: Final = re.compile(r"\.?(?P<name>\w+)\(\s*\"(?P<column>(?:[^\"\\]|\\.)*)\"(?P<rest>.*)\)\s*", re.DOTALL)
_TEXT: Final = re.compile(r"\"((?:[^\"\\]|\\.)*)\"")
_AT_LEAST: Final = re.compile(r",\s*_\s*>=\s*(\d*\.?\d+)")
_MEMBERS: Final = re.compile(r",\s*Array\((.*?)\)", re.DOTALL)


def constraint(sandbox: Sandbox, code: str) -> RowTest:
    """Return the test of a constraint of Deequ, from its code; NotTested when it is not one of the plain ones."""
    call = _CALL.fullmatch(code.strip())
    if call is None:
        raise NotTested("its code is not one call about one column")
    name, rest = call["name"], call["rest"]
    column = column_of(sandbox, call["column"])
    least = _AT_LEAST.search(rest)
    tolerated = round(1 - share(float(least[1]), name), 12) if least else 0.0
    if name in ("isComplete", "hasCompleteness"):
        return RowTest(DEMAND, (Part(f"{column} IS NULL", tolerated),))
    if name == "isUnique":
        return RowTest(DEMAND, (unique(column),))
    if name in ("isNonNegative", "isPositive"):
        return RowTest(DEMAND, (Part(f"{column} {'< 0' if name == 'isNonNegative' else '<= 0'}", tolerated),))
    if name == "isContainedIn" and (members := _MEMBERS.search(rest)):
        values = [text.replace('\\"', '"').replace("\\\\", "\\") for text in _TEXT.findall(members[1])]
        return RowTest(DEMAND, (Part(f"CAST({column} AS VARCHAR) NOT IN {listed(values)}", tolerated),))
    raise NotTested(f"constraints of type {name} are not read")


def dbt_test(sandbox: Sandbox, rule: Mapping[str, Value]) -> RowTest:
    """Return the test of a test of dbt; NotTested when it needs another table or a package's own macro."""
    name = str(rule.get("test"))
    words = {**rule, **arguments} if isinstance(arguments := rule.get("arguments"), dict) else dict(rule)
    settings = words.get("config") if isinstance(words.get("config"), dict) else {}
    assert isinstance(settings, dict)
    only = settings.get("where", words.get("where"))
    if name == "dbt_utils.expression_is_true":
        about = f"{rule['column']} " if "column" in rule else ""
        sql = f"NOT ({condition(sandbox, about + str(words.get('expression', '')))})"
    else:
        sql = _of_column(sandbox, name, column_of(sandbox, rule.get("column")), words)
    return RowTest(DEMAND, (Part(f"({condition(sandbox, only)}) AND ({sql})" if only else sql),))


def _of_column(sandbox: Sandbox, name: str, column: str, words: Mapping[str, Value]) -> str:
    if name == "not_null":
        return f"{column} IS NULL"
    if name == "unique":
        if words.get("where") or (isinstance(words.get("config"), dict) and "where" in words["config"]):
            raise NotTested("uniqueness among some of the rows is not read")
        return unique(column).sql
    if name == "accepted_values":
        return f"{column} NOT IN {listed(words.get('values'))}"
    if name == "dbt_utils.accepted_range":
        sign = "=" if words.get("inclusive", True) else ""
        limits = [(">", words.get("min_value")), ("<", words.get("max_value"))]
        return " OR ".join(f"NOT ({column} {way}{sign} {literal(value)})" for way, value in limits if value is not None)
    raise NotTested(f"tests of type {name} are not read")
