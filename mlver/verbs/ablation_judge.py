"""What metrics with and without a rule say: can it go?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from mlver.frozen import frozen
from mlver.kinds.base import Value, same
from mlver.kinds.directions import direction
from mlver.objects.ids import BlobId, CommitId
from mlver.repo.ablation_facts import NOT_REMOVABLE, REMOVABLE, SAYS_NOTHING, MetricChange
from mlver.repo.conditions import MET, Condition, judge, parse_condition
from mlver.repo.measuring import Measured
from mlver.repo.metric_facts import MetricName, MetricValue
from mlver.repo.subjects import get_number

BETTER, WORSE, CHANGED, GONE = "better", "worse", "changed", "gone"
_SIGNS = "<>=!"


@frozen
class Asked:
    """What a verdict rests on: conditions (`recall{clinic=C} >= 0.9`), and metrics by name; all, if there are none."""

    conditions: tuple[Condition, ...] = ()
    names: tuple[MetricName, ...] = ()

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Asked:
        """Read what somebody asked; UsageError for what is neither."""
        conditions = tuple(parse_condition(text, "--metric") for text in texts if _is_condition(text))
        return cls(conditions, tuple(MetricName.parse(text) for text in texts if not _is_condition(text)))

    def covers(self, name: str, slice: str) -> bool:
        """Whether a metric counts for the verdict by itself."""
        return not (self.names or self.conditions) or any(one.covers(name, slice) for one in self.names)

    @property
    def texts(self) -> tuple[str, ...]:
        """What was asked, as it was written."""
        return (*(one.text for one in self.conditions), *self.named)

    @property
    def named(self) -> tuple[str, ...]:
        """The metrics asked for by name: `recall{clinic=C}`."""
        return tuple(one.name if one.slice is None else f"{one.name}{{{one.slice}}}" for one in self.names)


@frozen
class Bundle:
    """What was measured: a commit, on one version of some data, at a moment."""

    commit: CommitId
    data: str
    data_id: BlobId
    at: datetime
    by: str


def _is_condition(text: str) -> bool:
    return any(sign in text.partition("}")[2] if "{" in text else sign in text for sign in _SIGNS)


def changes(
    with_: Measured, without: Measured, declared: Mapping[str, str], noise: Iterable[tuple[str, str]] = ()
) -> tuple[MetricChange, ...]:
    """Return every metric that a rule changes, the worst first; those in `noise` differ from run to run."""
    unstable = set(noise)
    found = []
    for (name, part), (value, _) in with_.values.items():
        other = without.values.get((name, part), (None, None))[0]
        if (name, part) not in unstable and not same(value, other):
            found.append(MetricChange(name, part, value, other, _verdict(name, value, other, declared)))
    for name, part in without.values.keys() - with_.values.keys():
        found.append(MetricChange(name, part, None, without.value(name, part), CHANGED))
    order = (GONE, WORSE, BETTER, CHANGED)
    return tuple(sorted(found, key=lambda one: (order.index(one.verdict), one.metric, one.slice)))


def _verdict(name: str, value: Value, other: Value, declared: Mapping[str, str]) -> str:
    before, after = _known(value), _known(other)
    if after is None:
        return GONE
    way = direction(name, declared)
    if before is None or way is None:
        return CHANGED
    return BETTER if (after > before) == (way == "higher") else WORSE


def _known(value: Value) -> int | float | None:
    """Return a number; None for what could not be computed, NaN too."""
    number = get_number(value)
    return None if number is None or number != number else number


def verdict(
    asked: Asked, found: Sequence[MetricChange], with_: Measured, without: Measured, bundle: Bundle, hits: int | None
) -> tuple[str, str]:
    """Return `removable`, `not removable` or `says nothing`, and why, in a line."""
    broken = _broken(asked, with_, without, bundle)
    if broken:
        return NOT_REMOVABLE, "; ".join(broken)
    if unsaid := [text for text, said in _named(asked, with_) if not said]:
        return SAYS_NOTHING, f"the command said no {', '.join(unsaid)}"
    counted = [one for one in found if asked.covers(one.metric, one.slice)]
    worse = [one for one in counted if one.verdict in (WORSE, GONE)]
    if worse:
        return NOT_REMOVABLE, ", ".join(map(_said, worse[:3])) + (f", {len(worse) - 3} more" if len(worse) > 3 else "")
    if asked.conditions:
        return REMOVABLE, "; ".join(one.text for one in asked.conditions)
    known = [one for one in counted if one.verdict == BETTER]
    if known:
        return REMOVABLE, ", ".join(map(_said, known[:3])) + (f", {len(known) - 3} more" if len(known) > 3 else "")
    if counted:
        names = ", ".join(dict.fromkeys(one.metric for one in counted))
        return SAYS_NOTHING, f"only {names} changed, of which none is better or worse"
    if not any(direction(name) and _known(value) is not None for (name, _), (value, _) in with_.values.items()):
        return SAYS_NOTHING, "no metric was measured that knows better and worse; are there labels?"
    if hits is None:
        return SAYS_NOTHING, "no metric changed, and nobody can tell whether it fires here"
    return REMOVABLE, f"no metric changed, though it fires on {hits} row{'s' if hits != 1 else ''}"


def _named(asked: Asked, measured: Measured) -> list[tuple[str, bool]]:
    """Return each metric asked for by name, and whether a number was measured for it."""
    numbers = [key for key, (value, _) in measured.values.items() if _known(value) is not None]
    return [
        (text, any(one.covers(*key) for key in numbers)) for one, text in zip(asked.names, asked.named, strict=True)
    ]


def _said(change: MetricChange) -> str:
    name = f"{change.metric}{{{change.slice}}}" if change.slice else change.metric
    return f"{name} {_short(change.with_)} → {_short(change.without)}"


def _short(value: Value) -> str:
    number = _known(value)
    return "unknown" if number is None else f"{number:.6g}" if isinstance(number, float) else str(number)


def _broken(asked: Asked, with_: Measured, without: Measured, bundle: Bundle) -> list[str]:
    """Return what of the conditions does not hold without the rule, or is not known."""
    if not asked.conditions:
        return []
    base, values = _values(with_, bundle), _values(without, bundle)
    verdicts = [one for condition in asked.conditions for one in judge(condition, values, base)]
    return [f"{one.condition}: {one.why}" for one in verdicts if one.state != MET]


def _values(measured: Measured, bundle: Bundle) -> list[MetricValue]:
    return [
        MetricValue(
            bundle.commit,
            name,
            part,
            get_number(value),
            bundle.data,
            bundle.data_id,
            n,
            bundle.at,
            bundle.at,
            bundle.by,
        )
        for (name, part), (value, n) in measured.values.items()
    ]
