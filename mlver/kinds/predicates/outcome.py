"""What came of rules over a table: how often each fired, on which rows, in which part of the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from typing import Any

import numpy as np

from mlver.frozen import frozen
from mlver.kinds.base import Units, Unreadable, Value
from mlver.kinds.predicates.reading import read_test
from mlver.kinds.predicates.row_test import DEMAND, RowTest
from mlver.kinds.predicates.sandbox import SECONDS, NoColumn, Sandbox
from mlver.kinds.predicates.wording import Forbidden, Malformed
from mlver.kinds.tables.units import TableUnits
from mlver.kinds.tables.values import key_texts

Rows = np.ndarray[Any, Any]


def positions(rows: Sequence[int]) -> Rows:
    """Return row numbers as an array."""
    return np.array(rows, dtype=np.int64)


@frozen
class Outcome:
    """One rule over one table.

    `hits` rows fired it (of a demand: broke it), on `unknown` rows an empty cell left it open. `broken` says
    of a demand whether more rows break it than it tolerates, None of a condition. `why_not` says why the rule
    could not be tested. `positions` are the rows it fired on.
    """

    sort: str
    hits: int = 0
    unknown: int = 0
    broken: bool | None = None
    why_not: str | None = None
    positions: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64), compare=False, repr=False)


class RuleTable:
    """A table that rules can be tested on. Raises Unreadable when the units are those of no table."""

    def __init__(self, units: Units, *, seconds: float = SECONDS) -> None:
        if not isinstance(units, TableUnits):
            raise Unreadable("no table of rows")
        self._units = units
        self._seconds = seconds

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return int(self._units.table.num_rows)

    @property
    def columns(self) -> Sequence[str]:
        """The names of its columns."""
        names: list[str] = self._units.table.column_names
        return names

    @contextmanager
    def open(self) -> Iterator[OpenTable]:
        """Make it ready for conditions, and let it go afterwards."""
        with Sandbox(self._units.table, seconds=self._seconds) as sandbox:
            yield OpenTable(sandbox)

    def keys(self, positions: Rows, limit: int) -> tuple[str, ...]:
        """Return what names the first `limit` of these rows."""
        return tuple(self._units.keying.texts(positions[:limit]))

    def slices(self, column: str) -> Slices:
        """Return the rows by their value in a column; Malformed when there is no such column."""
        if column not in self.columns:
            raise NoColumn(column, self.columns)
        return Slices(key_texts(self._units.table.column(column)))


class Slices:
    """The parts of a table, by the value of one column."""

    def __init__(self, texts: Sequence[str | None]) -> None:
        self._texts = np.array(["null" if text is None else text for text in texts], dtype=object)
        self.sizes: Mapping[str, int] = _counts(self._texts)

    @property
    def texts(self) -> Sequence[str]:
        """The part each row lies in."""
        return [str(text) for text in self._texts]

    def count(self, positions: Rows) -> dict[str, int]:
        """Return how many of these rows lie in each part, also where there is none."""
        found = _counts(self._texts[positions])
        return {name: found.get(name, 0) for name in self.sizes}


def _counts(texts: Any) -> dict[str, int]:
    names, counts = np.unique(texts.astype(str), return_counts=True)
    return {str(name): int(count) for name, count in zip(names, counts, strict=True)}


class OpenTable:
    """A table in its sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def test(self, key: str, rule: Value) -> Outcome:
        """Return what comes of one rule; Malformed and Forbidden when its condition is none, or more than one."""
        test = read_test(self._sandbox, key, rule)
        if not test.parts:
            return Outcome(test.sort, why_not=test.why_not or "it demands nothing")
        return self._outcome(test)

    def _outcome(self, test: RowTest) -> Outcome:
        fired: list[Rows] = []
        unknown, broken = 0, False
        for part in test.parts:
            if part.whole:
                broken |= bool(self._sandbox.value(part.sql))
                continue
            positions, open_ = self._sandbox.positions(part.sql)
            unknown = max(unknown, open_)
            fired.append(positions)
            broken |= self._too_many(part.tolerated, part.among, len(positions))
        rows = np.unique(np.concatenate(fired)) if fired else np.zeros(0, dtype=np.int64)
        return Outcome(test.sort, len(rows), unknown, broken if test.sort == DEMAND else None, None, rows)

    def _too_many(self, tolerated: float, among: str | None, count: int) -> bool:
        if not count or not tolerated:
            return bool(count)
        total = self._sandbox.value("count(*)" if among is None else f"count(*) FILTER (WHERE {among})")
        return count > tolerated * int(total) + 1e-9


__all__ = ["Forbidden", "Malformed", "NoColumn", "OpenTable", "Outcome", "RuleTable", "Slices", "positions"]
