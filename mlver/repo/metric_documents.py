"""Metrics as programs print them: nested JSON, slices as maps within."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlver.errors import UsageError
from mlver.kinds.base import Value
from mlver.objects.encoding import Plain
from mlver.repo.metric_facts import MetricName, slice_name
from mlver.repo.subjects import put_number

_SAMPLE_SIZE = "n"


def flat_metrics(
    values: Mapping[str, Value], slice: str = "", n: int | None = None
) -> Iterator[tuple[str, str, Plain, int | None]]:
    """Yield (name, slice, value, sample size) of every value given.

    `{"recall": 0.9, "clinic=C": {"recall": 0.4, "n": 26}}`: a map within gives the values of a slice, `n` is
    the sample size. Raises UsageError naming the metric that is no number.
    """
    n = sample_size(values[_SAMPLE_SIZE], _SAMPLE_SIZE) if _SAMPLE_SIZE in values else n
    for key, value in values.items():
        if isinstance(value, Mapping):
            if any(isinstance(inner, Mapping) for inner in value.values()):
                hint = 'write {"clinic=C": {"recall": 0.4}}'
                raise UsageError(f"metrics of slice {key!r} are nested too deeply", hint=hint)
            yield from flat_metrics(value, slice_name(f"{slice_name(key)},{slice}"), n)
        elif key != _SAMPLE_SIZE:
            named = MetricName.parse(key)
            part = slice_name(f"{named.slice or ''},{slice}")
            yield named.name, part, put_number(value, shown_metric(named.name, part)), n


def sample_size(value: Value, what: str) -> int | None:
    """Return a sample size; UsageError naming `what` when it is none."""
    size = put_number(value, what)
    if size is not None and (not isinstance(size, int) or size < 0):
        raise UsageError(f"{what}: a sample size is a whole number, not {value!r}")
    return size


def shown_metric(name: str, slice: str) -> str:
    """Return `recall{clinic=C}`."""
    return f"{name}{{{slice}}}" if slice else name
