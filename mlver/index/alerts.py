"""Counting and choosing alerts inside SQLite: a hundred thousand of them in well under a second."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mlver.index.facts import FactIndex, FactRow, Reader

# An alert recorded twice is one: the first record counts. What stands in a file is known as long as the
# file is, and counts after what is recorded. The last outcome is found as the greatest text of time, time
# of recording and word; times are counted from the year 1, so that none is negative. That an alert is not
# null is said so that the index by alert gives them in the order in which they are grouped.
_YEAR_1 = 62_135_596_800_000_000
_SEEN = "batch IN reach AND (known <= :then OR id IS NULL)"
_DONE_SEEN = "done.batch IN reach AND (done.known <= :then OR done.id IS NULL)"
_FOLDED = f"""
WITH first AS (
    SELECT alert, word, level, at, min(known), subject, "commit" AS live, id IS NULL AS filed FROM fact
    WHERE type = 'alert' AND alert IS NOT NULL AND {_SEEN} GROUP BY alert
), done AS (
    SELECT alert, min(CASE WHEN word = :acted THEN at END) AS acted_at,
        max(printf('%020d%020d', at + {_YEAR_1}, known + {_YEAR_1}) || word) AS newest
    FROM fact WHERE type = 'action' AND alert IS NOT NULL AND {_SEEN} GROUP BY alert
)
"""  # noqa: S608
_WANTED = """(:type IS NULL OR substr(first.word, 1, length(:type)) = :type)
AND (:since IS NULL OR first.at >= :since) AND (:until IS NULL OR first.at <= :until)"""
_ALL = f"""{_FOLDED}
SELECT alert, word, level, at, CASE WHEN :placed THEN json_extract(subject, '$.stage') END,
    CASE WHEN :placed THEN json_extract(subject, '$.scope') END, live, filed,
    acted_at, substr(newest, 41)
FROM first LEFT JOIN done USING (alert) WHERE {_WANTED}
"""  # noqa: S608
_CHOSEN = f"""{_FOLDED}
SELECT alert, word, level, at FROM first LEFT JOIN done USING (alert)
WHERE {_WANTED} AND (:open IS NULL OR newest IS NULL) AND (:done IS NULL OR acted_at IS NOT NULL)
ORDER BY at DESC, alert DESC
"""  # noqa: S608
_OPEN = f"""
SELECT alert, word, level, at FROM (
    SELECT alert, word, level, at, min(known) FROM fact
    WHERE type = 'alert' AND alert IS NOT NULL AND {_SEEN} GROUP BY alert
) AS first WHERE {_WANTED} AND NOT EXISTS (
    SELECT 1 FROM fact AS done WHERE done.alert = first.alert AND done.type = 'action' AND {_DONE_SEEN}
) ORDER BY at DESC, alert DESC
"""  # noqa: S608
_UNSETTLED = f"""{_FOLDED}
SELECT alert FROM first LEFT JOIN done USING (alert)
WHERE (newest IS NULL OR substr(newest, 41) = 'acked') AND instr(:levels, ' ' || level || ' ')
"""  # noqa: S608
_BOUND = f"""
SELECT alert FROM fact WHERE type = 'alert' AND alert IS NOT NULL AND "commit" = :live AND {_SEEN}
UNION SELECT alert FROM fact WHERE id IS NULL AND type = 'alert' AND alert IS NOT NULL AND batch IN reach
"""  # noqa: S608
_BEYOND = (1 << 63) - 1
_AT_ONCE = 500  # ids in one query


class AlertRow(NamedTuple):
    """One alert and what became of it; times in microseconds since 1970.

    `live` is the commit (hex) it is bound to; `filed` if it stands in a file alone, and no fact binds it.
    `acted_at` is when it was first acted on, `outcome` the last outcome (in the table None for none).
    `automatic`: it was left alone for so long that it counts as ignored.
    """

    id: str
    type: str
    severity: str
    at: int
    stage: str | None
    scope: str | None
    live: str | None
    filed: int
    acted_at: int | None
    outcome: str | None
    automatic: bool = False


class Chosen(NamedTuple):
    """One alert as chosen by type and time, in microseconds since 1970."""

    id: str
    type: str
    severity: str
    at: int


class AlertTable:
    """The alerts that `roots` lead to, as known at the moment `then` (microseconds; None: now)."""

    def __init__(self, index: FactIndex, roots: Mapping[bytes, Reader], then: int | None = None) -> None:
        self._index, self._roots = index, roots
        self._then = _BEYOND if then is None else then

    def _ask(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        return self._index.select(self._roots, query, {"then": self._then, "acted": "acted"} | values)

    def rows(
        self, type: str | None = None, since: int | None = None, until: int | None = None, *, placed: bool = True
    ) -> list[tuple[Any, ...]]:
        """Return the fields of an `AlertRow`, but the last, of every alert whose type begins with `type`, in no order.

        `since` and `until` keep those that fired in a stretch of time. Without `placed`, stage and scope are None.
        """
        return self._ask(_ALL, type=type, since=since, until=until, placed=placed)

    def chosen(
        self,
        type: str | None = None,
        since: int | None = None,
        until: int | None = None,
        *,
        open: bool = False,
        acted: bool = False,
    ) -> list[Chosen]:
        """Return alerts, newest first; `open` are those about which nothing was done, `acted` those acted on."""
        values = {"type": type, "since": since, "until": until, "open": open or None, "done": acted or None}
        query = _OPEN if open and not acted else _CHOSEN
        return [Chosen._make(row) for row in self._ask(query, **values)]

    def bound(self, live: str) -> list[str]:
        """Return ids, among them those of all alerts that are bound to a commit (hex)."""
        return [row[0] for row in self._ask(_BOUND, live=live)]

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
