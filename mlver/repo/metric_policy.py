"""What a project says of its metrics and slices: `[metrics.NAME]` and `[slices.NAME]` of mlver.toml.

    [metrics.recall]
    direction = "higher"
    unit = "share"
    formula = "sklearn.recall_score(pos=malignant)@1"
    window = "7d"
    owner = "cleo"
    description = "share of the malignant cases that were referred"
    product = true

    [slices.young]
    where = "age < 30"

Formula, unit, window and the predicates of a slice are the meaning of a value; its digest is the id of the
definition, which every value carries. The rest may change without making values incomparable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from mlver.frozen import frozen
from mlver.objects.encoding import dump_canonical
from mlver.objects.ids import ObjectId
from mlver.repo.project import Project
from mlver.repo.section import Section

_METRIC = ("direction", "unit", "formula", "window", "owner", "description", "product")
_SLICE = ("where", "owner", "description")
_MEANING = ("formula", "unit", "window")


class DefinitionId(ObjectId):
    """What a value means: formula, unit, window and slice of its metric."""

    type_name = "definition"
    context = "mlver 1 metric definition"


@frozen
class MetricDefinition:
    """One metric as mlver.toml defines it; `where` is the file, line and header that do.

    `product` marks what the product is judged by. Texts are None when not said.
    """

    name: str
    direction: str | None = None
    unit: str | None = None
    formula: str | None = None
    window: str | None = None
    owner: str | None = None
    description: str | None = None
    product: bool = False
    where: str = ""


@frozen
class SliceDefinition:
    """One slice by name, and the predicate on columns that its rows fulfil."""

    name: str
    predicate: str
    owner: str | None = None
    description: str | None = None
    where: str = ""


@frozen
class MetricPolicy:
    """All metrics and slices that are defined, by name."""

    metrics: Mapping[str, MetricDefinition] = field(default_factory=dict)
    slices: Mapping[str, SliceDefinition] = field(default_factory=dict)

    def meaning(self, name: str, slice: str) -> dict[str, str]:
        """Return what gives a value of `name` on `slice` its meaning, by word; empty when nothing is defined."""
        metric = self.metrics.get(name)
        said = {word: getattr(metric, word) for word in _MEANING} if metric else {}
        said |= {f"slice {part}": self.slices[part].predicate for part in slice.split(",") if part in self.slices}
        return {word: text for word, text in said.items() if text is not None}

    def definition(self, name: str, slice: str) -> DefinitionId | None:
        """Return the id of that meaning, None when nothing is defined."""
        meaning = self.meaning(name, slice)
        return DefinitionId.of(dump_canonical({"name": name, **meaning})) if meaning else None


def metric_policy(project: Project) -> MetricPolicy:
    """Return the metrics and slices a project defines; UsageError naming file, line and entry."""
    return MetricPolicy(
        {name: _metric(section) for name, section in project.sections("metrics").items()},
        {name: _slice(section) for name, section in project.sections("slices").items()},
    )


def _metric(section: Section) -> MetricDefinition:
    section.known(_METRIC)
    direction = section.text("direction")
    if direction not in (None, "higher", "lower"):
        raise section.wrong("direction", 'expected "higher" or "lower"')
    return MetricDefinition(
        name=section.name,
        direction=direction,
        unit=_words(section, "unit"),
        formula=_words(section, "formula"),
        window=_words(section, "window"),
        owner=section.text("owner"),
        description=section.text("description"),
        product=section.flag("product"),
        where=section.where,
    )


def _slice(section: Section) -> SliceDefinition:
    section.known(_SLICE)
    predicate = _words(section, "where")
    if predicate is None:
        raise section.wrong("where", 'expected a predicate on columns, such as "age < 30"')
    return SliceDefinition(section.name, predicate, section.text("owner"), section.text("description"), section.where)


def _words(section: Section, name: str) -> str | None:
    """Return a text with single spaces, so that white space is no other meaning; None when empty."""
    return " ".join((section.text(name) or "").split()) or None
