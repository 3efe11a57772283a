"""Which line of the new version is which line of the old one.

Patience diff (Bram Cohen): lines that occur once in both versions anchor the alignment, as the
longest run of them that keeps its order; what lies between two anchors is aligned in turn. Where
there is no anchor, Myers' greedy search (1986) finds the fewest changes, as long as they are few.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Sequence

_STEPS = 1_000_000  # of the search of Myers in one alignment; what would take more is taken as rewritten


def align(old: Sequence[Hashable], new: Sequence[Hashable]) -> dict[int, int]:
    """Return index in `new` -> index in `old` of the items that stayed, both rising."""
    pairs: dict[int, int] = {}
    todo = [(0, len(old), 0, len(new))]
    steps = _STEPS
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
        else:
            found, steps = shortest(old[low:high], new[start:stop], steps)
            pairs.update((start + y, low + x) for x, y in found)
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


def shortest(old: Sequence[Hashable], new: Sequence[Hashable], steps: int) -> tuple[list[tuple[int, int]], int]:
    """Return the pairs of a shortest edit script, none if it takes more than `steps`, and the steps that are left."""
    n, m = len(old), len(new)
    reach = {1: 0}  # diagonal x - y -> the furthest x on it
    rounds: list[dict[int, int]] = []
    for d in range(n + m + 1):
        rounds.append(reach.copy())
        steps -= d + 1
        if steps < 0:
            break
        for k in range(2 * max(0, d - m) - d, d - 2 * max(0, d - n) + 1, 2):
            x = _step(reach, k, d)[0]
            while x < n and x - k < m and old[x] == new[x - k]:
                x += 1
            reach[k] = x
            if x >= n and x - k >= m:
                return _way_back(rounds, n, m), steps
    return [], max(steps, 0)


def _step(reach: dict[int, int], k: int, d: int) -> tuple[int, int]:
    """Return the x at which diagonal `k` is entered in round `d`, and the diagonal it is entered from."""
    left, above = reach.get(k - 1, -1), reach.get(k + 1, -1)
    return (above, k + 1) if k == -d or (k != d and left < above) else (left + 1, k - 1)


def _way_back(rounds: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    pairs = []
    for d in range(len(rounds) - 1, -1, -1):
        entered, before = _step(rounds[d], x - y, d)
        while x > entered:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        x = rounds[d].get(before, 0)
        y = x - before
    return pairs
