"""Comparing two lists of predictions: what flipped, where, and for better or worse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from mlver.frozen import frozen
from mlver.repo.intervals import wilson
from mlver.repo.predictions import Predicted
from mlver.verbs.predict_result import (
    MEND,
    OTHER,
    REGRESSION,
    UNKNOWN,
    Correctness,
    Direction,
    FlippedRow,
    Share,
    SliceFlips,
)

_ORDER = (REGRESSION, OTHER, UNKNOWN, MEND)


@frozen
class Row:
    """One row with both predictions, which may lack; `label` is None when it is not known."""

    key: str
    old: Predicted
    new: Predicted
    label: Predicted = None


class Counted:
    """The rows that both sides predict. `tolerance` None: predictions are names of classes."""

    def __init__(self, rows: Sequence[Row], tolerance: float | None) -> None:
        self._rows = rows
        self._tolerance = tolerance
        self._both = [row.old is not None and row.new is not None for row in rows]
        self._flipped = [both and not self.alike(row.old, row.new) for both, row in zip(self._both, rows, strict=True)]
        self._verdicts = [self._verdict(row) for row in rows]

    def alike(self, a: Predicted, b: Predicted) -> bool:
        """Whether two predictions are the same, or two amounts within the tolerance."""
        if self._tolerance is not None and _amount(a) and _amount(b):
            return a == b or abs(float(a) - float(b)) <= self._tolerance  # type: ignore[arg-type]
        return _class(a) == _class(b)

    @property
    def silent(self) -> tuple[int, int]:
        """How many rows lack a prediction on the old and on the new side."""
        return sum(row.old is None for row in self._rows), sum(row.new is None for row in self._rows)

    def flips(self, places: Iterable[int] | None = None) -> Share:
        """Return how many of the rows (of all) flipped, among those both sides predict."""
        chosen = [place for place in self._places(places) if self._both[place]]
        count = sum(self._flipped[place] for place in chosen)
        share = count / len(chosen) if chosen else 0.0
        return Share(count, len(chosen), share, *wilson(share, len(chosen)))

    def correct(self, places: Iterable[int] | None = None) -> Correctness:
        """Return how the labelled ones among the rows (all) fare."""
        known = [p for p in self._places(places) if self._both[p] and self._rows[p].label is not None]
        before = sum(self.alike(self._rows[p].old, self._rows[p].label) for p in known)
        now = sum(self.alike(self._rows[p].new, self._rows[p].label) for p in known)
        said = Counter(self._verdicts[p] for p in known)
        return Correctness(len(known), before, now, said[REGRESSION], said[MEND], now - before)

    def directions(self) -> tuple[Direction, ...]:
        """Return which way predictions went, the most frequent first."""
        ways: Counter[tuple[str, str]] = Counter()
        shown: dict[tuple[str, str], tuple[Predicted, Predicted]] = {}
        for row, flipped in zip(self._rows, self._flipped, strict=True):
            if flipped:
                way, said = self._way(row)
                ways[way] += 1
                shown.setdefault(way, said)
        ordered = sorted(ways.items(), key=lambda item: (-item[1], item[0]))
        return tuple(Direction(*shown[way], count) for way, count in ordered)

    def slices(self, slices: Mapping[str, Sequence[int]], labelled: bool) -> tuple[SliceFlips, ...]:
        """Return each slice: most regressions first, then most flips, then by share."""
        found = [
            SliceFlips(name, self.flips(places), self.correct(places) if labelled else None)
            for name, places in slices.items()
        ]
        return tuple(sorted(found, key=lambda one: (-_worse(one), -one.flips.count, -one.flips.share, one.name)))

    def flipped(self, slices: Mapping[str, Sequence[int]], limit: int) -> tuple[FlippedRow, ...]:
        """Return the rows that flipped, regressions first, at most `limit`."""
        places = sorted((p for p, flipped in enumerate(self._flipped) if flipped), key=self._rank)[:limit]
        wanted = set(places)
        within: dict[int, list[str]] = {place: [] for place in places}
        for name, members in slices.items():
            for place in wanted.intersection(members):
                within[place].append(name)
        rows = self._rows
        return tuple(
            FlippedRow(rows[p].key, rows[p].old, rows[p].new, self._verdicts[p], rows[p].label, tuple(within[p]))
            for p in places
        )

    def _places(self, places: Iterable[int] | None) -> Iterable[int]:
        return range(len(self._rows)) if places is None else places

    def _rank(self, place: int) -> tuple[int, float]:
        row = self._rows[place]
        moved = 0.0
        if self._tolerance is not None and _amount(row.old) and _amount(row.new):
            moved = -abs(float(row.new) - float(row.old))  # type: ignore[arg-type]
        return _ORDER.index(self._verdicts[place]), moved

    def _verdict(self, row: Row) -> str:
        if row.label is None or row.old is None or row.new is None:
            return UNKNOWN
        before, now = self.alike(row.old, row.label), self.alike(row.new, row.label)
        if before == now:
            return OTHER
        return MEND if now else REGRESSION

    def _way(self, row: Row) -> tuple[tuple[str, str], tuple[Predicted, Predicted]]:
        if self._tolerance is not None and _amount(row.old) and _amount(row.new):
            up = float(row.new) > float(row.old)  # type: ignore[arg-type]
            return (("", "up"), (None, "up")) if up else (("", "down"), (None, "down"))
        return (str(_class(row.old)), str(_class(row.new))), (row.old, row.new)


def amounts(rows: Iterable[Row]) -> bool:
    """Whether predictions are amounts rather than classes: one of them is a number that is not whole."""
    return any(isinstance(value, float) and not value.is_integer() for row in rows for value in (row.old, row.new))


def _amount(value: Predicted) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _class(value: Predicted) -> Predicted:
    """Return a class by one spelling: 1, 1.0, true and "1" are the same one, as files of labels spell them."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        word = value.strip()
        if word.lower() in ("true", "false"):
            return int(word.lower() == "true")
        try:
            return _class(float(word)) if word.lstrip("+-")[:1].isdigit() else value
        except ValueError:
            return value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _worse(one: SliceFlips) -> int:
    return one.correct.regressions if one.correct else 0
