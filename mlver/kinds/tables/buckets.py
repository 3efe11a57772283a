"""Digests of rows in a temporary file, to be read again in the order of their names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from mlver.kinds.tables.mixing import U64, Lanes, Rows
from mlver.storage.scratch import Scratch

_BITS: Final = 12
_COUNT: Final = 1 << _BITS  # buckets, by the first bits of the name
_TOGETHER: Final = 1 << 18  # rows of one side that are read at a time, if their bucket alone is not larger
_FIELDS: Final = 5
NAME: Final = slice(0, 2)
ROW: Final = slice(2, 4)
PLACE: Final = 4
COUNT: Final = 2
Records = U64  # shape (5, rows): two lanes of the name, two of the cells, and where the row stands in the file


class Buckets:
    """The rows of one table. A segment is sorted by bucket, so that neighbouring buckets are read in one go."""

    def __init__(self) -> None:
        """Raise LocalIO when there is no place for the file."""
        self._scratch = Scratch()
        self._segments: list[tuple[int, Rows]] = []  # where it begins, and where each bucket does in it
        self.rows = 0

    def add(self, names: Lanes, rows: Lanes) -> None:
        """Take in the next rows of the table."""
        places = np.arange(self.rows, self.rows + names.shape[1], dtype=np.uint64)
        self._write(np.concatenate([names, rows, places.reshape(1, -1)]))

    def _write(self, records: Records) -> None:
        bucket = (records[0] >> np.uint64(64 - _BITS)).astype(np.uint16)
        order = np.argsort(bucket, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(bucket, minlength=_COUNT))])
        begin = self._scratch.append(np.ascontiguousarray(records[:, order].T).data)
        self._segments.append((begin, starts))
        self.rows += records.shape[1]

    def each(self) -> Iterator[Records]:
        """Yield all rows, some buckets at a time; those of one bucket come in the order of the file."""
        for first, last in _groups(self._sizes()):
            yield self._read(first, last)

    def beside(self, other: Buckets) -> Iterator[tuple[Records, Records]]:
        """Yield the rows of both, the same buckets of each at a time."""
        for first, last in _groups(np.maximum(self._sizes(), other._sizes())):
            yield self._read(first, last), other._read(first, last)

    def counted(self) -> Buckets:
        """Return the different rows of each segment, named by their cells; COUNT says how many there are of each."""
        made = Buckets()
        for records in self.segments():
            names, counts = summed(records[ROW], np.ones(records.shape[1], dtype=np.uint64))
            nothing = np.zeros((2, len(counts)), dtype=np.uint64)
            made._write(np.concatenate([names, counts.reshape(1, -1), nothing]))
        return made

    def segments(self) -> Iterator[Records]:
        """Yield all rows as they were taken in, those of each time sorted by bucket."""
        for begin, starts in self._segments:
            yield self._records(begin, int(starts[-1]))

    def _sizes(self) -> Rows:
        total = np.zeros(_COUNT, dtype=np.int64)
        for _, starts in self._segments:
            total += np.diff(starts)
        return total

    def _read(self, first: int, last: int) -> Records:
        parts = [
            self._records(begin + int(starts[first]) * _FIELDS * 8, int(starts[last] - starts[first]))
            for begin, starts in self._segments
        ]
        return np.concatenate([np.empty((_FIELDS, 0), dtype=np.uint64), *parts], axis=1)

    def _records(self, begin: int, rows: int) -> Records:
        data = self._scratch.read_at(begin, rows * _FIELDS * 8)
        read: Any = np.frombuffer(data, dtype=np.uint64).reshape(rows, _FIELDS)
        return np.array(read.T, order="C")


def summed(names: Lanes, counts: U64) -> tuple[Lanes, U64]:
    """Return each name once, in order, with the sum of its counts."""
    if not len(counts):
        return names, counts
    order = np.lexsort((names[1], names[0]))
    ordered = names[:, order]
    fresh = np.ones(len(order), dtype=bool)
    np.any(ordered[:, 1:] != ordered[:, :-1], axis=0, out=fresh[1:])
    begins = np.flatnonzero(fresh)
    return ordered[:, begins], np.add.reduceat(counts[order], begins)


def _groups(sizes: Rows) -> Iterator[tuple[int, int]]:
    """Yield ranges of buckets that have some rows each."""
    first, total = 0, 0
    for bucket, size in enumerate(sizes.tolist()):
        if total and total + size > _TOGETHER:
            yield first, bucket
            first, total = bucket, 0
        total += size
    yield first, len(sizes)
