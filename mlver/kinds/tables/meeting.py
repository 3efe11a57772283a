"""Which rows of two tables that carry one name hold other cells, told over stretches in the same order on both sides.

Cells of fixed width are compared as the words they are stored in, texts out of a dictionary by number. Words that are
the same are the same value; those that are not (NaN has many, 0.0 has two) are asked again by digest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mlver.kinds.tables.arrays import bits, missing, positions, present, same_bytes
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.lenient import cells_differ, readable_as
from mlver.kinds.tables.mixing import Mask, Rows
from mlver.kinds.tables.values import decoded, family, logical

_RUNS: Final = 64  # in a piece: so many stretches are compared one by one, more are gathered first
_TABLES: Final = 4  # small ones are joined when there are more
_WORDS: Final = 1 << 18  # different texts that are numbered before it begins anew

Words = npt.NDArray[Any]
Cells = tuple[Words, Mask | None]  # as stored, and where there is a value (None: everywhere)
Span = tuple[int, int, int, int, int]  # chunk and first row in it, of old and new; rows


class Pool:
    """Rows of one side, as tables in one piece each that follow each other. What was made of their cells is kept."""

    def __init__(self, tables: Sequence[Any] = ()) -> None:
        self.tables = [table for table in tables if table.num_rows]
        self.starts = [0, *accumulate(table.num_rows for table in self.tables)]
        self._cells: list[dict[str, tuple[object, Cells | None]]] = [{} for _ in self.tables]

    def with_table(self, table: Any) -> Pool:
        """Return these rows and those of one table more."""
        pool = Pool([*self.tables, table])
        pool._cells[: len(self._cells)] = self._cells
        return pool

    def arrays(self, name: str) -> list[Any]:
        """Return a column of each table."""
        return [table.column(name).chunk(0) for table in self.tables]

    def cells(self, name: str, numbers: Numbers | None) -> list[Cells | None]:
        """Return a column as words, table by table; None for one that has none."""
        found = []
        for known, table in zip(self._cells, self.tables, strict=True):
            by = numbers.round if numbers else None
            if name not in known or known[name][0] is not by:
                known[name] = by, _cells(table.column(name).chunk(0), numbers)
            found.append(known[name][1])
        return found

    def take(self, rows: Rows) -> list[Any]:
        """Return tables of these rows, which rise; what is left of a table does not hold the rest in memory."""
        found = []
        cuts = np.searchsorted(rows, self.starts)
        for table, start, (begin, end) in zip(self.tables, self.starts, pairwise(cuts), strict=False):
            if end - begin == table.num_rows:
                found.append(table)
            elif end > begin:
                found.append(table.take(positions(rows[begin:end] - start)).combine_chunks())
        return found if len(found) <= _TABLES else [joined(found)]

    def gathered(self, name: str, rows: Rows) -> Any:
        """Return the cells of a column in these rows, in their order, without a dictionary."""
        if len(self.tables) == 1:
            return decoded(self.arrays(name)[0].take(positions(rows)))
        column = pa.chunked_array([decoded(array) for array in self.arrays(name)])
        return one_piece(column.take(positions(rows)))


def joined(tables: Sequence[Any]) -> Any:
    """Return the rows of several tables in one piece, without the dictionaries that texts may have come with."""
    return pa.concat_tables([without_dictionaries(table) for table in tables]).combine_chunks()


def without_dictionaries(table: Any) -> Any:
    """Return a table with plain texts where they came by number."""
    columns = [pa.chunked_array([decoded(chunk) for chunk in c.chunks], logical(c.type)) for c in table.columns]
    return pa.table(columns, names=table.column_names)


class Numbers:
    """Numbers for the texts of one column, the same for the same text in all dictionaries of both sides."""

    def __init__(self) -> None:
        self.round: object = object()  # numbers of one round alone compare
        self._words: Any = None
        self._known: list[tuple[Any, Words]] = []  # the dictionaries met last, and their numbers

    def renew(self) -> None:
        """Begin anew when there are too many; only between two comparisons."""
        if self._words is not None and len(self._words) > _WORDS:
            self._words, self._known, self.round = None, [], object()

    def of(self, dictionary: Any) -> Words:
        """Return the number of each text of a dictionary without nulls."""
        for known, found in self._known:
            if same_bytes(known, dictionary):
                return found
        if not len(dictionary):
            return np.zeros(0, dtype=np.int32)
        return self._learn(dictionary)

    def _learn(self, dictionary: Any) -> Words:
        if self._words is None:
            self._words = pc.unique(dictionary)
        found = pc.index_in(dictionary, value_set=self._words)
        if found.null_count:
            new = pc.unique(dictionary.filter(found.is_null()))
            self._words = pa.concat_arrays([self._words, new])
            found = pc.index_in(dictionary, value_set=self._words)
        numbers: Words = np.frombuffer(found.buffers()[1], np.int32, found.offset + len(found))[found.offset :]
        self._known = [*self._known[-3:], (dictionary, numbers)]
        return numbers


class Meeting:
    """How rows of two tables are compared: over the columns both have, but those of the key."""

    def __init__(self, old: Any, new: Any, key: Sequence[str]) -> None:
        self._alike: dict[str, Numbers | None] = {}  # columns of one plain type
        self._others: dict[str, str | None] = {}  # columns compared by digest, and how their texts are read
        for name in old.names:
            if name in key or name not in new.names:
                continue
            kinds = old.field(name).type, new.field(name).type
            text = family(kinds[0]) == "text"
            if kinds[0] == kinds[1] and (
                text or not (pa.types.is_nested(kinds[0]) or pa.types.is_dictionary(kinds[0]))
            ):
                self._alike[name] = Numbers() if text else None
            else:
                self._others[name] = readable_as(*kinds)

    def differs(self, old: Pool, new: Pool, mine: Rows, theirs: Rows) -> Mask:
        """Return which of the rows `mine` of old and `theirs` of new, that carry one name, hold other cells."""
        found = np.zeros(len(mine), dtype=bool)
        if not len(mine):
            return found
        spans = _spans(mine, theirs, old.starts, new.starts)
        for name, numbers in self._alike.items():
            differs = _unequal(old, new, mine, theirs, spans, name, numbers)
            unsure = np.flatnonzero(differs)
            if len(unsure):
                sides = old.gathered(name, mine[unsure]), new.gathered(name, theirs[unsure])
                differs[unsure] = cells_differ(*sides, name, None)
            found |= differs
        for name, reading in self._others.items():
            sides = old.gathered(name, mine), new.gathered(name, theirs)
            found |= cells_differ(*sides, name, reading)
        return found


def one_piece(column: Any) -> Any:
    """Return a column as one array."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.combine_chunks() if column.num_chunks else pa.nulls(0, column.type)


