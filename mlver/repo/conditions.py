"""Conditions on metrics, as gates, SLOs and searches write them. One grammar for all of them.

    recall >= 0.95                                   the whole
    recall{clinic=C} >= 0.9                          one slice
    recall{clinic=*} >= 0.9                          every clinic; {*} is every slice
    accuracy >= baseline - 0.01                      against a baseline; also baseline - 2%, baseline * 0.98
    delta(accuracy) > 0                              the value minus the baseline's
    low(recall) >= 0.9                               lower end of the 95 % interval; high() is the upper
    low(delta(subscribed)) > 0                       both
    recall >= 0.9 on data/val/static.csv n >= 30     on this dataset, of at least 30 samples

What is not known is `unknown`, never met.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from math import isclose, isfinite
from typing import Final

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.objects.ids import BlobId
from mlver.repo.comparable import obstacle
from mlver.repo.intervals import newcombe, wilson
from mlver.repo.metric_facts import MetricValue, slice_name

MET: Final = "met"
BROKEN: Final = "broken"
UNKNOWN: Final = "unknown"

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}
_METRIC = r"(?P<name>[^\s(){}<>=!]+)\s*(?:\{(?P<slice>[^{}]*)\})?"
_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_TERM = re.compile(
    rf"\s*(?:(?P<end>low|high)\s*\(\s*(?P<both>delta\s*\()?|(?P<delta>delta)\s*\(|)\s*{_METRIC}\s*(?P<close>[\s)]*?)\s*"
    rf"(?P<op>>=|<=|==|!=|>|<)\s*(?:(?P<number>{_NUMBER})(?P<share>%?)"
    rf"|(?P<baseline>baseline)\s*(?:(?P<sign>[-+*])\s*(?P<by>{_NUMBER})(?P<percent>%?))?)"
    r"(?:\s+on\s+(?P<dataset>\S+))?(?:\s+n\s*>=\s*(?P<n>\d+))?\s*"
)
_LONGEST = 1000  # characters of a condition
_SLACK = 1e-12  # so that 0.958 - 0.01 is 0.948
_HINT = "write recall{clinic=C} >= 0.9, or accuracy >= baseline - 0.01 on data/val.csv n >= 30"


@frozen
class Condition:
    """A parsed condition. `slice` may hold `*`; `end` is `low`, `high` or empty.

    The limit is `number`, or the baseline's value changed by `sign` and `number` (`percent`: of itself).
    """

    text: str
    name: str
    slice: str
    op: str
    number: float
    end: str = ""
    delta: bool = False
    against_baseline: bool = False
    sign: str = ""
    percent: bool = False
    dataset: str | None = None
    at_least: int = 0

    @property
    def needs_baseline(self) -> bool:
        """Whether it can only be judged against a baseline."""
        return self.delta or self.against_baseline

    def covers(self, value: MetricValue) -> bool:
        """Whether it speaks of this value."""
        if value.name != self.name or self.dataset not in (None, value.dataset):
            return False
        return _matches(self.slice, value.slice)


@frozen
class Verdict:
    """What came of one condition for one slice and dataset: `met`, `broken` or `unknown`, and why.

    `value` is what was compared with `limit` (an end of an interval, a difference), None when not known.
    """

    condition: str
    state: str
    why: str
    metric: str
    slice: str
    value: float | None = None
    limit: float | None = None
    baseline: float | None = None
    n: int | None = None
    dataset: str | None = None
    dataset_id: BlobId | None = None


def parse_condition(text: str, where: str = "") -> Condition:
    """Return the condition in `text`; UsageError, beginning with `where`, when it is none."""
    found = _TERM.fullmatch(text) if len(text) <= _LONGEST else None
    opened = 0 if found is None else sum(bool(found[group]) for group in ("end", "both", "delta"))
    if found is None or (found["close"] or "").count(")") != opened:
        raise UsageError(f"{where}{': ' if where else ''}not a condition: {text[:120]!r}", hint=_HINT)
    number = float(found["number"] or found["by"] or 0)
    return Condition(
        text=" ".join(text.split()),
        name=found["name"],
        slice=_slice(found["slice"] or ""),
        op=found["op"],
        number=number / 100 if found["share"] or found["percent"] else number,
        end=found["end"] or "",
        delta=bool(found["both"] or found["delta"]),
        against_baseline=bool(found["baseline"]),
        sign=found["sign"] or "",
        percent=bool(found["percent"]),
        dataset=found["dataset"],
        at_least=int(found["n"] or 0),
    )


def judge(
    condition: Condition, values: Sequence[MetricValue], baseline: Sequence[MetricValue] = ()
) -> tuple[Verdict, ...]:
    """Return a verdict for each slice and dataset that the condition speaks of; one `unknown` when nothing is known.

    `values` and `baseline` are those of `metric_values`: one a name, slice and dataset.
    """
    meant = [value for value in values if condition.covers(value)]
    known = [value for value in meant if value.value is not None]
    if not known:
        what = "never measured" if not meant else "not known yet"
        where = f" on {condition.dataset}" if condition.dataset else ""
        return (Verdict(condition.text, UNKNOWN, what + where, condition.name, condition.slice),)
    return tuple(_verdict(condition, value, _like(value, baseline)) for value in known)


def overall(verdicts: Iterable[Verdict]) -> str:
    """Return `broken` when any is, else `unknown` when any is or there is none, else `met`."""
    states = [verdict.state for verdict in verdicts]
    if BROKEN in states:
        return BROKEN
    return MET if states and UNKNOWN not in states else UNKNOWN


def _slice(text: str) -> str:
    return "*" if text.strip() == "*" else slice_name(text)


def _matches(pattern: str, slice: str) -> bool:
    if pattern == "*":
        return slice != ""
    if "*" not in pattern:
        return pattern == slice
    wanted, parts = pattern.split(","), slice.split(",")
    return len(wanted) == len(parts) and all(_part(one, part) for one, part in zip(wanted, parts, strict=True))


def _part(pattern: str, part: str) -> bool:
    return part.startswith(pattern[:-1]) if pattern.endswith("=*") else part == pattern


def _like(value: MetricValue, baseline: Sequence[MetricValue]) -> MetricValue | None:
    """Return the baseline's value of the same name, slice and dataset, whatever its version."""
    same = [b for b in baseline if (b.name, b.slice, b.dataset) == (value.name, value.slice, value.dataset)]
    return same[0] if same and same[0].value is not None else None


