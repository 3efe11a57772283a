"""The `data` kind: tables, by row and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import ClassVar

from mlver.kinds.base import (
    CannotEdit,
    Comparison,
    Delta,
    Kind,
    NoRoom,
    Selection,
    Source,
    Spec,
    Units,
    Value,
    short_json,
)
from mlver.kinds.folder import Ask, ByParts, FolderSource, PartTask
from mlver.kinds.recognise import score

_LINE = 160
_PLAIN = 10**18  # numbers that are written out as they are
_NUMPY = b"\x93NUMPY"
_LARGE = 1 << 20  # bytes from which two tables are compared piece by piece
_ARRAY = {"dtype", "shape", "digest"}


class DataKind(Kind, ByParts):
    """Parquet, ORC, CSV/TSV, JSONL, Arrow and Feather files: rows by key, columns by name; NumPy files by array."""

    name: ClassVar[str] = "data"
    version: ClassVar[int] = 1
    order: ClassVar[int] = 40

    def recognises(self, path: str, head: bytes) -> int:
        """Sure of table formats wherever they lie, and of CSV and JSONL that no other kind claims by name or folder."""
        return score(self.name, path, head)

    def units(self, source: Source, spec: Spec) -> Units:
        """Return the rows and columns of the table.

        Rows are named by `spec.key`, else by a first column whose values are there and different,
        else by their own digest. Options: `delimiter` and `header` (true, false) of a CSV.
        """
        if isinstance(source, FolderSource):
            from mlver.kinds.tables.partitions import read_folder

            return read_folder(source, spec)
        if _holds_arrays(source):
            from mlver.kinds.arrays.read import read_arrays

            return read_arrays(source)
        from mlver.kinds.tables.read import read_table
        from mlver.kinds.tables.units import TableUnits
        from mlver.kinds.tables.weight import refuse_too_large

        refuse_too_large(source)
        return TableUnits(read_table(source, spec.options), spec.key)

    def late_units(self, source: Source, spec: Spec) -> Units:
        """Return the units; of a large table rows are read when they are asked for."""
        if source.size < _LARGE or isinstance(source, FolderSource) or _holds_arrays(source):
            return self.units(source, spec)
        from mlver.kinds.tables import weight
        from mlver.kinds.tables.apart import ReadWhole
        from mlver.kinds.tables.pieces import can_stream

        def whole() -> Units:
            return self.units(source, spec)

        with suppress(ReadWhole):
            if weight.are_heavy((source,), weight.ROOM // 2):
                from mlver.kinds.tables.on_disk import late_on_disk

                return late_on_disk(source, spec, whole)
            if can_stream(_head(source)):
                from mlver.kinds.tables.looked_up import LookedUp

                return LookedUp(source, spec, whole)
        return whole()

    def apart(
        self, old: Source, new: Source, specs: tuple[Spec, Spec], room: int | None = None
    ) -> tuple[Units, Units] | None:
        """Return the rows that differ, of two large files, read piece by piece.

        Parquet and Arrow files with a key are read side by side. Others, and those in another order, go by way of
        temporary files, unless there is little `room`: that takes as long as reading them whole.
        """
        if max(old.size, new.size) < _LARGE or isinstance(old, FolderSource) or isinstance(new, FolderSource):
            return None
        from mlver.kinds.tables.apart import ReadWhole, units_apart
        from mlver.kinds.tables.pieces import can_stream

        if min(old.size, new.size) >= _LARGE and all(can_stream(_head(source)) for source in (old, new)):
            try:
                return units_apart(old, new, specs, room)
            except ReadWhole:
                pass
        from mlver.kinds.tables import weight

        _refuse_heavy((old, new), room)
        if room is None and weight.are_heavy((old, new), weight.ROOM):
            from mlver.kinds.tables.on_disk import apart_on_disk

            with suppress(ReadWhole):
                return apart_on_disk(old, new, specs)
        return None

    def parts_apart(
        self, old: FolderSource, new: FolderSource, specs: tuple[Spec, Spec], ask: Ask, room: int | None = None
    ) -> tuple[Units, Units] | None:
        """Return the rows that differ, found part by part by whoever answers."""
        from mlver.kinds.tables.apart import ReadWhole
        from mlver.kinds.tables.parts_apart import pairs_of, parts_apart

        for pair in pairs_of(old, new):
            _refuse_heavy([part.source for part in pair if part], room)
        try:
            return parts_apart(old, new, specs, ask, room)
        except ReadWhole:
            _refuse_heavy([part.source for side in (old, new) for part in side.parts], room)
            return None

    def answer(self, task: PartTask) -> bytes:
        """Answer one of the tasks that `parts_apart` sets."""
        from mlver.kinds.tables.part_tasks import answer

        return answer(task)

    def edit(self, source: Source, spec: Spec, changes: Mapping[str, Value], like: Units | None = None) -> bytes:
        """Return the file with rows changed by key, new ones last; CSV, TSV, JSONL, JSON and Parquet."""
        from mlver.kinds.tables.edit import edit_table

        if isinstance(source, FolderSource):
            raise CannotEdit("a folder is changed file by file")
        return edit_table(self, source, spec, changes)

    def compare(self, old: Units | None, new: Units | None, delta: Delta) -> Comparison:
        """Describe rows, cells, schema and drift (see tables/comparison.py), or arrays and how far they moved."""
        from mlver.kinds.arrays.read import ArrayUnits

        if isinstance(old, ArrayUnits) or isinstance(new, ArrayUnits):
            from mlver.kinds.arrays.compare import compare_arrays

            return compare_arrays(old, new, delta)
        from mlver.kinds.tables.comparison import compare_tables

        return compare_tables(old, new, delta)

    def text(self, key: str, value: Value) -> str:
        """Return a row as `clinic=C label=1 mean radius=13.5 …`, a column as its type.

        Names and whole numbers come before measured values: the line is cut, and a label often stands last. The cell
        that is the key stands beside the text already; the key "" says that it does not, or is no cell of `value`.
        """
        if not isinstance(value, dict):
            return short_json(value)
        if value.keys() >= _ARRAY:
            return _array_text(value)
        line = ""
        for name, cell in sorted(value.items(), key=lambda item: isinstance(item[1], float)):
            if line == "" and key and str(cell) == key:
                continue
            word = f"{name}={_cell(cell)}"
            if len(line) + len(word) >= _LINE:
                return f"{line} …" if line else short_json(word, _LINE)
            line = f"{line} {word}" if line else word
        return line

    def difference(self, old: Value, new: Value) -> tuple[Value, Value]:
        """Return the cells that differ; of an object, as a struct or in JSON, the keys inside it (`attrs.color`)."""
        before, after = super().difference(old, new)
        if not (isinstance(before, dict) and isinstance(after, dict)):
            return before, after
        from mlver.kinds.tables.keypaths import inner_changes

        return inner_changes(before, after)

    def head(self, source: Source, spec: Spec, limit: int) -> tuple[list[dict[str, Value]], bool]:
        """Return the first rows, as they stand in the file; of NumPy files the arrays."""
        if not isinstance(source, FolderSource) and _holds_arrays(source):
            return super().head(source, spec, limit)
        from mlver.kinds.tables.read import read_rows

        rows = read_rows(source, spec, limit=limit + 1)
        return rows[:limit], len(rows) > limit

    def select(
        self,
        source: Source,
        spec: Spec,
        *,
        where: str | None = None,
        columns: Sequence[str] = (),
        limit: int | None = None,
        count: bool = False,
    ) -> Selection:
        """Return rows by condition and columns, or their number, reading no more than it takes."""
        if not isinstance(source, FolderSource) and _holds_arrays(source):
            return super().select(source, spec, where=where, columns=columns, limit=limit, count=count)
        from mlver.kinds.tables.select import select

        return select(source, spec, where=where, columns=columns, limit=limit, count=count)

    def summary(self, units: Units) -> Mapping[str, Value]:
        """Return the profile: rows, columns, key, and per column counts, range, quantiles, top values."""
        from mlver.kinds.arrays.read import ArrayUnits
        from mlver.kinds.tables.profile import profile

        if isinstance(units, ArrayUnits):
            described = {name: _array_profile(units.get(name)) for name in units.keys()}  # noqa: SIM118
            return {"arrays": len(units), "profile": described}
        return profile(units)


def _refuse_heavy(sources: Sequence[Source], room: int | None) -> None:
    """Raise NoRoom when comparing these as wholes takes more than `room` bytes."""
    if room is None:
        return
    from mlver.kinds.tables.weight import are_heavy

    if are_heavy(sources, room):
        raise NoRoom


def _holds_arrays(source: Source) -> bool:
    if source.path.lower().endswith((".npy", ".npz")):
        return True
    return _head(source).startswith(_NUMPY)


def _head(source: Source) -> bytes:
    with source.open() as stream:
        return stream.read(16)


def _array_profile(value: Mapping[str, Value]) -> Mapping[str, Value]:
    return {"type": f"{value['dtype']} {'x'.join(map(str, value['shape'])) or 'scalar'}", **value}


def _array_text(value: Mapping[str, Value]) -> str:
    """Return `float64 178x13, 0.13 to 1680, mean 69.1`."""
    parts = [f"{value['dtype']} {'x'.join(map(str, value['shape'])) or 'scalar'}"]
    if "min" in value:
        parts.append(f"{_cell(value['min'])} to {_cell(value['max'])}")
    parts += [f"mean {_cell(value['mean'])}"] if "mean" in value else []
    parts += [f"{value['nulls']} null"] if value.get("nulls") else []
    return ", ".join(parts)


def _cell(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if type(value) is int and -_PLAIN < value < _PLAIN:
        return str(value)
    return short_json(value, 40)
