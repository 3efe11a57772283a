"""Which rows of two tables carry the same name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlver.kinds.tables.mixing import U64, Lanes, Mask, Rows


@dataclass(frozen=True)
class Alignment:
    """Row positions: `old[i]` and `new[i]` carry one name; `removed` and `added` are alone, in file order."""

    old: Rows
    new: Rows
    removed: Rows
    added: Rows


def align(old: Lanes, new: Lanes) -> Alignment:
    """Join two sets of unique 128-bit names; matches come in the order of the new table.

    Rows at the start and end that stand at the same place are matched at sight, so appending to a
    table costs the appended rows; the rest is joined by sorting.
    """
    head = _common(old, new)
    tail = _common(old[:, head:][:, ::-1], new[:, head:][:, ::-1])
    old_size, new_size = old.shape[1], new.shape[1]
    middle_old, middle_new = _join(old[:, head : old_size - tail], new[:, head : new_size - tail])
    matched_old = np.concatenate([np.arange(head), middle_old + head, np.arange(old_size - tail, old_size)])
    matched_new = np.concatenate([np.arange(head), middle_new + head, np.arange(new_size - tail, new_size)])
    return Alignment(matched_old, matched_new, _others(old_size, matched_old), _others(new_size, matched_new))


def _common(old: Lanes, new: Lanes) -> int:
    """Return how many names are the same, place by place, from the start."""
    size: int = min(old.shape[1], new.shape[1])
    step = 1 << 16
    for begin in range(0, size, step):
        end = min(begin + step, size)
        differs: Mask = (old[:, begin:end] != new[:, begin:end]).any(axis=0)
        if differs.any():
            return begin + int(differs.argmax())
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
    """Return the positions of equal names: sort by all 128 bits, old before new."""
    both = np.concatenate([old, new], axis=1)
    side = np.repeat([0, 1], [old.shape[1], new.shape[1]])
    order = np.lexsort((side, both[1], both[0]))
    ordered = both[:, order]
    pairs = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).all(axis=0))
    return order[pairs], order[pairs + 1] - old.shape[1]


def _others(size: int, matched: Rows) -> Rows:
    alone = np.ones(size, dtype=bool)
    alone[matched] = False
    return np.flatnonzero(alone)
