"""What names a row: its key columns, or, without a key, the row itself with multiplicity."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias, overload

import numpy as np
import pyarrow as pa

from mlver.kinds.base import Unreadable
from mlver.kinds.tables.arrays import positions, texts
from mlver.kinds.tables.digest import row_digests
from mlver.kinds.tables.mixing import U64, Lanes, Rows
from mlver.kinds.tables.values import family, key_texts, logical

_PAGE = 1 << 12
_KEPT = 1 << 16  # unit keys whose rows are remembered
_SCANS = 32  # look-ups before sorting pays
_SIDES: Final[tuple[Literal["left"], Literal["right"]]] = ("left", "right")
_ROW_KEY: Final = re.compile(r"([0-9a-f]{16})(?:#([1-9]\d{0,17}))?")

Digest: TypeAlias = Callable[[Any], Lanes]  # of a table that has the key columns


class Keying:
    """Names for the rows of one table. `digests` are unique per row, and equal where names are."""

    def __init__(self, columns: tuple[str, ...], digests: Lanes) -> None:
        self.columns = columns
        self.digests = digests
        self._looked = 0
        self._handed_out: dict[str, int] = {}

    def row(self, text: str) -> int | None:
        """Return the position of the row of that unit key, or None."""
        row = self._handed_out.get(text)
        return self.find(text) if row is None else row

    def remember(self, texts: Sequence[str], rows: Rows) -> None:
        """Keep where rows are whose keys were handed out: they are what is asked for next."""
        if len(self._handed_out) > _KEPT:
            self._handed_out = {}
        self._handed_out.update(zip(texts, rows.tolist(), strict=True))

    def texts(self, rows: Rows) -> list[str]:
        """Return the unit keys of these rows."""
        raise NotImplementedError

    def find(self, text: str) -> int | None:
        """Look a unit key up by its digest."""
        raise NotImplementedError

    def _rows_of(self, lane: U64, wanted: int) -> Rows:
        """Return the rows whose word in `lane` is `wanted`: a scan at first, by a sorted copy when asked often."""
        self._looked += 1
        if self._looked <= _SCANS:
            return np.flatnonzero(lane == np.uint64(wanted))
        ordered, order = self._ordered
        begin, end = (int(np.searchsorted(ordered, np.uint64(wanted), side=side)) for side in _SIDES)
        return order[begin:end]

    @cached_property
    def _ordered(self) -> tuple[U64, Rows]:
        lane = self._looked_up()
        order = np.argsort(lane, kind="stable")
        return lane[order], order

    def _looked_up(self) -> U64:
        lane: U64 = self.digests[0]
        return lane


class ColumnKeying(Keying):
    """Rows named by the value of their key columns."""

    def __init__(self, table: Any, columns: tuple[str, ...], digest: Digest) -> None:
        self._keys = table.select(list(columns))
        self._digest = digest
        super().__init__(columns, digest(self._keys))

    def texts(self, rows: Rows) -> list[str]:
        """Return the values of the key columns as text, joined by `|` when there are several."""
        taken = self._keys.take(positions(rows))
        if len(self.columns) == 1:
            return key_texts(taken.column(0))
        parts = [[_escape(text) for text in key_texts(column)] for column in taken.columns]
        return ["|".join(row) for row in zip(*parts, strict=True)]

    def find(self, text: str) -> int | None:
        """Look a unit key up by the digest of the values it spells."""
        parts = [text] if len(self.columns) == 1 else _split(text)
        if len(parts) != len(self.columns):
            return None
        try:
            types = self._keys.schema.types
            arrays = [texts([part]).cast(logical(kind)) for part, kind in zip(parts, types, strict=True)]
        except pa.ArrowException:
            return None
        wanted = self._digest(pa.table(arrays, names=list(self.columns)))
        for row in self._rows_of(self.digests[0], int(wanted[0, 0])):
            if self.digests[1, row] == wanted[1, 0] and self.texts(row.reshape(1)) == [text]:
                return int(row)
        return None


class RowKeying(Keying):
    """Rows named by their digest; the n-th of equal rows carries `#n`."""

    def __init__(self, rows: Lanes, before: Rows | None = None) -> None:
        """`before` is how many copies of each row are left out that stand before the first of them here."""
        self._rows = rows
        self._copies = _occurrences(rows) if before is None else _occurrences(rows) + before
        super().__init__((), rows + self._copies.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15))

    @property
    def lane(self) -> U64:
        """Half of each row's digest: the same for rows that are equal."""
        half: U64 = self._rows[0]
        return half

    def texts(self, rows: Rows) -> list[str]:
        """Return the digest of each row as 16 hex digits, with `#2` and so on for its copies."""
        digests, copies = self._rows[0][rows].tolist(), self._copies[rows].tolist()
        return list(map(row_text, digests, copies))

    def find(self, text: str) -> int | None:
        """Look a unit key up by the digest and number it consists of."""
        if (name := row_name(text)) is None:
            return None
        digest, copy = name
        rows = self._rows_of(self._rows[0], digest)
        return next((int(row) for row in rows if self._copies[row] == copy), None)

    def _looked_up(self) -> U64:
        return self.lane


