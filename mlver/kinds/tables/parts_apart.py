"""The rows that two versions of a partitioned table do not share, found part by part by others.

Parts at the same path are compared with each other, and rows that are equal in both are dropped there: what comes back
is small, and is joined and compared as whole tables are. Rows that moved from part to part meet in that second step.

The answer is that of the whole tables. With a key that holds, because a row that was dropped has the only copy of its
key on either side; whether keys repeat is checked over all parts. Without one rows are counted, and for each row of
which some part has more copies than its twin, all copies are fetched from all parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa

from mlver.kinds.base import NoRoom, Spec, Unreadable, Value
from mlver.kinds.folder import Ask, FolderSource, Part, PartTask
from mlver.kinds.tables.apart import ReadWhole
from mlver.kinds.tables.arrays import empty
from mlver.kinds.tables.keying import repeats
from mlver.kinds.tables.mixing import U64, distinct
from mlver.kinds.tables.part_tasks import (
    COLUMN,
    NAMES,
    ROWS,
    SCHEMA,
    from_stream,
    from_words,
    opened,
    to_schema,
    to_words,
)  # fmt: skip
from mlver.kinds.tables.partitions import FolderTable, clashing, joined, path_types
from mlver.kinds.tables.weight import COPIES
from mlver.kinds.tables.whole import ByColumn

_NONE: Final[U64] = np.empty(0, dtype=np.uint64)
Twins = tuple[Part | None, Part | None]


class _Put(Protocol):
    """Asks one thing of many pairs of parts."""

    def __call__(self, what: str, pairs: Sequence[Twins], **words: Value) -> Sequence[bytes]: ...


class ApartFolder(FolderTable):
    """The rows of a folder's parts that the other version has not alike; `whole` has all of them."""

    def __init__(self, table: Any, key: tuple[str, ...], read: int, same: int, whole: WholeParts) -> None:
        super().__init__(table, key, read, same)
        self._whole_table = whole

    @property
    def whole(self) -> WholeParts:
        """All rows of the parts that were read, column by column when asked for."""
        return self._whole_table


def parts_apart(
    old: FolderSource, new: FolderSource, specs: tuple[Spec, Spec], ask: Ask, room: int | None = None
) -> tuple[ApartFolder, ApartFolder]:
    """Return the rows of two folders that differ; ReadWhole when that takes the whole tables.

    NoRoom when these rows, and what names all others, take more than `room` bytes.
    """
    pairs = pairs_of(old, new)
    if specs[0].key != specs[1].key or not any(None not in pair for pair in pairs):
        raise ReadWhole

    sides = tuple(_Side(folder, number, specs, ask) for number, folder in enumerate((old, new)))

    def put(what: str, pairs: Sequence[Twins], **words: Value) -> Sequence[bytes]:
        tasks = [
            PartTask(
                what, pair[0], pair[1], specs, {"sides": [s.told(p) for s, p in zip(sides, pair, strict=True)], **words}
            )
            for pair in pairs
        ]
        return ask(tasks)

    found = [_Found(data, sides) for data in put(ROWS, pairs, names=b"")]
    if room is not None and COPIES * sum(one.heavy for one in found) > room:
        raise NoRoom
    if specs[1].key:
        _refuse_repeats(pairs, found, put)
    else:
        found = _with_copies(pairs, found, sides, put)
    made = []
    for number, side in enumerate(sides):
        rows = {pair[number].path: one for pair, one in zip(pairs, found, strict=True) if pair[number]}  # type: ignore[union-attr]
        apart = [rows[part.path].tables[number] for part in side.folder.parts]
        table = pa.concat_tables([empty(side.schema), *apart]).combine_chunks()
        whole = WholeParts(side, {path: one.rows[number] for path, one in rows.items()}, put, room)
        made.append(ApartFolder(table, specs[1].key, len(side.folder.parts), len(side.folder.same), whole))
    return made[0], made[1]


def pairs_of(old: FolderSource, new: FolderSource) -> list[Twins]:
    """Return the parts of both sides, those at one path together."""
    before, after = ({part.path: part for part in side.parts} for side in (old, new))
    return [(before.get(path), after.get(path)) for path in sorted(before.keys() | after.keys())]


