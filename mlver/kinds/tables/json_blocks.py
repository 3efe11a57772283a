"""JSONL block by block, under the types that all records agree with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, replace
from typing import Any

import pyarrow as pa

from mlver.frozen import frozen
from mlver.kinds.base import Unreadable, Value
from mlver.kinds.tables.jsonlines import arrow, columns_of, fast, is_rounded, plain_array, refuse_no_json
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.nesting import refuse_deep_json
from mlver.kinds.tables.text_blocks import Again, CannotCut, row_blocks
from mlver.kinds.tables.text_types import EXACT, is_whole

_INT64 = -(2**63), 2**63 - 1


@frozen
class _Seen:
    """A column as Arrow reads it: its type, whether an integer is from 2**53 on, whether some number is not whole."""

    type: Any
    broad: bool = False
    fraction: bool = False

    def final(self) -> Any:
        """Return the type it has in the end."""
        return pa.int64() if pa.types.is_floating(self.type) and not self.fraction else self.type


@frozen
class _Spelled:
    """A column as Python reads it: what sorts of values there are, and what is said of its integers."""

    kinds: frozenset[type] = field(default_factory=frozenset)
    broad: bool = False
    fraction: bool = False

    def final(self) -> Any:
        """Return its type; text holds sorts that have none in common."""
        if self.kinds <= {int, float} and float in self.kinds and not self.broad:
            return pa.float64() if self.fraction else pa.int64()
        if len(self.kinds) > 1:
            return pa.large_string()
        known = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
        return next((known[kind] for kind in self.kinds), pa.null())


class JsonBlocks:
    """What is known of the columns grows with each block: as Arrow reads them, or else all of them as Python does."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._spelled: dict[str, _Spelled] | None = None

    def tables(self, stream: Any) -> Iterator[Any]:
        """Yield the rows of each block under the types known by then; Unreadable as for `read_json`.

        CannotCut for records that have to be read whole; Again when the tables so far are to be forgotten.
        """
        lines = begin = 0
        for number, block in enumerate(row_blocks(stream, None)):
            if number == 0 and refuse_no_json(block) == b"[":
                raise CannotCut
            refuse_deep_json(memoryview(block))
            yield self._plain(block, lines, begin) if self._spelled is not None else self._fast(block)
            lines, begin = lines + block.count(b"\n"), begin + len(block)
        if not self._seen and not self._spelled:
            raise Unreadable("no columns" if begin else "empty file")

    def _fast(self, block: bytes) -> Any:
        """Return a block as Arrow reads it; Again when that cannot hold all records."""
        raw = memoryview(block)
        table = arrow(raw, self._schema()) if self._seen else None
        if table is None or table.schema != self._schema():
            table = fast(raw)
            if table is None or not self._join(table):
                self._spelled = {}
                raise Again
            table = arrow(raw, self._schema())
        if table is None:
            raise CannotCut
        for name, seen in self._seen.items():
            self._seen[name] = _looked_at(seen, table.column(name))
        if any(seen.broad and pa.types.is_floating(seen.type) for seen in self._seen.values()):
            self._spelled = {}
            raise Again
        return pa.table({name: table.column(name).cast(seen.final()) for name, seen in self._seen.items()})

    def _schema(self) -> Any:
        return pa.schema([(name, seen.type) for name, seen in self._seen.items()])

    def _join(self, table: Any) -> bool:
        """Take in the types of a block; False when a column has none that holds them all."""
        known = self._schema()
        try:
            joined = pa.unify_schemas([known, table.schema], promote_options="permissive")
        except pa.ArrowException:
            return False
        before = {**{f.name: f.type for f in table.schema}, **{f.name: f.type for f in known}}
        if not all(_grew(before[f.name], f.type) and _grew(_own(table, f), f.type) for f in joined):
            return False
        self._seen = {f.name: replace(self._seen.get(f.name, _Seen(f.type)), type=f.type) for f in joined}
        return True

    def _plain(self, block: bytes, lines: int, begin: int) -> Any:
        """Return a block as Python reads it."""
        assert self._spelled is not None
        columns, count = columns_of(block, lines, begin)
        for name, values in columns.items():
            self._spelled[name] = _spelled(values, self._spelled.get(name, _Spelled()))
        return pa.table(
            {
                name: plain_array(columns.get(name, [None] * count), spelled.final())
                for name, spelled in self._spelled.items()
            }
        )


def _own(table: Any, joined: Any) -> Any:
    return table.schema.field(joined.name).type if joined.name in table.column_names else joined.type


def _grew(kind: Any, joined: Any) -> bool:
    """Whether Arrow's reader of JSON takes `joined`, too, for a column it takes for `kind`."""
    if kind == joined or pa.types.is_null(kind):
        return True
    if pa.types.is_list(kind) and pa.types.is_list(joined):
        return _grew(kind.value_type, joined.value_type)
    if pa.types.is_struct(kind) and pa.types.is_struct(joined):
        return all(_grew(inner.type, joined.field(inner.name).type) for inner in kind)
    return bool(pa.types.is_int64(kind) and pa.types.is_float64(joined))


def _looked_at(seen: _Seen, column: Any) -> _Seen:
    if pa.types.is_floating(column.type):
        return replace(seen, broad=seen.broad or is_rounded(column), fraction=seen.fraction or not is_whole(column))
    if pa.types.is_integer(column.type):
        ends = pc.min_max(column)
        return replace(seen, broad=seen.broad or max(-(ends["min"].as_py() or 0), ends["max"].as_py() or 0) >= EXACT)
    return seen


def _spelled(values: list[Value], known: _Spelled) -> _Spelled:
    kinds = frozenset(type(value) for value in values if value is not None)
    if kinds & {list, dict}:
        raise CannotCut  # the types inside are those of all records
    whole = [value for value in values if type(value) is int]
    low, high = min(whole, default=0), max(whole, default=0)
    if low < _INT64[0] or high > _INT64[1]:
        raise CannotCut
    fraction = any(isinstance(value, float) and not _is_whole(value) for value in values)
    return _Spelled(kinds | known.kinds, known.broad or max(-low, high) >= EXACT, known.fraction or fraction)


def _is_whole(value: float) -> bool:
    return value.is_integer() and abs(value) < EXACT
