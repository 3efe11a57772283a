"""Two versions of a table side by side: rows matched, columns matched, cells that differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mlver.frozen import frozen
from mlver.kinds.base import Delta
from mlver.kinds.tables.align import Alignment
from mlver.kinds.tables.arrays import positions
from mlver.kinds.tables.keypaths import both_leaves
from mlver.kinds.tables.lenient import cells_differ, readable_as
from mlver.kinds.tables.mixing import Mask, Rows
from mlver.kinds.tables.values import type_name

_SCHEMA: Final = {"removed": 0, "added": 1, "type": 2}


@frozen
class SchemaChange:
    """One column that came, went or changed type; `old` and `new` are type names."""

    column: str
    change: str
    old: str | None
    new: str | None


@frozen
class Pair:
    """What is known of two versions of one table.

    `key` names the columns rows were matched by, () means whole rows were counted. `common` are
    the columns both have. `readings` says per column as what its text side was read (lenient.py).
    `changed_old[i]` and `changed_new[i]` are the positions of one changed row. `old` and `new` may lack rows that
    are the same on both sides; `wholes` have them all.
    """

    old: Any
    new: Any
    wholes: tuple[Any, Any]
    key: tuple[str, ...]
    common: tuple[str, ...]
    readings: Mapping[str, str]
    alignment: Alignment
    changed_old: Rows
    changed_new: Rows

    @cached_property
    def schema(self) -> tuple[SchemaChange, ...]:
        """Return the columns, and fields of structs, that are not as they were: gone, then new, then other types."""
        return tuple(sorted(_type_changes(self.old.schema, self.new.schema, ""), key=lambda c: _SCHEMA[c.change]))

    @cached_property
    def cells(self) -> dict[str, Mask]:
        """Return for each column with changed cells which of the changed rows it differs in."""
        if not len(self.changed_new):
            return {}
        found = {}
        for name in self.common:
            if name in self.key:
                continue
            before = self.old.column(name).take(positions(self.changed_old))
            after = self.new.column(name).take(positions(self.changed_new))
            differs = cells_differ(before, after, name, self.readings.get(name))
            if differs.any():
                found[name] = differs
        return found

    @cached_property
    def named_cells(self) -> dict[str, Mask]:
        """Return `cells` with a column of objects replaced by the key paths that differ (`attrs.color`).

        A cell whose text differs and whose keys do not stays under the name of its column.
        """
        found: dict[str, Mask] = {}
        for name, mask in self.cells.items():
            rows = self.changed_old[mask], self.changed_new[mask]
            columns = tuple(t.column(name).take(positions(r)) for t, r in zip((self.old, self.new), rows, strict=True))
            inside = both_leaves((columns[0], columns[1]), name)
            left = np.ones(int(mask.sum()), dtype=bool)
            for path, sides in inside.items():
                differs = cells_differ(*sides, path, readable_as(sides[0].type, sides[1].type))
                if differs.any():
                    found[path] = np.zeros(len(mask), dtype=bool)
                    found[path][mask] = differs
                    left &= ~differs
            if left.any():
                found[name] = np.zeros(len(mask), dtype=bool)
                found[name][mask] = left
        return found


def _type_changes(old: Any, new: Any, prefix: str) -> Iterator[SchemaChange]:
    """Yield what differs between two schemas or struct types; a field of a struct is named by its path."""
    before, after = ({field.name: field.type for field in side} for side in (old, new))
    for name in {**before, **after}:
        path, a, b = prefix + name, before.get(name), after.get(name)
        if a is None or b is None:
            kinds = (None if a is None else type_name(a), None if b is None else type_name(b))
            yield SchemaChange(path, "added" if a is None else "removed", *kinds)
        elif type_name(a) != type_name(b):
            if pa.types.is_struct(a) and pa.types.is_struct(b):
                yield from _type_changes(a, b, f"{path}.")
            else:
                yield SchemaChange(path, "type", type_name(a), type_name(b))


@frozen
class TableDelta(Delta):
    """A Delta of two tables that remembers what it was made from."""

    pair: Pair | None = field(default=None, compare=False, repr=False)