def _spans(mine: Rows, theirs: Rows, old: Sequence[int], new: Sequence[int]) -> list[Span] | None:
    """Return the stretches of rows that follow each other on both sides, each in one table; None for too many."""
    broken = np.flatnonzero((np.diff(mine) != 1) | (np.diff(theirs) != 1)) + 1
    if len(broken) > _RUNS:
        return None
    spans = []
    for begin, end in pairwise([0, *broken.tolist(), len(mine)]):
        while begin < end:
            first, second = int(mine[begin]), int(theirs[begin])
            a, b = bisect_right(old, first) - 1, bisect_right(new, second) - 1
            count = min(end - begin, old[a + 1] - first, new[b + 1] - second)
            spans.append((a, first - old[a], b, second - new[b], count))
            begin += count
    return spans


def _unequal(
    old: Pool, new: Pool, mine: Rows, theirs: Rows, spans: list[Span] | None, name: str, numbers: Numbers | None
) -> Mask:
    """Return where two columns of one type may differ; where they do not, they surely are the same."""
    if numbers:
        numbers.renew()
    before, after = old.cells(name, numbers), new.cells(name, numbers)
    if spans is None:
        if (picked := _picked(before, mine)) is not None and (other := _picked(after, theirs)) is not None:
            return _apart(picked, other)
        return _arrays_apart(old.gathered(name, mine), new.gathered(name, theirs))
    arrays, others = old.arrays(name), new.arrays(name)
    parts = []
    for a, first, b, second, count in spans:
        one, two = before[a], after[b]
        if one is not None and two is not None:
            parts.append(_apart(_cut(one, first, count), _cut(two, second, count)))
        else:
            cut = decoded(arrays[a].slice(first, count)), decoded(others[b].slice(second, count))
            parts.append(_arrays_apart(*cut))
    return np.concatenate(parts)


def _cut(cells: Cells, begin: int, count: int) -> Cells:
    words, there = cells
    return words[begin : begin + count], None if there is None else there[begin : begin + count]


def _picked(cells: Sequence[Cells | None], rows: Rows) -> Cells | None:
    known = [one for one in cells if one is not None]
    if len(known) < len(cells):
        return None
    words = known[0][0] if len(known) == 1 else np.concatenate([one for one, _ in known])
    if all(there is None for _, there in known):
        return words[rows], None
    there = np.concatenate([np.ones(len(one), dtype=bool) if mask is None else mask for one, mask in known])
    return words[rows], there[rows]


def _apart(a: Cells, b: Cells) -> Mask:
    differs: Mask = a[0] != b[0]
    if a[1] is not None or b[1] is not None:
        first = True if a[1] is None else a[1]
        second = True if b[1] is None else b[1]
        differs &= np.logical_and(first, second)  # what lies below a null is anything
        differs |= np.not_equal(first, second)
    return differs


def _arrays_apart(a: Any, b: Any) -> Mask:
    try:
        equal = bits(pc.equal(a, b))
    except pa.ArrowNotImplementedError:
        return np.ones(len(a), dtype=bool)
    if a.null_count and b.null_count:
        equal |= missing(a) & missing(b)
    return ~equal


def _cells(array: Any, numbers: Numbers | None) -> Cells | None:
    """Return an array as words that are the same only where values are; None when it has none."""
    there = None if not array.null_count else present(array)
    kind = array.type
    if numbers is not None:
        if not pa.types.is_dictionary(kind) or array.dictionary.null_count:
            return None
        known = numbers.of(array.dictionary)
        if not len(known):
            return np.zeros(len(array), dtype=np.int32), there
        return np.take(known, _fixed(array.indices), mode="clip"), there  # below a null the index may be any
    if pa.types.is_boolean(kind):
        return bits(array), there
    if pa.types.is_primitive(kind) and logical(kind) == kind and kind.bit_width in (8, 16, 32, 64):
        return _fixed(array), there
    return None


def _fixed(array: Any) -> Words:
    """Return the words of an array of fixed width as numpy sees them."""
    width = array.type.bit_width // 8
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(len(array), dtype=f"u{width}")
    return np.frombuffer(buffer, dtype=f"u{width}", count=array.offset + len(array))[array.offset :]
