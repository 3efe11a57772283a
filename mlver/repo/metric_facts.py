"""Metric values in the fact log.

A fact of type `metric` has the subject `{commit}` and the body

    name        the metric's name, `recall`
    value       a number, null for unknown, or "NaN", "Infinity", "-Infinity"
    slice       the part of the data it was measured on, `clinic=C`; left out for everything
    dataset     path of the data it was measured on; left out when not said
    dataset_id  content id of that data, 64 hex digits
    n           sample size, a whole number
    window      the stretch of time it covers, `7d`; left out when not said
    definition  id of the metric's definition at that time; left out when it had none
    estimate    true when it was estimated and not measured; left out otherwise
    command     how it was measured, when mlver ran the program; left out otherwise
    inputs      path -> content id of what that program was given beyond the commit and the dataset
    served      true when a value measured so is on data that the commit did serve; left out otherwise

`at` says on which labels the value rests (as of when), `known` when it was recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.encoding import Plain
from mlver.objects.ids import BlobId, CommitId, FactId
from mlver.objects.state import Fact
from mlver.repo.metric_policy import DefinitionId
from mlver.repo.subjects import get_number, subject

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

METRIC = "metric"
_EVERYTHING = ("", "*", "all")


@frozen
class MetricValue:
    """One value: of which commit, metric and slice, on which dataset version, of how many samples.

    `as_of` says which labels it rests on, `known` when it was recorded here, `by` who did. `fact` is
    None for a value that stands in a metrics file of the commit (`path`), or that is not known. `estimate`
    marks what was estimated without labels; `inputs` is path -> blob of what a backfill was given, and `served`
    says of a backfill that the commit did serve that data: what it would have done there, did happen.
    """

    commit: CommitId
    name: str
    slice: str
    value: Value
    dataset: str | None
    dataset_id: BlobId | None
    n: int | None
    as_of: datetime
    known: datetime
    by: str
    fact: FactId | None = None
    path: str | None = None
    window: str | None = None
    definition: DefinitionId | None = None
    estimate: bool = False
    command: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    served: bool = False


@frozen
class MetricName:
    """A metric and a slice of it; `slice` None means every slice."""

    name: str
    slice: str | None

    def covers(self, name: str, slice: str) -> bool:
        """Whether this names the metric `name` on `slice`."""
        return self.name == name and self.slice in (None, slice)

    @classmethod
    def parse(cls, text: str) -> MetricName:
        """Read `recall` or `recall{clinic=C}` (`recall{}` is everything); UsageError when it is neither."""
        name, brace, rest = text.strip().partition("{")
        if not name or "}" in name or (brace and not rest.endswith("}")) or "{" in rest or "}" in rest[:-1]:
            raise UsageError(f"not a metric name: {text[:80]!r}", hint="write recall, or recall{clinic=C} for a slice")
        return cls(name.strip(), slice_name(rest[:-1]) if brace else None)


def slice_name(text: str) -> str:
    """Return a slice in its one spelling: no spaces around parts, parts sorted, empty for everything."""
    parts = sorted({part.strip() for part in text.split(",")} - {""})
    joined = ",".join("=".join(side.strip() for side in part.split("=", 1)) for part in parts)
    return "" if joined in _EVERYTHING else joined


def metric_body(
    name: str,
    slice: str,
    value: Plain,
    dataset: str | None,
    dataset_id: BlobId | None,
    n: int | None,
    *,
    window: str | None = None,
    definition: DefinitionId | None = None,
    estimate: bool = False,
    command: str | None = None,
    inputs: Mapping[str, str] | None = None,
    served: bool = False,
) -> dict[str, Plain]:
    """Return the body of a metric fact; what is None or empty is left out, but for the value."""
    rest: dict[str, Plain] = {
        "slice": slice or None,
        "dataset": dataset,
        "dataset_id": dataset_id and dataset_id.hex(),
        "n": n,
        "window": window or None,
        "definition": definition and definition.hex(),
        "estimate": estimate or None,
        "command": command,
        "inputs": dict(inputs) if inputs else None,
        "served": served or None,
    }
    return {"name": name, "value": value} | {key: item for key, item in rest.items() if item is not None}


def metric_fact(commit: CommitId, body: dict[str, Plain], *, at: datetime, known: datetime, by: str) -> Fact:
    """Return a metric as a fact."""
    return Fact(METRIC, subject(commit=commit), body, at, known, by)


def recorded_metrics(repo: Repository, commit: CommitId, as_of: datetime | None = None) -> list[MetricValue]:
    """Return every value ever recorded for a commit, in the order of the log, as known at `as_of`."""
    facts = repo.facts.items(METRIC, as_of=as_of, commit=commit.hex())
    return [fact_value(commit, id, fact) for id, fact in facts]


def fact_value(commit: CommitId, id: FactId, fact: Fact) -> MetricValue:
    """Return the value that a metric fact about `commit` holds."""
    body = fact.body
    dataset_id, n, definition, inputs = (body.get(key) for key in ("dataset_id", "n", "definition", "inputs"))
    return MetricValue(
        commit=commit,
        name=str(body.get("name", "")),
        slice=str(body.get("slice", "")),
        value=get_number(body.get("value")),
        dataset=body.get("dataset"),
        dataset_id=BlobId.parse(dataset_id) if dataset_id else None,
        n=n if isinstance(n, int) else None,
        as_of=fact.at,
        known=fact.known,
        by=fact.by,
        fact=id,
        window=body.get("window"),
        definition=DefinitionId.parse(definition) if definition else None,
        estimate=body.get("estimate") is True,
        command=body.get("command"),
        inputs=inputs if isinstance(inputs, Mapping) else {},
        served=body.get("served") is True,
    )


def metric_values(
    repo: Repository,
    commit: CommitId,
    as_of: datetime | None = None,
    names: Sequence[str] = (),
    *,
    files: bool = False,
    history: bool = False,
    estimates: bool = False,
) -> list[MetricValue]:
    """Return the metrics of a commit by name, slice and dataset, as known now or at the moment `as_of`.

    For each name, slice and dataset (and window, when the value names one) the value resting on the newest
    labels counts, of several such the one recorded last; `history` returns them all, oldest first. `files`
    also reads the commit's metrics files. A name asked for of which nothing is known comes back with the
    value None: unknown. Estimates never pass for measured values: only `estimates` returns them too.
    """
    found = [value for value in recorded_metrics(repo, commit, as_of) if estimates or not value.estimate]
    if files and (as_of is None or repo.commit(commit).time <= as_of):
        from mlver.repo.metric_files import file_metrics

        recorded = {(value.name, value.slice, str(value.value)) for value in found}
        in_files = file_metrics(repo, commit)
        # what was recorded from a file is the same knowledge, and says more of itself
        found = [*(v for v in in_files if (v.name, v.slice, str(v.value)) not in recorded), *found]
    wanted = [MetricName.parse(name) for name in names]
    found = [v for v in found if not wanted or any(name.covers(v.name, v.slice) for name in wanted)]
    moment = as_of or repo.now()
    unknown = [
        MetricValue(commit, w.name, w.slice or "", None, None, None, None, moment, moment, by="")
        for w in wanted
        if not any(w.covers(value.name, value.slice) for value in found)
    ]
    kept = found if history else newest(found)
    return sorted([*kept, *unknown], key=lambda v: (v.name, v.slice, v.dataset or "", v.as_of, v.known))


def newest(values: Iterable[MetricValue]) -> list[MetricValue]:
    """Return the values that count: one for each name, slice, dataset and window, measured and estimated apart."""
    found: dict[tuple[str, str, str | None, str | None, bool], MetricValue] = {}
    for value in values:
        key = (value.name, value.slice, value.dataset, value.window, value.estimate)
        if key not in found or newer(value, found[key]):
            found[key] = value
    return list(found.values())


def newer(value: MetricValue, other: MetricValue) -> bool:
    """Whether `value` counts instead of `other`: it rests on newer labels, or on the same and was recorded later."""
    return (other.as_of, other.known) <= (value.as_of, value.known)
