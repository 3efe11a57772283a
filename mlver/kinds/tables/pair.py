"""Two versions of a table side by side: rows matched, columns matched, cells that differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mlver.kinds.base import Delta
from mlver.kinds.tables.align import Alignment
from mlver.kinds.tables.arrays import positions
from mlver.kinds.tables.digest import column_digests
from mlver.kinds.tables.lenient import lenient_digests
from mlver.kinds.tables.mixing import Mask, Rows
from mlver.kinds.tables.values import type_name


@dataclass(frozen=True)
class SchemaChange:
    """One column that came, went or changed type; `old` and `new` are type names."""

    column: str
    change: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Pair:
    """What is known of two versions of one table.

    `key` names the columns rows were matched by, () means whole rows were counted. `common` are
    the columns both have. `readings` says per column as what its text side was read (lenient.py).
    `changed_old[i]` and `changed_new[i]` are the positions of one changed row.
    """

    old: Any
    new: Any
    key: tuple[str, ...]
    common: tuple[str, ...]
    readings: Mapping[str, str]
    alignment: Alignment
    changed_old: Rows
    changed_new: Rows

    @cached_property
    def schema(self) -> tuple[SchemaChange, ...]:
        """Return the columns that are not as they were: gone ones, then new ones, then other types."""
        before = {f.name: type_name(f.type) for f in self.old.schema}
        after = {f.name: type_name(f.type) for f in self.new.schema}
        gone = [SchemaChange(name, "removed", kind, None) for name, kind in before.items() if name not in after]
        come = [SchemaChange(name, "added", None, kind) for name, kind in after.items() if name not in before]
        other = [
            SchemaChange(name, "type", before[name], kind)
            for name, kind in after.items()
            if name in before and before[name] != kind
        ]
        return (*gone, *come, *other)

    @cached_property
    def cells(self) -> dict[str, Mask]:
        """Return for each column with changed cells which of the changed rows it differs in."""
        if not len(self.changed_new):
            return {}
        found = {}
        for name in self.common:
            if name in self.key:
                continue
            sides = []
            for table, rows in ((self.old, self.changed_old), (self.new, self.changed_new)):
                column = table.column(name).take(positions(rows))
                reading = self.readings.get(name)
                sides.append(lenient_digests(column, name, reading) if reading else column_digests(column, name))
            differs: Mask = np.any(sides[0] != sides[1], axis=0)
            if differs.any():
                found[name] = differs
        return found


@dataclass(frozen=True)
class TableDelta(Delta):
    """A Delta of two tables that remembers what it was made from."""

    pair: Pair | None = field(default=None, compare=False, repr=False)
