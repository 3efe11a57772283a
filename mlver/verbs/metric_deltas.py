"""The metrics of two commits beside each other, judged by which way is better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import isclose, isfinite, isnan

from mlver.kinds.base import Value
from mlver.kinds.directions import direction
from mlver.repo.comparable import NOT_COMPARABLE, doubt, obstacle
from mlver.repo.metric_facts import MetricValue
from mlver.verbs.common import MetricDelta

_Key = tuple[str, str, str | None, str | None, bool]  # name, slice, dataset, window, whether it is an estimate
Obstacle = Callable[[MetricValue, MetricValue], str | None]
Spread = Callable[[str, str, str | None], float | None]  # of name, slice, dataset: how much it usually varies

# what a person on call must see first; a value that became unknown is never taken for good news
INCOMPARABLE = "incomparable"
_ORDER = ("worse", "gone", "unknown", INCOMPARABLE, "changed", "new", "better", "same")
_SHARE = 0.05  # without a history, a move by a twentieth counts as one that is usual


def metric_deltas(
    old: Sequence[MetricValue],
    new: Sequence[MetricValue],
    directions: Mapping[str, str],
    *,
    forbids: Obstacle = obstacle,
    usual: Spread = lambda name, slice, dataset: None,
) -> tuple[MetricDelta, ...]:
    """Return one delta per name, slice and dataset path, worst first.

    `directions` are those of mlver.toml. The verdict is `better` or `worse` when the direction is known,
    `changed` when it is not, `same`, `new`, `unknown` when the new value is not known (yet), `gone`
    when a metrics file no longer has it, and `incomparable` when `forbids` says why the two must not be ranked.
    Among alike verdicts, the largest moves come first: by the multiple of the `usual` variation, else relative.
    """
    before, after = ({_key(v): v for v in values} for values in (old, new))
    _pair_files(before, after)
    _pair_files(after, before)
    _pair_rest(before, after)
    deltas = [_delta(before.get(key), after.get(key), directions, forbids, usual) for key in {**after, **before}]
    return tuple(sorted(deltas, key=_rank))


def _key(value: MetricValue) -> _Key:
    return (value.name, value.slice, value.dataset, value.window, value.estimate)


def _pair_files(here: dict[_Key, MetricValue], there: Mapping[_Key, MetricValue]) -> None:
    """Lay values of a metrics file beside what was recorded on the other side with a dataset: the commonest one.

    A file names no dataset. Left alone such a pair would read as one metric gone and another come.
    """
    alone: dict[tuple[str, str], list[_Key]] = {}
    for key, value in there.items():
        if key not in here and not value.path and not value.estimate:
            alone.setdefault(key[:2], []).append(key)
    common = Counter(key[2] for keys in alone.values() for key in keys)
    for key in [key for key, value in here.items() if value.path and key not in there]:
        if found := alone.get(key[:2]):
            here[max(found, key=lambda key: (common[key[2]], key[2] or ""))] = here.pop(key)


def _pair_rest(before: dict[_Key, MetricValue], after: Mapping[_Key, MetricValue]) -> None:
    """Lay what differs in window or in being an estimate side by side, so that it is said and not overlooked."""
    for key in [key for key in before if key not in after]:
        if found := next((k for k in after if k[:3] == key[:3] and k not in before), None):
            before[found] = before.pop(key)


def _rank(delta: MetricDelta) -> tuple[int, float, str, str, str]:
    size = _share(delta.old, delta.new) / _SHARE if delta.usual is None else delta.usual
    size = 0.0 if delta.verdict == INCOMPARABLE else size
    return (_ORDER.index(delta.verdict), -size, delta.name, delta.slice, delta.dataset or "")


def _delta(
    old: MetricValue | None, new: MetricValue | None, directions: Mapping[str, str], forbids: Obstacle, usual: Spread
) -> MetricDelta:
    one = new or old
    assert one is not None
    a, b = (old.value if old else None), (new.value if new else None)
    reason = forbids(old, new) if old and new and a is not None and b is not None else None
    dataset = one.dataset or (old.dataset if old else None)
    move = None if a is None or b is None or reason else _minus(b, a)
    spread = usual(one.name, one.slice, dataset) if move and isfinite(move) else None
    return MetricDelta(
        name=one.name,
        slice=one.slice,
        dataset=dataset,
        old=a,
        new=b,
        delta=move,
        verdict=INCOMPARABLE if reason else _verdict(old, new, directions),
        old_n=old.n if old else None,
        new_n=new.n if new else None,
        note=f"{NOT_COMPARABLE}: {reason}" if reason else doubt(old, new) if old and new else None,
        usual=abs(move) / spread if move and spread else None,
        estimate=one.estimate,
    )


def _verdict(old: MetricValue | None, new: MetricValue | None, directions: Mapping[str, str]) -> str:
    if new is None:
        assert old is not None
        return "gone" if old.path else "unknown"  # a file lost it; or nobody has measured it (yet)
    if new.value is None or isnan(new.value):
        return "unknown"
    if old is None or old.value is None or isnan(old.value):
        return "new"
    if old.value == new.value or isclose(old.value, new.value, rel_tol=1e-9):
        return "same"
    way = direction(new.name, directions)
    if way is None:
        return "changed"
    return "better" if (new.value > old.value) == (way == "higher") else "worse"


def _minus(b: float, a: float) -> float | None:
    try:
        move = b - a
        return move if isfinite(move) or isnan(move) or not isfinite(a) or not isfinite(b) else None
    except OverflowError:  # an integer beyond any float
        return None


def _share(a: Value, b: Value) -> float:
    """Return the move relative to the larger of the two values, 0 to 2; 0 when there is no move to speak of."""
    if a is None or b is None:
        return 0.0
    try:
        most = max(abs(a), abs(b))
        return float(abs(b - a) / most) if most and isfinite(most) else 0.0
    except OverflowError:
        return 1.0
