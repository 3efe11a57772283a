"""The metrics of two commits beside each other, judged by which way is better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isclose, isfinite, isnan

from mlver.kinds.base import Value
from mlver.kinds.directions import direction
from mlver.repo.metric_facts import MetricValue
from mlver.verbs.common import MetricDelta

_Key = tuple[str, str, str | None]  # name, slice, dataset

# what a person on call must see first; a value that became unknown is never taken for good news
_ORDER = ("worse", "gone", "unknown", "changed", "new", "better", "same")


def metric_deltas(
    old: Sequence[MetricValue], new: Sequence[MetricValue], directions: Mapping[str, str]
) -> tuple[MetricDelta, ...]:
    """Return one delta per name, slice and dataset path, worst first.

    `directions` are those of mlver.toml. The verdict is `better` or `worse` when the direction is known,
    `changed` when it is not, `same`, `new`, `unknown` when the new value is not known (yet), or `gone`
    when a metrics file no longer has it.
    """
    before, after = ({(v.name, v.slice, v.dataset): v for v in values} for values in (old, new))
    _pair_files(before, after)
    _pair_files(after, before)
    deltas = [_delta(before.get(key), after.get(key), directions) for key in {**after, **before}]
    return tuple(sorted(deltas, key=_rank))


def _pair_files(here: dict[_Key, MetricValue], there: Mapping[_Key, MetricValue]) -> None:
    """Lay values of a metrics file beside what was recorded on the other side with a dataset: the commonest one.

    A file names no dataset. Left alone such a pair would read as one metric gone and another come.
    """
    alone: dict[tuple[str, str], list[_Key]] = {}
    for key, value in there.items():
        if key not in here and not value.path:
            alone.setdefault(key[:2], []).append(key)
    common = Counter(dataset for keys in alone.values() for _, _, dataset in keys)
    for key in [key for key, value in here.items() if value.path and key not in there]:
        if found := alone.get(key[:2]):
            here[max(found, key=lambda key: (common[key[2]], key[2] or ""))] = here.pop(key)


def _rank(delta: MetricDelta) -> tuple[int, float, str, str, str]:
    return (_ORDER.index(delta.verdict), -_share(delta.old, delta.new), delta.name, delta.slice, delta.dataset or "")


def _delta(old: MetricValue | None, new: MetricValue | None, directions: Mapping[str, str]) -> MetricDelta:
    one = new or old
    assert one is not None
    a, b = (old.value if old else None), (new.value if new else None)
    return MetricDelta(
        name=one.name,
        slice=one.slice,
        dataset=one.dataset or (old.dataset if old else None),
        old=a,
        new=b,
        delta=None if a is None or b is None else _minus(b, a),
        verdict=_verdict(old, new, directions),
        old_n=old.n if old else None,
        new_n=new.n if new else None,
        note=_doubt(old, new),
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


def _doubt(old: MetricValue | None, new: MetricValue | None) -> str | None:
    """Say why two values are no fair comparison."""
    if old and new and old.dataset != new.dataset and (old.path or new.path):
        return f"{old.path or new.path} does not say what it was measured on"
    if old is None or new is None or None in (old.dataset_id, new.dataset_id) or old.dataset_id == new.dataset_id:
        return None
    return f"measured on another version of {new.dataset}"


def _minus(b: float, a: float) -> float | None:
    try:
        return b - a
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
