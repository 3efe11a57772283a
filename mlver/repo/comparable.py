"""Whether two metric values may be compared at all: same data, same definition, both measured."""

from __future__ import annotations

from collections.abc import Callable

from mlver.repo.metric_documents import shown_metric
from mlver.repo.metric_facts import MetricValue

NOT_COMPARABLE = "not comparable"
Labels = Callable[[MetricValue], str | None]  # the version of the dataset a value was measured on, for people


def obstacle(old: MetricValue, new: MetricValue, label: Labels = lambda value: None) -> str | None:
    """Return why two values must not be ranked, None when they may: `data/val.csv differs (v1 vs v2)`.

    `label` names the version of a dataset; its id is used where it has none. What one side does not say
    (its dataset's version, its definition) is no obstacle: see `doubt`.
    """
    if old.estimate != new.estimate:
        return f"{'old' if old.estimate else 'new'} is an estimate, the other was measured"
    if None not in (old.dataset_id, new.dataset_id) and old.dataset_id != new.dataset_id:
        names = [label(value) or (value.dataset_id.short if value.dataset_id else "?") for value in (old, new)]
        text = f"{new.dataset} differs ({names[0]} vs {names[1]})"
        if old.by != new.by:
            text += f"; {_name(old.by)} measured on {names[0]}, {_name(new.by)} on {names[1]}"
        return text
    if old.window != new.window:
        return f"the window differs ({old.window or 'not said'} vs {new.window or 'not said'})"
    if None not in (old.definition, new.definition) and old.definition != new.definition:
        return f"{shown_metric(new.name, new.slice)} was redefined"
    return None


def doubt(old: MetricValue, new: MetricValue) -> str | None:
    """Return what makes a comparison doubtful without forbidding it, None when nothing does."""
    if old.dataset != new.dataset and (old.path or new.path):
        return f"{old.path or new.path} does not say what it was measured on"
    if (old.definition is None) != (new.definition is None) and not (old.path or new.path):
        return f"one value of {shown_metric(new.name, new.slice)} is from before it was defined"
    return None


def _name(author: str) -> str:
    return author.partition(" <")[0].strip() or author