def row_text(digest: int, copies: int) -> str:
    """Return the unit key of a row by half of its digest, before which so many have the same."""
    return f"{digest:016x}#{copies + 1}" if copies else f"{digest:016x}"


def row_name(text: str) -> tuple[int, int] | None:
    """Return half of a row's digest and how many rows before it have the same, as a unit key says; None for others."""
    match = _ROW_KEY.fullmatch(text)
    return (int(match[1], 16), int(match[2] or 1) - 1) if match else None


class KeyTexts(Sequence[str]):
    """Unit keys made when they are looked at: first `head`, then those of `rows`.

    `twin` gives the same rows in the other version, so that both are found quickly afterwards.
    """

    def __init__(
        self, keying: Keying, rows: Rows, head: Sequence[str] = (), twin: tuple[Keying, Rows] | None = None
    ) -> None:
        self._keying, self._rows, self._head, self._twin = keying, rows, tuple(head), twin

    def __len__(self) -> int:
        return len(self._head) + len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            begin, end, step = index.indices(len(self))
            if step != 1:
                return list(self)[index]
            cut = len(self._head)
            rows = slice(max(begin - cut, 0), max(end - cut, 0))
            twin = (self._twin[0], self._twin[1][rows]) if self._twin else None
            return KeyTexts(self._keying, self._rows[rows], self._head[begin:end], twin)
        index = range(len(self))[index]
        if index < len(self._head):
            return self._head[index]
        return self._page(index - len(self._head), 1)[0]

    def __iter__(self) -> Iterator[str]:
        yield from self._head
        for begin in range(0, len(self._rows), _PAGE):
            yield from self._page(begin, _PAGE)

    def _page(self, begin: int, size: int) -> list[str]:
        rows = self._rows[begin : begin + size]
        texts = self._keying.texts(rows)
        self._keying.remember(texts, rows)
        if self._twin:
            self._twin[0].remember(texts, self._twin[1][begin : begin + size])
        return texts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and not isinstance(other, str) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(list(self[:20])) + ("…" if len(self) > 20 else "")


def by_columns(table: Any, columns: tuple[str, ...], digest: Digest = row_digests) -> ColumnKeying:
    """Name the rows of `table` by `columns`; Unreadable when one is absent, has no value, or they repeat."""
    for name in columns:
        if name not in table.column_names:
            raise Unreadable(f"no key column {name}")
        if empty := table.column(name).null_count:
            raise Unreadable(f"key column {name} has no value in {empty} row{'s' if empty > 1 else ''}")
    keying = ColumnKeying(table, columns, digest)
    if (again := duplicates(keying.digests)) is not None:
        row, count, more = again
        raise repeated(columns, keying.texts(np.array([row]))[0], count, more)
    return keying


def repeated(columns: tuple[str, ...], text: str, count: int, more: int) -> Unreadable:
    """Return what is said of a key that so many rows have, and of `more` of which it is true, too."""
    others = f" and {more} more" if more else ""
    return Unreadable(f"duplicate key {'|'.join(columns)}={text} ({count} rows){others}")


def found_key(table: Any) -> ColumnKeying | None:
    """Return rows named by the first column, when its values are whole, there and different; else None."""
    if not table.num_columns:
        return None
    name, column = table.column_names[0], table.column(0)
    if column.null_count or not may_name(column.type):
        return None
    try:
        return by_columns(table, (name,))
    except Unreadable:
        return None


def may_name(kind: Any) -> bool:
    """Whether rows may be named by values of this type when nobody says by what."""
    return not pa.types.is_floating(logical(kind)) and family(kind) not in ("bool", "nested", "bytes")


def _occurrences(lanes: Lanes) -> Rows:
    """Return for each row how many rows before it have the same digest."""
    copies = np.zeros(lanes.shape[1], dtype=np.int64)
    if not repeats(lanes[0]):
        return copies
    order = np.lexsort((lanes[1], lanes[0]))  # stable: equal rows stay in file order
    ordered = lanes[:, order]
    fresh = np.concatenate([[True], (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)])
    starts = np.flatnonzero(fresh)
    copies[order] = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return copies


def duplicates(lanes: Lanes) -> tuple[int, int, int] | None:
    """Return the first row whose digest comes again, how often it is there, and how many other keys repeat."""
    copies = _occurrences(lanes)
    if not copies.any():
        return None
    second = np.flatnonzero(copies == 1)
    row = int(second[0])
    alike = (lanes == lanes[:, row : row + 1]).all(axis=0)
    return row, int(alike.sum()), len(second) - 1


def repeats(lane: U64) -> bool:
    """Whether a word is there more than once."""
    ordered = np.sort(lane)
    return bool((ordered[1:] == ordered[:-1]).any())


def first_part(text: str, columns: int) -> str | None:
    """Return what a unit key of so many columns says of the first of them, None when it is no such key."""
    parts = [text] if columns == 1 else _split(text)
    return parts[0] if len(parts) == columns else None


def _split(text: str) -> list[str]:
    return [part.replace("\\|", "|").replace("\\\\", "\\") for part in re.findall(r"(?:\\.|[^|\\])*", text)[:-1:2]]


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")
