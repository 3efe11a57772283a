"""The units of a table: its rows and the columns of its schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final
from weakref import proxy

import numpy as np

from mlver.kinds.base import MISSING, Delta, Units, Unreadable, Value, same
from mlver.kinds.tables.align import align
from mlver.kinds.tables.arrays import positions
from mlver.kinds.tables.digest import column_digests, row_digests
from mlver.kinds.tables.keying import Keying, KeyTexts, RowKeying, by_columns, found_key
from mlver.kinds.tables.lenient import digests_as, lenient_digests, shared
from mlver.kinds.tables.mixing import Lanes
from mlver.kinds.tables.pair import Pair, TableDelta
from mlver.kinds.tables.values import logical, plain, type_name

COLUMN: Final = "columns."
_REMEMBERED = 2


class TableUnits(Units):
    """Rows by key and columns as `columns.<name>`; a row is a dict, a column the name of its type."""

    def __init__(self, table: Any, key: tuple[str, ...] = (), *, guess: bool = True) -> None:
        """Raise Unreadable when the named key columns do not tell the rows apart.

        Without a key, `guess` lets the first column name the rows if it can.
        """
        super().__init__(_Items(self))
        self.table = table
        self._keying: Keying | None = by_columns(table, key) if key else found_key(table) if guess else None
        self._agreed: list[Keying] = []  # other names of rows that a delta has handed out
        self.schema = {COLUMN + field.name: type_name(field.type) for field in table.schema}

    def __len__(self) -> int:
        return int(self.table.num_rows) + len(self.schema)

    @property
    def whole(self) -> Any:
        """The table with all of its rows, whichever of them these units are about."""
        return self.table

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that name a row; () when rows are counted as wholes."""
        return self._keying.columns if self._keying else ()

    @cached_property
    def rows(self) -> Lanes:
        """The digest of every row."""
        return row_digests(self.table)

    @property
    def keying(self) -> Keying:
        """What names the rows of this table on its own."""
        if self._keying is None:
            self._keying = self._by_rows(self.rows)
        return self._keying

    def keys(self) -> Iterator[str]:
        """The columns, then the rows, in the order of the file."""
        return iter(KeyTexts(self.keying, np.arange(self.table.num_rows), tuple(self.schema)))

    def get(self, key: str) -> Value:
        """A row as a dict of plain values, a column's type as text, or MISSING."""
        if key in self.schema:
            return self.schema[key]
        place = self._place(key)
        return MISSING if place is None else self.row(place)

    def get_all(self, keys: Sequence[str]) -> list[Value]:
        """Rows and columns by key, all rows taken out of the table at once."""
        places = {key: row for key in keys if key not in self.schema and (row := self._place(key)) is not None}
        taken = self.table.take(positions(np.array(list(places.values()), dtype=np.int64)))
        columns = [plain(column) for column in taken.columns]
        names: list[str] = self.table.column_names
        rows = {key: dict(zip(names, cells, strict=True)) for key, *cells in zip(places, *columns, strict=True)}
        return [self.schema.get(key, rows.get(key, MISSING)) for key in keys]

    def _place(self, key: str) -> int | None:
        """The row of that name, under the names that were handed out last, None when there is none."""
        found = (keying.row(key) for keying in (*self._agreed, self.keying))
        return next((row for row in found if row is not None), None)

    def row(self, position: int) -> dict[str, Value]:
        """Return one row by its position in the file."""
        one = self.table.slice(position, 1)
        return {name: plain(one.column(number))[0] for number, name in enumerate(self.table.column_names)}

    def delta(self, other: Units) -> Delta:
        """What changes on the way to `other`: a TableDelta when it is a table too.

        Columns that only one side has are reported as such, and rows are compared without them.
        """
        if not isinstance(other, TableUnits):
            return super().delta(other)
        pair, mine, theirs = self.against(other)
        before, after = self.schema, other.schema
        removed = [name for name in before if name not in after]
        added = [name for name in after if name not in before]
        changed = [name for name, kind in after.items() if name in before and before[name] != kind]
        return TableDelta(
            added=KeyTexts(theirs, pair.alignment.added, added),
            removed=KeyTexts(mine, pair.alignment.removed, removed),
            changed=KeyTexts(theirs, pair.changed_new, changed, twin=(mine, pair.changed_old)),
            pair=pair,
        )

    def names_hold(self, other: Units) -> bool:
        """Whether both tables name rows by the same columns of the same types, or by all of the same columns."""
        if not isinstance(other, TableUnits) or self.key != other.key:
            return False
        names = self.key or tuple(self.table.column_names)
        if not self.key and set(names) != set(other.table.column_names):
            return False
        sides = (self.table.schema, other.table.schema)
        return all(len({str(logical(schema.field(name).type)) for schema in sides}) == 1 for name in names)

    def values_hold(self, other: Units) -> bool:
        """Whether both tables have the same columns of the same types: rows are compared by those both have."""
        return isinstance(other, TableUnits) and self.schema == other.schema and self.names_hold(other)

    def agrees(self, key: str, other: Units) -> bool:
        """Whether a row is the same on both sides, in the columns that both have."""
        mine, theirs = self.get(key), other.get(key)
        if not (isinstance(mine, dict) and isinstance(theirs, dict)):
            return super().agrees(key, other)
        return all(same(mine[name], theirs[name]) for name in mine.keys() & theirs.keys())

    def combine(self, key: str, ours: Units, theirs: Units) -> Value:
        """A column whose type changed on both sides is of the type that theirs has; text says what it holds."""
        return (
            theirs.get(key) if key.startswith(COLUMN) and MISSING not in (ours.get(key), theirs.get(key)) else MISSING
        )

    def doubt(self, mine: Delta, theirs: Delta) -> str | None:
        """Rows without a key cannot be followed: when both sides took one away, it may have been changed twice."""
        if self.key and all(
            isinstance(delta, TableDelta) and delta.pair and delta.pair.key for delta in (mine, theirs)
        ):
            return None
        both = set(mine.removed) & set(theirs.removed)
        if both and mine.added and theirs.added:
            return "both sides changed the same row, and no key says what it became; name one in mlver.toml"
        return None

    def against(self, other: TableUnits) -> tuple[Pair, Keying, Keying]:
        """Return both tables side by side, and what names the rows of each."""
        common, readings = shared(self.table.schema, other.table.schema)
        mine, others = self._rows_for(common, readings), other._rows_for(common, readings)
        old_names, new_names = self._agree(other, readings, lambda: (self._whole(mine), other._whole(others)))
        alignment = align(old_names.digests, new_names.digests)
        differs = (mine[:, alignment.old] != others[:, alignment.new]).any(axis=0)
        pair = Pair(
            self.table, other.table, (self.whole, other.whole), new_names.columns, common, readings,
            alignment, alignment.old[differs], alignment.new[differs],
        )  # fmt: skip
        return pair, old_names, new_names

    def _rows_for(self, common: tuple[str, ...], readings: Mapping[str, str]) -> Lanes:
        """Return row digests over the common columns: a row is a sum of cells, so the rest is taken away."""
        kept, rows = set(common), self.rows
        for name in self.table.column_names:
            if name not in kept:
                rows = rows - column_digests(self.table.column(name), name)
            elif name in readings:
                column = self.table.column(name)
                rows = rows - column_digests(column, name) + lenient_digests(column, name, readings[name])
        return rows

    def _agree(
        self, other: TableUnits, readings: Mapping[str, str], whole: Callable[[], tuple[Keying, Keying]]
    ) -> tuple[Keying, Keying]:
        """Return names for the rows of both sides that mean the same: one key for both, else whole rows."""
        for columns in self._candidates(other):
            if not columns:
                continue
            try:
                return self._named_by(columns, readings), other._named_by(columns, readings)
            except Unreadable:
                continue
        names = whole()
        self._remember(names[0])
        other._remember(names[1])
        return names

    def _candidates(self, other: TableUnits) -> Iterable[tuple[str, ...]]:
        """Return the columns that may name rows on both sides, in the order in which they are tried."""
        return dict.fromkeys((other.key, self.key))

    def _whole(self, rows: Lanes) -> Keying:
        return self.keying if rows is self.rows and not self.key else self._by_rows(rows)

    def _by_rows(self, rows: Lanes) -> RowKeying:
        """Return what names rows of these digests as wholes."""
        return RowKeying(rows)

    def _remember(self, names: Keying) -> None:
        self._agreed = [names, *self._agreed[: _REMEMBERED - 1]]

    def _named_by(self, columns: tuple[str, ...], readings: Mapping[str, str]) -> Keying:
        read = {name: readings[name] for name in columns if name in readings}
        if self._keying is not None and columns == self.key and not read:
            return self._keying

        keying = by_columns(self.table, columns, lambda table: digests_as(table, table.column_names, read))
        self._remember(keying)
        return keying


class _Items(Mapping[str, Value]):
    """The units as a mapping, for code that walks any kind's units alike."""

    def __init__(self, units: TableUnits) -> None:
        self._units: TableUnits = proxy(units)  # which owns these: files would stay open in a ring

    def __len__(self) -> int:
        return len(self._units)

    def __iter__(self) -> Iterator[str]:
        return self._units.keys()

    def __getitem__(self, key: str) -> Value:
        value = self._units.get(key)
        if value is MISSING:
            raise KeyError(key)
        return value
