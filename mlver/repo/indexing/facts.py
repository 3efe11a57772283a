"""Facts as rows: metrics, notes and all else that was learned later, by batches of the fact log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mlver.index.history.database import HistoryIndex
from mlver.objects.ids import BlobId, FactBatchId, parents_first
from mlver.objects.state import Fact, FactBatch
from mlver.objects.time import format_time
from mlver.repo.alert_facts import ACTION, ALERT
from mlver.repo.facts import fact_id
from mlver.repo.indexing.versions import json_text, metric_cell
from mlver.repo.metric_facts import METRIC
from mlver.repo.note_facts import MARK, NOTE
from mlver.repo.subjects import get_number

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

HEAD = "facts"
_TABLES = ("facts", "_batches", "_recorded_metrics", "notes")
_NOT_WRITTEN_BY_FACTS = ("commit", "trailer", "operation", "rule", ALERT, ACTION)
_SAID_ELSEWHERE = (ALERT, ACTION, METRIC)
_TEXT_LIMIT = 100_000  # characters of one fact that are searched


class FactRows:
    """Adds the batches that the index lacks."""

    def __init__(self, repo: Repository, index: HistoryIndex) -> None:
        self._repo, self._index = repo, index

    def update(self) -> set[str] | None:
        """Bring in what is new; return the alerts it is about, None when everything was read again.

        An undo may take facts back; then all facts are read again.
        """
        head, last = self._repo.view.facts, self._index.state(HEAD)
        if (head.hex() if head else None) == last:
            return set()
        order, stops = self._new_batches(head)
        forward = last is None or last in stops
        if not forward:
            self._reset()
            order, _ = self._new_batches(head)
        touched: set[str] = set()
        for id in order:
            touched |= self._add(id)
        self._index.note(HEAD, head.hex() if head else None)
        return touched if forward else None

    def _new_batches(self, head: FactBatchId | None) -> tuple[list[FactBatchId], set[str]]:
        """Return the batches that are missing, the oldest first, and the known ones they follow."""
        known = {row[0] for row in self._index.select("SELECT id FROM _batches")}
        stops: set[str] = set()

        def above(id: FactBatchId) -> Iterable[FactBatchId] | None:
            if id.hex() not in known:
                return self._batch(id).parents
            stops.add(id.hex())
            return None

        return list(parents_first([head] if head else [], above)), stops

    def _batch(self, id: FactBatchId) -> FactBatch:
        return self._repo.store.get_object(FactBatch, id)

    def _reset(self) -> None:
        for table in _TABLES:
            self._index.run(f"DELETE FROM {table}")  # noqa: S608
        marks = ", ".join("?" * len(_NOT_WRITTEN_BY_FACTS))
        self._index.delete_texts(f"source NOT IN ({marks})", _NOT_WRITTEN_BY_FACTS)

    def _add(self, id: FactBatchId) -> set[str]:
        """Add one batch and return the alerts it is about."""
        index, touched = self._index, set[str]()
        facts, metrics, notes, texts = [], [], [], []
        for fact in self._batch(id).facts:
            name = fact_id(fact).hex()
            if index.select("SELECT 1 FROM facts WHERE id = ?", (name,)):
                continue  # recorded twice is recorded once
            facts.append(_row(name, fact))
            if fact.type in (ALERT, ACTION):
                touched.add(fact.subject.get("alert", ""))
            elif fact.type == METRIC:
                metrics.append(_metric_row(name, fact))
            elif fact.type in (NOTE, MARK):
                notes.append(_note_row(name, fact))
            if fact.type in _SAID_ELSEWHERE:
                continue
            if text := " · ".join(_strings(fact.body))[:_TEXT_LIMIT]:
                about = _about(fact.subject)
                texts.append((text, fact.type, about, fact.subject.get("commit"), format_time(fact.at), fact.by))
        index.insert("facts", facts)
        index.insert("_recorded_metrics", metrics)
        index.insert("notes", notes)
        index.insert_texts(texts)
        index.insert("_batches", [(id.hex(),)])
        return touched


def _row(name: str, fact: Fact) -> tuple[Any, ...]:
    about = [fact.subject.get(part) for part in ("commit", "path", "unit", "stage", "scope", "alert")]
    body = json_text(dict(fact.body))
    return (name, fact.type, format_time(fact.at), format_time(fact.known), fact.by, *about, body)


def _metric_row(name: str, fact: Fact) -> tuple[Any, ...]:
    body, n = fact.body, fact.body.get("n")
    return (
        None, fact.subject.get("commit"), str(body.get("name", "")), str(body.get("slice", "")),
        metric_cell(get_number(body.get("value"))), n if isinstance(n, int) else None, body.get("dataset"),
        body.get("dataset_id"), body.get("window"), int(body.get("estimate") is True), format_time(fact.at),
        format_time(fact.known), fact.by, name,
    )  # fmt: skip


def _note_row(name: str, fact: Fact) -> tuple[Any, ...]:
    said = [fact.body.get(part) for part in ("mark", "text", "ticket")]
    about = [fact.subject.get(part) for part in ("commit", "path", "unit")]
    return (fact.type, *said, *about, format_time(fact.at), format_time(fact.known), fact.by, name)


def _about(subject: Mapping[str, str]) -> str | None:
    """Return what a fact is about, as one would type it, but for its commit."""
    path, unit = subject.get("path"), subject.get("unit")
    if path:
        return f"{path}#{unit}" if unit else path
    place = "/".join(filter(None, (subject.get("stage"), subject.get("scope"))))
    return subject.get("alert") or place or None


def _strings(value: Any) -> Iterator[str]:
    """Yield every text within a value but ids, which nobody searches for word by word."""
    if isinstance(value, str):
        if value and not _is_id(value):
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)


def _is_id(text: str) -> bool:
    return len(text) == 2 * len(BlobId(bytes(32))) and not set(text) - set("0123456789abcdef")
