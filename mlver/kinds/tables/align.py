"""Which rows of two tables carry the same name."""

from __future__ import annotations

from typing import Final

import numpy as np

from mlver.frozen import frozen
from mlver.kinds.tables.mixing import U64, Lanes, Mask, Rows

_GAPS: Final = 64  # between rows in step, and one more for each 512 of them
_NEXT: Final = 1 << 6  # rows searched first for where two tables go on together
_NEAR: Final = 1 << 12  # and then


@frozen
class Alignment:
    """Row positions: `old[i]` and `new[i]` carry one name; `removed` and `added` are alone, in file order."""

    old: Rows
    new: Rows
    removed: Rows
    added: Rows


def align(old: Lanes, new: Lanes) -> Alignment:
    """Join two sets of unique 128-bit names; matches come in the order of the new table.

    Rows that follow each other on both sides are matched at sight, over gaps where rows came or went, so that
    tables in one order cost a look at each row; what is left is joined by sorting.
    """
    old_size, new_size = old.shape[1], new.shape[1]
    runs = _in_step(old, new)
    begin_old, begin_new, length = runs[-1] if runs else (0, 0, 0)
    end_old, end_new = begin_old + length, begin_new + length
    tail = _common(old[:, end_old:][:, ::-1], new[:, end_new:][:, ::-1])
    runs.append((old_size - tail, new_size - tail, tail))
    matched_old = np.concatenate([np.arange(begin, begin + length) for begin, _, length in runs])
    matched_new = np.concatenate([np.arange(begin, begin + length) for _, begin, length in runs])
    left_old, left_new = _others(old_size, matched_old), _others(new_size, matched_new)
    moved_old, moved_new = _join(old[:, left_old], new[:, left_new])
    if len(moved_new):
        matched_old = np.concatenate([matched_old, left_old[moved_old]])
        matched_new = np.concatenate([matched_new, left_new[moved_new]])
        order = np.argsort(matched_new, kind="stable")
        matched_old, matched_new = matched_old[order], matched_new[order]
        left_old, left_new = np.delete(left_old, moved_old), np.delete(left_new, moved_new)
    return Alignment(matched_old, matched_new, left_old, left_new)


def _in_step(old: Lanes, new: Lanes) -> list[tuple[int, int, int]]:
    """Return stretches (begin in old, begin in new, rows) of equal names in the same order, from the start.

    After a gap the two go on where the next name of one side stands on the other. They part for good after many gaps.
    """
    runs: list[tuple[int, int, int]] = []
    i = j = gaps = 0
    while gaps < _GAPS + (i >> 9):
        length = _common(old[:, i:], new[:, j:])
        if length:
            runs.append((i, j, length))
            i, j = i + length, j + length
        if i == old.shape[1] or j == new.shape[1]:
            break
        skipped_old, skipped_new = _skipped(old[:, i:], new[:, j:])
        if skipped_old is None and skipped_new is None:
            i, j = i + 1, j + 1  # one row took the place of another
        elif skipped_new is None or (skipped_old is not None and skipped_old < skipped_new):
            i += skipped_old or 0
        else:
            j += skipped_new
        gaps += 1
    return runs


def _skipped(old: Lanes, new: Lanes) -> tuple[int | None, int | None]:
    """Return how far ahead in each the first name of the other stands, None when it is not near.

    What is found at once makes the rest of no interest: the shorter way is taken.
    """
    for near in (_NEXT, _NEAR):
        found = _place(old[:, :near], new[:, 0]), _place(new[:, :near], old[:, 0])
        if found != (None, None):
            break
    return found


def _place(names: Lanes, name: U64) -> int | None:
    found = np.flatnonzero((names[0] == name[0]) & (names[1] == name[1]))
    return int(found[0]) if len(found) else None


def _common(old: Lanes, new: Lanes) -> int:
    """Return how many names are the same, place by place, from the start."""
    size: int = min(old.shape[1], new.shape[1])
    begin, step = 0, 1 << 10
    while begin < size:
        end = min(begin + step, size)
        differs: Mask = old[0, begin:end] != new[0, begin:end]
        differs |= old[1, begin:end] != new[1, begin:end]
        if differs.any():
            return begin + int(differs.argmax())
        begin, step = end, min(2 * step, 1 << 16)
    return size


def _join(old: Lanes, new: Lanes) -> tuple[Rows, Rows]:
    """Return the positions of equal names in both, ordered by the new one.

    Sorting plain words is twice as fast as sorting positions, so each word keeps the high bits of
    lane 0 and carries its position in the low ones. A pair counts when all 128 bits agree; the few
    names that share the high bits with another one are joined exactly afterwards.
    """
    nothing = np.empty(0, dtype=np.int64)
    if not old.shape[1] or not new.shape[1]:
        return nothing, nothing
    low = np.uint64((1 << max(old.shape[1], new.shape[1]).bit_length()) - 1)
    old_sorted, new_sorted = _packed(old[0], low), _packed(new[0], low)
    old_high, new_high = old_sorted & ~low, new_sorted & ~low
    place = np.minimum(np.searchsorted(old_high, new_high), len(old_high) - 1)
    candidates = (old_sorted[place] & low).astype(np.int64)
    rows = (new_sorted & low).astype(np.int64)
    alike = old_high[place] == new_high
    equal = alike & (old[0][candidates] == new[0][rows]) & (old[1][candidates] == new[1][rows])
    partner = np.full(new.shape[1], -1, dtype=np.int64)
    partner[rows[equal]] = candidates[equal]
    if (unsure := rows[alike & ~equal]).size:
        taken = np.zeros(old.shape[1], dtype=bool)
        taken[partner[partner >= 0]] = True
        left = np.flatnonzero(~taken & np.isin(old[0] & ~low, new[0][unsure] & ~low))
        old_left, new_left = _join_exactly(old[:, left], new[:, unsure])
        partner[unsure[new_left]] = left[old_left]
    found = np.flatnonzero(partner >= 0)
    return partner[found], found


def _packed(lane: U64, low: np.uint64) -> U64:
    packed: U64 = (lane & ~low) | np.arange(len(lane), dtype=np.uint64)
    packed.sort()
    return packed


def _join_exactly(old: Lanes, new: Lanes) -> tuple[Rows, Rows]:
    """Return the positions of equal names: sort by all 128 bits, old before new. Of names that repeat some pairs."""
    both = np.concatenate([old, new], axis=1)
    side = np.repeat([0, 1], [old.shape[1], new.shape[1]])
    order = np.lexsort((side, both[1], both[0]))
    ordered = both[:, order]
    pairs = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).all(axis=0))
    pairs = pairs[(order[pairs] < old.shape[1]) & (order[pairs + 1] >= old.shape[1])]
    return order[pairs], order[pairs + 1] - old.shape[1]


def _others(size: int, matched: Rows) -> Rows:
    alone = np.ones(size, dtype=bool)
    alone[matched] = False
    return np.flatnonzero(alone)
