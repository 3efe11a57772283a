"""The `data` kind: tables, by row and column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from mlver.kinds.base import Comparison, Delta, Kind, Source, Spec, Units, Value, short_json
from mlver.kinds.recognise import score

_LINE = 160


class DataKind(Kind):
    """Parquet, CSV/TSV, JSONL, Arrow and Feather files: rows by key, columns by name."""

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
        from mlver.kinds.tables.read import read_table
        from mlver.kinds.tables.units import TableUnits

        return TableUnits(read_table(source, spec.options), spec.key)

    def compare(self, old: Units | None, new: Units | None, delta: Delta) -> Comparison:
        """Describe rows, cells, schema and drift (see tables/comparison.py)."""
        from mlver.kinds.tables.comparison import compare_tables

        return compare_tables(old, new, delta)

    def text(self, key: str, value: Value) -> str:
        """Return a row as `clinic=C label=1 mean radius=13.5 …`, a column as its type.

        Names and whole numbers come before measured values: the line is cut, and a label often stands last.
        """
        if not isinstance(value, dict):
            return short_json(value)
        line = ""
        for name, cell in sorted(value.items(), key=lambda item: isinstance(item[1], float)):
            if line == "" and cell == key:
                continue  # the key is shown beside the text
            word = f"{name}={_cell(cell)}"
            if len(line) + len(word) >= _LINE:
                return f"{line} …" if line else short_json(word, _LINE)
            line = f"{line} {word}" if line else word
        return line

    def head(self, source: Source, spec: Spec, limit: int) -> tuple[list[dict[str, Value]], bool]:
        """Return the first rows, as they stand in the file."""
        from mlver.kinds.tables.read import read_table
        from mlver.kinds.tables.values import plain

        table = read_table(source, spec.options)
        first = table.slice(0, limit)
        columns = [plain(column) for column in first.columns]
        rows = [dict(zip(first.column_names, cells, strict=True)) for cells in zip(*columns, strict=True)]
        return rows, table.num_rows > limit

    def summary(self, units: Units) -> Mapping[str, Value]:
        """Return the profile: rows, columns, key, and per column counts, range, quantiles, top values."""
        from mlver.kinds.tables.profile import profile

        return profile(units)


def _cell(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return short_json(value, 40)
