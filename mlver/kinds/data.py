"""The `data` kind: tables, by row and column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from mlver.kinds.base import Comparison, Delta, Kind, Source, Spec, Units, Value, short_json

_BINARY: Final = {".parquet": 95, ".pq": 85, ".arrow": 95, ".feather": 95, ".ipc": 80}
_TEXT: Final = {".csv": 65, ".tsv": 65, ".tab": 40, ".jsonl": 60, ".ndjson": 60}
_OURS: Final = frozenset({"data", "dataset", "datasets", "tables", "labels", "features"})
_OTHERS: Final = frozenset({"alerts", "metrics", "rules", "checks", "config", "configs", "conf", "incidents"})
_MAGIC: Final = (b"PAR1", b"ARROW1", b"FEA1")
_LINE = 160


class DataKind(Kind):
    """Parquet, CSV/TSV, JSONL, Arrow and Feather files: rows by key, columns by name."""

    name: ClassVar[str] = "data"
    version: ClassVar[int] = 1
    order: ClassVar[int] = 40

    def recognises(self, path: str, head: bytes) -> int:
        """Return how surely this is a table: its suffix, its magic bytes, and the folders it is in."""
        *folders, name = path.lower().split("/")
        name = name.removesuffix(".gz")
        suffix = name[name.rfind(".") :] if "." in name else ""
        ours, others = bool(_OURS.intersection(folders)), bool(_OTHERS.intersection(folders))
        if head.startswith(_MAGIC):
            return 95
        if suffix in _BINARY:
            return _BINARY[suffix] - (30 if head else 0)  # the magic bytes are missing: a damaged table
        if suffix == ".json" and ours and not others:
            return 60 if _is_records(head) else 0
        if suffix not in _TEXT:
            return 0
        return 20 if others else min(_TEXT[suffix] + (30 if ours else 0), 95)

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

    def summary(self, units: Units) -> Mapping[str, Value]:
        """Return the profile: rows, columns, key, and per column counts, range, quantiles, top values."""
        from mlver.kinds.tables.profile import profile

        return profile(units)


def _is_records(head: bytes) -> bool:
    start = head.lstrip()
    return start.startswith(b"[") and start[1:].lstrip().startswith(b"{")


def _cell(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return short_json(value, 40)
