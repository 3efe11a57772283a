"""Why two values must not be ranked, in words for people: which version of the data, which definition, since when."""

from __future__ import annotations

from mlver.objects.ids import BlobId
from mlver.repo.comparable import obstacle
from mlver.repo.definition_history import Definition, definitions
from mlver.repo.metric_documents import shown_metric
from mlver.repo.metric_facts import MetricValue
from mlver.repo.metric_history import dataset_versions
from mlver.repo.repository import Repository


class Obstacles:
    """Answers with `obstacle`, and knows the history: versions by number, definitions by the commit that changed them.

    The history is read only when two values do differ, once for each dataset and metric.
    """

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._labels: dict[str, dict[BlobId, str]] = {}

    def label(self, value: MetricValue) -> str | None:
        """Return the version of the dataset a value was measured on: `v2`."""
        if value.dataset is None or value.dataset_id is None:
            return None
        if value.dataset not in self._labels:
            versions = dataset_versions(self._repo, value.dataset)
            self._labels[value.dataset] = {version.id: version.label for version in versions}
        return self._labels[value.dataset].get(value.dataset_id)

    def __call__(self, old: MetricValue, new: MetricValue) -> str | None:
        """Return why two values must not be ranked, None when they may."""
        reason = obstacle(old, new, self.label)
        if reason is None or not reason.endswith("was redefined"):
            return reason
        known = definitions(self._repo, new.name, new.slice)
        sides = [known.get(value.definition) if value.definition else None for value in (old, new)]
        if sides[0] is None or sides[1] is None:
            return reason
        return f"{shown_metric(new.name, new.slice)} was redefined: {self._told(sides[0], sides[1])}"

    def _told(self, old: Definition, new: Definition) -> str:
        words = [word for word in {**old.meaning, **new.meaning} if old.meaning.get(word) != new.meaning.get(word)]
        moves = [f"{word} {old.meaning.get(word, 'not said')} → {new.meaning.get(word, 'not said')}" for word in words]
        later = max((old, new), key=self._age)
        if later.commit is None:
            return f"{', '.join(moves)} (not committed yet)"
        commit = self._repo.commit(later.commit)
        return f"{', '.join(moves)} ({later.commit.short} by {commit.author}, {commit.time:%Y-%m-%d})"

    def _age(self, definition: Definition) -> tuple[bool, float]:
        commit = definition.commit
        return commit is None, self._repo.commit(commit).time.timestamp() if commit else 0.0
