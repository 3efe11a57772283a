"""Which line of the new version is which line of the old one.

Patience diff (Bram Cohen): lines that occur once in both versions anchor the alignment, as the
longest run of them that keeps its order; what lies between two anchors is aligned in turn, and
where there is no anchor left `difflib` finds the longest matching blocks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from difflib import SequenceMatcher

_MOST_PAIRS = 1_000_000  # above this, what has no anchor is taken as rewritten: difflib is quadratic


def align(old: Sequence[Hashable], new: Sequence[Hashable]) -> dict[int, int]:
    """Return index in `new` -> index in `old` of the items that stayed, both rising."""
    pairs: dict[int, int] = {}
    todo = [(0, len(old), 0, len(new))]
    while todo:
        low, high, start, stop = todo.pop()
        while low < high and start < stop and old[low] == new[start]:
            pairs[start] = low
            low, start = low + 1, start + 1
        while low < high and start < stop and old[high - 1] == new[stop - 1]:
            high, stop = high - 1, stop - 1
            pairs[stop] = high
        if low == high or start == stop:
            continue
        anchors = _anchors(old, new, low, high, start, stop)
        if anchors:
            for i, j in anchors:
                todo.append((low, i, start, j))
                low, start = i, j
            todo.append((low, high, start, stop))
        elif (high - low) * (stop - start) <= _MOST_PAIRS:
            pairs.update(_blocks(old, new, low, high, start, stop))
    return pairs


def _anchors(
    old: Sequence[Hashable], new: Sequence[Hashable], low: int, high: int, start: int, stop: int
) -> list[tuple[int, int]]:
    """Return the longest rising run of (old, new) indexes of items that are unique on both sides."""
    mine = Counter(old[low:high])
    theirs = Counter(new[start:stop])
    places = {item: i for i in range(low, high) if mine[item := old[i]] == 1 and theirs[item] == 1}
    unique = [(places[item], j) for j in range(start, stop) if (item := new[j]) in places]
    tails: list[int] = []  # smallest last old index of a run of each length; patience sorting
    ends: list[int] = []
    before: list[int] = []
    for at, (i, _) in enumerate(unique):
        length = bisect_left(tails, i)
        before.append(ends[length - 1] if length else -1)
        if length == len(tails):
            tails.append(i)
            ends.append(at)
        else:
            tails[length], ends[length] = i, at
    run = []
    at = ends[-1] if ends else -1
    while at >= 0:
        run.append(unique[at])
        at = before[at]
    return run[::-1]


def _blocks(
    old: Sequence[Hashable], new: Sequence[Hashable], low: int, high: int, start: int, stop: int
) -> Iterator[tuple[int, int]]:
    matcher = SequenceMatcher(None, old[low:high], new[start:stop], autojunk=False)
    for i, j, length in matcher.get_matching_blocks():
        for k in range(length):
            yield start + j + k, low + i + k
