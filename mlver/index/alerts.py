"""Counting and choosing alerts inside SQLite: a hundred thousand of them in well under a second."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mlver.index.facts import FactIndex, FactRow, Reader

# An alert recorded twice is one: the first record counts. What stands in a file is known as long as the
# file is, and counts after what is recorded. `done` says how often something was done about it.
_FOLDED = """
WITH first AS (
    SELECT alert, word, level, at, min(known) FROM fact
    WHERE type = 'alert' AND batch IN reach AND (known <= :then OR id IS NULL) GROUP BY alert
), done AS (
    SELECT alert, count(*) AS actions, max(word = :acted) AS acted, max(word = 'acked') AS acked FROM fact
    WHERE type = 'action' AND batch IN reach AND (known <= :then OR id IS NULL) GROUP BY alert
)
"""
_WANTED = "(:type IS NULL OR substr(first.word, 1, length(:type)) = :type)"
_COUNTS = f"""{_FOLDED}
SELECT first.word, count(*), sum(coalesce(acted, 0)), sum(actions IS NULL), max(first.at)
FROM first LEFT JOIN done USING (alert) WHERE {_WANTED} GROUP BY first.word
"""  # noqa: S608
_LAST = f"""{_FOLDED}
SELECT first.word, fact.alert, max(fact.at) FROM fact JOIN first USING (alert)
WHERE fact.type = 'action' AND fact.word = :acted AND batch IN reach AND (known <= :then OR fact.id IS NULL)
AND {_WANTED} GROUP BY first.word
"""  # noqa: S608
_CHOSEN = f"""{_FOLDED}
SELECT alert FROM first LEFT JOIN done USING (alert)
WHERE {_WANTED} AND (:since IS NULL OR at >= :since) AND (:until IS NULL OR at <= :until)
AND (:open IS NULL OR actions IS NULL) ORDER BY at DESC, alert DESC
"""  # noqa: S608
_UNSETTLED = f"""{_FOLDED}
SELECT alert FROM first LEFT JOIN done USING (alert)
WHERE (actions IS NULL OR acked) AND instr(:levels, ' ' || level || ' ')
"""  # noqa: S608
_BEYOND = (1 << 63) - 1
_AT_ONCE = 500  # ids in one query


class TypeCount(NamedTuple):
    """How often a type of alert fired, was acted on and lies open; its newest, in microseconds since 1970."""

    type: str
    fired: int
    acted: int
    open: int
    newest: int


class AlertTable:
    """The alerts that `roots` lead to, as known at the moment `then` (microseconds; None: now)."""

    def __init__(self, index: FactIndex, roots: Mapping[bytes, Reader], then: int | None = None) -> None:
        self._index, self._roots = index, roots
        self._then = _BEYOND if then is None else then

    def _ask(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        return self._index.select(self._roots, query, {"then": self._then, "acted": "acted"} | values)

    def counts(self, type: str | None = None) -> list[TypeCount]:
        """Return one count per type that begins with `type`."""
        return [TypeCount._make(row) for row in self._ask(_COUNTS, type=type)]

    def last_acted(self, type: str | None = None) -> dict[str, str]:
        """Return type -> the alert that was acted on last."""
        return {row[0]: row[1] for row in self._ask(_LAST, type=type)}

    def chosen(
        self, type: str | None = None, since: int | None = None, until: int | None = None, *, open: bool = False
    ) -> list[str]:
        """Return the ids of alerts, newest first; `open` are those about which nothing was done."""
        return [row[0] for row in self._ask(_CHOSEN, type=type, since=since, until=until, open=open or None)]

    def unsettled(self, levels: Iterable[str]) -> list[str]:
        """Return ids, among them those of all alerts of the severities `levels` that nobody has settled."""
        return [row[0] for row in self._ask(_UNSETTLED, levels=f" {' '.join(levels)} ")]

    def facts(self, ids: Iterable[str]) -> Iterator[FactRow]:
        """Yield what is known of some alerts, in the order of the log."""
        wanted = list(ids)
        for start in range(0, len(wanted), _AT_ONCE):
            names = {f"a{n}": id for n, id in enumerate(wanted[start : start + _AT_ONCE])}
            marks = ", ".join(f":{name}" for name in names)
            where = f"alert IN ({marks}) AND type IN ('alert', 'action') AND (known <= :then OR id IS NULL)"
            yield from self._index.facts(self._roots, where, {"then": self._then} | names)
