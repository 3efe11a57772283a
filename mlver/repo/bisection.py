"""Halving a history until what turned it bad is found. Merges are no obstacle, and neither are gaps.

Always split where the fewer of the two halves is largest, as git bisect does (C. Couder, Fighting
regressions with git bisect, 2009). Sets of commits are bits of whole numbers, so that a step over
thousands of commits costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

_T = TypeVar("_T")

GOOD, BAD, SKIP = "good", "bad", "skip"


class Bisection(Generic[_T]):
    """What is left between good commits and a bad one.

    `parents` maps every commit reachable from `bad` and from none of the good ones to its parents.
    """

    def __init__(self, parents: Mapping[_T, Iterable[_T]], bad: _T) -> None:
        self._order = _topological(parents, bad)
        self._number = {id: n for n, id in enumerate(self._order)}
        self._behind: list[int] = []  # the ancestors of each commit and itself
        for n, id in enumerate(self._order):
            bits = 1 << n
            for parent in parents[id]:
                if parent in self._number:
                    bits |= self._behind[self._number[parent]]
            self._behind.append(bits)
        self._parents = parents
        self._left = self._behind[self._number[bad]]  # the first bad one is among these
        self._known: dict[_T, str] = {}

    @property
    def left(self) -> list[_T]:
        """The commits that may be the first bad one, oldest first."""
        return [id for n, id in enumerate(self._order) if self._left >> n & 1]

    def place(self, id: _T) -> int:
        """Return where a commit stands, parents before children; -1 for one that was good from the start."""
        return self._number.get(id, -1)

    def tell(self, id: _T, verdict: str) -> None:
        """Say what came of trying a commit: `good`, `bad` or `skip` (it could not be tried)."""
        self._known[id] = verdict
        if verdict == BAD:
            self._left &= self._behind[self._number[id]]
        elif verdict == GOOD and id in self._number:
            self._left &= ~self._behind[self._number[id]]

    def next(self) -> _T | None:
        """Return the commit to try next, None when nothing can be learned any more."""
        total = self._left.bit_count()
        best, gain = None, -1
        for n, id in enumerate(self._order):
            if not self._left >> n & 1 or id in self._known:
                continue
            behind = (self._behind[n] & self._left).bit_count()
            worth = min(behind, total - behind)
            if worth > gain or (worth == gain and best is None):
                best, gain = id, worth
        return best

    def first_bad(self) -> list[_T]:
        """Return the first bad commit; several, oldest first, when those that could not be tried leave it open."""
        return self.left


def _topological(parents: Mapping[_T, Iterable[_T]], bad: _T) -> list[_T]:
    """Return the commits, parents before their children."""
    order: list[_T] = []
    done: set[_T] = set()
    stack: list[tuple[_T, bool]] = [(bad, False)]
    while stack:
        id, ready = stack.pop()
        if ready:
            order.append(id)
        elif id not in done:
            done.add(id)
            stack.append((id, True))
            stack.extend((parent, False) for parent in parents[id] if parent in parents and parent not in done)
    return order
