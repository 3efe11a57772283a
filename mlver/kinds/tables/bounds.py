"""Conditions that know what they can be for rows of which only bounds are known: what a Parquet file may leave unread.

Arrow can do so too, but takes the bounds of floats for those of all values: they leave NaN out, and `x != 5`
or `not x <= 5` hold for NaN. So floats may always fail a comparison here, whatever their bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa

from mlver.frozen import frozen
from mlver.kinds.tables.late import pc

_EXACT: Final = 2**53  # beyond it an integer compared with a float is not itself any more


class Bounds(NamedTuple):
    """What is known of a column in some rows: least and greatest value, how many nulls; None for unknown."""

    low: Any
    high: Any
    nulls: int | None
    rows: int


class May(NamedTuple):
    """Whether a condition can hold, and whether it can fail, for some row within the bounds."""

    hold: bool
    fail: bool


_ANYTHING: Final = May(True, True)
_Judge = Callable[[Mapping[str, Bounds]], May]
Mask = Callable[[Any], Any]  # of a table: for which rows a condition holds, fails, or is null


@frozen
class Condition:
    """What holds for some rows of a table, the columns it looks at, and what it may be for rows of known bounds.

    It is no Arrow expression: to filter by one loads Arrow's engine, and that loads pandas.
    """

    mask: Mask
    columns: frozenset[str]
    may: _Judge

    def filter(self, table: Any) -> Any:
        """Return the rows for which the condition holds."""
        return table.filter(self.mask(table))

    def __and__(self, other: Condition) -> Condition:
        def may(bounds: Mapping[str, Bounds]) -> May:
            a, b = self.may(bounds), other.may(bounds)
            return May(a.hold and b.hold, a.fail or b.fail)

        return Condition(
            lambda table: pc.and_kleene(self.mask(table), other.mask(table)), self.columns | other.columns, may
        )

    def __or__(self, other: Condition) -> Condition:
        def may(bounds: Mapping[str, Bounds]) -> May:
            a, b = self.may(bounds), other.may(bounds)
            return May(a.hold or b.hold, a.fail and b.fail)

        return Condition(
            lambda table: pc.or_kleene(self.mask(table), other.mask(table)), self.columns | other.columns, may
        )

    def __invert__(self) -> Condition:
        return Condition(
            lambda table: pc.invert(self.mask(table)), self.columns, lambda bounds: May(*reversed(self.may(bounds)))
        )


def unknown(mask: Mask, name: str) -> Condition:
    """Return a condition of which bounds say nothing."""
    return Condition(mask, frozenset({name}), lambda _: _ANYTHING)


def whether_null(column: Mask, name: str, absent: bool) -> Condition:
    """Return whether a column is null, or is not."""

    def may(bounds: Mapping[str, Bounds]) -> May:
        known = bounds.get(name)
        if known is None or known.nulls is None:
            return _ANYTHING
        null = May(known.nulls > 0, known.nulls < known.rows)
        return null if absent else May(null.fail, null.hold)

    test = pc.is_null if absent else pc.is_valid
    return Condition(lambda table: test(column(table)), frozenset({name}), may)


def compared(mask: Mask, name: str, kind: Any, sign: str, value: Any) -> Condition:
    """Return a comparison of a column with a value; `sign` is `=`, `!=`, `<`, `<=`, `>` or `>=`."""

    def judge(low: Any, high: Any) -> May:
        alone = bool(low == high == value)
        within = bool(low <= value <= high)
        if sign == "=":
            return May(within, not alone)
        if sign == "!=":
            return May(not alone, within)
        if sign in ("<", "<="):
            strictly = sign == "<"
            return May(low < value or (not strictly and low == value), high > value or (strictly and high == value))
        strictly = sign == ">"
        return May(high > value or (not strictly and high == value), low < value or (strictly and low == value))

    return Condition(mask, frozenset({name}), _judged(name, kind, (value,), judge, unequal=sign == "!="))


def one_of(mask: Mask, name: str, kind: Any, values: Sequence[Any]) -> Condition:
    """Return whether a column is one of some values."""

    def judge(low: Any, high: Any) -> May:
        return May(any(low <= value <= high for value in values), True)

    return Condition(mask, frozenset({name}), _judged(name, kind, values, judge))


def between(mask: Mask, name: str, kind: Any, least: Any, most: Any) -> Condition:
    """Return whether a column lies between two values, both included."""

    def judge(low: Any, high: Any) -> May:
        return May(low <= most and high >= least, low < least or high > most)

    return Condition(mask, frozenset({name}), _judged(name, kind, (least, most), judge))


def _judged(
    name: str, kind: Any, values: Sequence[Any], judge: Callable[[Any, Any], May], *, unequal: bool = False
) -> _Judge:
    """Return a judge of one column, which says nothing where bounds do not decide."""
    inexact = pa.types.is_floating(kind) or not pa.types.is_integer(kind)  # NaN; texts may be cut in the file

    def may(bounds: Mapping[str, Bounds]) -> May:
        known = bounds.get(name)
        if known is None or known.low is None or known.high is None or not _decides(kind, known, values):
            return _ANYTHING
        found = judge(known.low, known.high)
        return May(found.hold or (inexact and unequal), found.fail or inexact)

    return may


def _decides(kind: Any, known: Bounds, values: Sequence[Any]) -> bool:
    """Whether comparing with the bounds is what Arrow does with each value."""
    if pa.types.is_signed_integer(kind):  # of others, old files hold bounds in another order
        small = known.low > -_EXACT and known.high < _EXACT
        return all(isinstance(value, int) or (isinstance(value, float) and small) for value in values)
    if pa.types.is_float64(kind):
        numbers = (known.low, known.high, *values)
        return all(isinstance(n, float) or abs(n) < _EXACT for n in numbers) and all(n == n for n in numbers)
    return (pa.types.is_string(kind) or pa.types.is_large_string(kind)) and isinstance(known.low, str)
