"""What one rule says of rows, whatever shape it was written in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.kinds.predicates.sandbox import Sandbox
from mlver.kinds.predicates.wording import MISSING_COUNT, Malformed, literal, quoted

CONDITION: Final = "condition"
DEMAND: Final = "demand"


@frozen
class Part:
    """One condition: SQL that is true on the rows concerned.

    Up to a share `tolerated` of the rows (of those where `among` is true, if given) it does not count
    against a demand. `whole` is SQL over the whole table, such as a number of rows, instead.
    """

    sql: str
    tolerated: float = 0.0
    among: str | None = None
    whole: bool = False


@frozen
class RowTest:
    """A rule as conditions over rows.

    A `condition` fires on the rows where it is true; a `demand` (a bound, a check, an expectation) on those
    that break it. Without `parts` it cannot be tested on a table, and `why_not` says why.
    """

    sort: str = CONDITION
    parts: tuple[Part, ...] = ()
    why_not: str | None = None


class NotTested(Exception):
    """This rule says nothing of single rows, or nothing mlver reads; `str()` says why."""


Reader = Callable[[Sandbox, str, Mapping[str, Value]], RowTest]


def column_of(sandbox: Sandbox, name: Value) -> str:
    """Return a column as SQL; Malformed when it is no name or there is no such column."""
    if not isinstance(name, str):
        raise Malformed(f"{str(name)[:40]!r} is no column")
    sandbox.refer([name])
    return quoted(name)


def listed(values: Value) -> str:
    """Return a list of plain values as SQL."""
    if not isinstance(values, list) or not values:
        raise Malformed("expected a list of values")
    return f"({', '.join(literal(value) for value in values)})"


def number(value: Value, what: str) -> float | int:
    """Return a number; Malformed naming `what` it was for."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise Malformed(f"{what}: not a number: {str(value)[:40]!r}")
    return value


def share(value: Value, what: str) -> float:
    """Return a share from 0 to 1; Malformed naming `what` it was for."""
    found = number(value, what)
    if not 0 <= found <= 1:
        raise Malformed(f"{what}: not a share between 0 and 1: {found}")
    return float(found)


def missing_at_least(sandbox: Sandbox, count: Value, columns: Value = None) -> str:
    """Return SQL for `count` or more empty cells in a row, among all columns or those named."""
    least = literal(number(count, "missing_at_least"))
    if columns is None:
        sandbox.refer([MISSING_COUNT])
        return f"{MISSING_COUNT} >= {least}"
    if not isinstance(columns, list) or not columns:
        raise Malformed("columns: expected a list of columns")
    empty = [f"CAST({column_of(sandbox, name)} IS NULL AS INTEGER)" for name in columns]
    return f"({' + '.join(empty)}) >= {least}"