class _Side:
    """One version of the folder: the schemas of its parts, and that of all together."""

    def __init__(self, folder: FolderSource, number: int, specs: tuple[Spec, Spec], ask: Ask) -> None:
        self.folder, self.number = folder, number
        self._kinds = path_types([*folder.parts, *folder.same])
        parts = [*folder.parts, *folder.same[:1]]
        words = {"sides": [{"kinds": self._kinds}] * 2}
        alone: list[Twins] = [(part, None) if number == 0 else (None, part) for part in parts]
        tasks = [PartTask(SCHEMA, a, b, specs, words) for a, b in alone]
        self._schemas = dict(zip((part.path for part in parts), ask(tasks), strict=True))
        none = [empty(to_schema(data)) for data in self._schemas.values()]
        if not none:
            raise ReadWhole
        self._clash = sorted(clashing(none))
        self.schema = joined(none).schema
        self._joined = self.schema.serialize().to_pybytes()

    def told(self, part: Part | None) -> Mapping[str, Value]:
        """Return what a worker has to know to read a part as one of this folder."""
        schemas = {part.path: self._schemas[part.path]} if part else {}
        return {"kinds": self._kinds, "joined": self._joined, "clash": self._clash, "schemas": schemas}


class _Found:
    """The answer to ROWS: tables of the rows apart, how many there are, and what names them."""

    def __init__(self, data: bytes, sides: Sequence[_Side]) -> None:
        said, members = opened(data, 5)
        self.tables = [from_stream(member, side.schema) for member, side in zip(members, sides, strict=False)]
        self.words = [from_words(member) for member in members[2:4]]
        self.apart = from_words(members[4])
        self.heavy = sum(map(len, members))
        self.rows: list[int] = said.get("rows", [])
        self.ranges: list[list[int] | None] = said.get("ranges", [])
        if len(self.rows) != 2 or len(self.ranges) != 2 or not all(type(n) is int and n >= 0 for n in self.rows):
            raise ReadWhole


def _refuse_repeats(pairs: Sequence[Twins], found: Sequence[_Found], put: _Put) -> None:
    """Raise ReadWhole when two rows of one side may have the same key: that is said better of the whole."""
    if None not in (ends for one in found for ends in one.ranges):
        if not any(_overlap([one.ranges[number] for one in found]) for number in (0, 1)):
            return
        words = [[from_words(member) for member in opened(data, 2)[1]] for data in put(NAMES, pairs)]
    else:
        words = [one.words for one in found]
    for number in (0, 1):
        lane = np.concatenate([_NONE, *(two[number] for two in words)])
        if len(lane) != sum(one.rows[number] for one in found) or repeats(lane):
            raise ReadWhole


def _overlap(ranges: Sequence[list[int] | None]) -> bool:
    """Whether two of the ranges [lowest, highest] have a number in common; [] has none."""
    return any(first[1] >= second[0] for first, second in pairwise(sorted(ends for ends in ranges if ends)))


def _with_copies(pairs: Sequence[Twins], found: list[_Found], sides: Sequence[_Side], put: _Put) -> list[_Found]:
    """Return the answers with all copies of each row that is apart anywhere, wherever they lie."""
    apart = distinct(np.concatenate([_NONE, *(one.apart for one in found)]))
    # where one version alone has a part, all its rows came already
    asked = [n for n, one in enumerate(found) if None not in pairs[n] and len(one.apart) < len(apart)]
    if asked:
        again = put(ROWS, [pairs[n] for n in asked], names=to_words(apart))
        for number, data in zip(asked, again, strict=True):
            found[number] = _Found(data, sides)
    return found


class WholeParts(ByColumn):
    """All rows of the parts that were read."""

    def __init__(self, side: _Side, rows: Mapping[str, int], put: _Put, room: int | None) -> None:
        super().__init__(side.schema, sum(rows.values()), room)
        self._side, self._rows = side, rows
        self._ask = partial(put, COLUMN)

    def _read(self, name: str) -> Any:
        schema = pa.schema([self.schema.field(name)])
        parts = self._side.folder.parts
        pairs: list[Twins] = [(part, None) if self._side.number == 0 else (None, part) for part in parts]
        try:
            found = [from_stream(data, schema) for data in self._ask(pairs, column=name, rows=self._rows)]
        except ReadWhole:
            raise Unreadable("a part changed while it was read") from None
        return pa.concat_tables([empty(schema), *found]).combine_chunks().column(0)