def _verdict(condition: Condition, value: MetricValue, base: MetricValue | None) -> Verdict:
    def say(state: str, why: str, compared: float | None = None, limit: float | None = None) -> Verdict:
        return Verdict(
            condition=condition.text,
            state=state,
            why=why,
            metric=value.name,
            slice=value.slice,
            value=compared,
            limit=limit,
            baseline=_number(base),
            n=value.n,
            dataset=value.dataset,
            dataset_id=value.dataset_id,
        )

    try:
        compared, limit = _sides(condition, value, base)
    except _Unknown as unknown:
        return say(UNKNOWN, str(unknown))
    holds = _holds(condition.op, compared, limit)
    return say(
        MET if holds else BROKEN, "" if holds else f"{compared:.6g}, not {condition.op} {limit:.6g}", compared, limit
    )


def _holds(op: str, a: float, b: float) -> bool:
    """Compare, forgiving the noise of binary fractions: whatever is that close counts as equal."""
    return _OPERATORS[op](b if isclose(a, b, rel_tol=_SLACK, abs_tol=_SLACK) else a, b)


class _Unknown(Exception):
    """Why a condition cannot be judged."""


def _sides(condition: Condition, value: MetricValue, base: MetricValue | None) -> tuple[float, float]:
    """Return what is compared and with what."""
    number = _number(value)
    if number is None:
        raise _Unknown(f"the value is {value.value}")
    if condition.at_least and (value.n is None or value.n < condition.at_least):
        raise _Unknown(f"n = {value.n}, wants {condition.at_least}" if value.n is not None else "n was not recorded")
    other = _comparable(value, base) if condition.needs_baseline else 0.0
    limit = _limit(condition, other)
    if not condition.end:
        return (number - other if condition.delta else number), limit
    interval = _interval(value, number, base if condition.delta else None)
    return interval[condition.end == "high"], limit


def _comparable(value: MetricValue, base: MetricValue | None) -> float:
    number = _number(base)
    if base is None or number is None:
        raise _Unknown("not known of the baseline")
    if value.dataset_id != base.dataset_id:
        raise _Unknown(f"the baseline was measured on another version of {value.dataset}")
    if reason := obstacle(base, value):
        raise _Unknown(f"not comparable with the baseline: {reason}")
    return number


def _limit(condition: Condition, base: float) -> float:
    if not condition.against_baseline:
        return condition.number
    if condition.sign == "*":
        return base * condition.number
    by = abs(base) * condition.number if condition.percent else condition.number
    return base - by if condition.sign == "-" else base + by


def _interval(value: MetricValue, number: float, base: MetricValue | None) -> tuple[float, float]:
    for one in (value, base):
        share = _number(one)
        if one is not None and (not one.n or share is None or not 0 <= share <= 1):
            raise _Unknown("an interval needs a share between 0 and 1 and its n")
    assert value.n is not None
    if base is None:
        return wilson(number, value.n)
    other = _number(base)
    assert base.n is not None and other is not None
    return newcombe(number, value.n, other, base.n)


def _number(value: MetricValue | None) -> float | None:
    if value is None or isinstance(value.value, bool) or not isinstance(value.value, (int, float)):
        return None
    return float(value.value) if isfinite(value.value) else None
