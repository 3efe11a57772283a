"""Two versions of a table in a few words and tables: rows, cells, schema, drift, associations."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mlver.kinds.base import Comparison, Delta, Detail, Units
from mlver.kinds.tables.association import flips
from mlver.kinds.tables.drift import drifts, vanished
from mlver.kinds.tables.late_table import LateTable
from mlver.kinds.tables.pair import Pair, SchemaChange, TableDelta
from mlver.kinds.tables.partitions import FolderTable
from mlver.kinds.tables.units import TableUnits

_CATEGORIES, _DRIFT = "categories", "drift"
_NAMED = 3  # columns named in the summary line
_LISTED: Final = 20


def compare_tables(old: Units | None, new: Units | None, delta: Delta) -> Comparison:
    """Return what there is to say of the way from `old` to `new`; None means absent on that side."""
    if not isinstance(old, TableUnits) or not isinstance(new, TableUnits):
        return _one_sided(old, new)
    pair = delta.pair if isinstance(delta, TableDelta) and delta.pair else None
    if pair is None:
        remade = old.delta(new)
        assert isinstance(remade, TableDelta) and remade.pair is not None
        pair = remade.pair
    counts = _counts(pair)
    if isinstance(old, FolderTable) and isinstance(new, FolderTable):
        return _of_folders(pair, old, new, counts)
    rows_differ = counts["rows_added"] or counts["rows_removed"] or counts["rows_changed"]
    if not rows_differ and not pair.schema:
        return Comparison("same rows and columns, written differently", counts=counts, same_meaning=True)
    return Comparison(_summary(pair, counts), _details(pair), counts, nameless=not pair.key)


def _of_folders(pair: Pair, old: FolderTable, new: FolderTable, counts: dict[str, int | float]) -> Comparison:
    """Say how the rows of two folders differ: those of parts that both have were not looked at."""
    del counts["rows_old"], counts["rows_new"]
    counts |= {"parts_old": old.read + old.same, "parts_new": new.read + new.same, "parts_same": new.same}
    if not (counts["rows_added"] or counts["rows_removed"] or counts["rows_changed"] or pair.schema):
        return Comparison("same rows and columns, in other files", counts=counts, same_meaning=True)
    parts = f"{new.same} of {_many(new.read + new.same, 'part')} untouched"
    details = tuple(_of_parts(detail) if new.same else detail for detail in _details(pair))
    return Comparison(f"{_summary(pair, counts)}; {parts}", details, counts, nameless=not pair.key)


def _of_parts(detail: Detail) -> Detail:
    """Return a detail that says what it was computed of: a value gone from one part may stand in those not read."""
    if detail.title not in (_CATEGORIES, _DRIFT):
        return detail
    return replace(detail, title=f"{detail.title}, in the parts that differ")


def _details(pair: Pair) -> tuple[Detail, ...]:
    details = [_schema(pair), _flips(pair), _cells(pair), _categories(pair), _drift(pair)]
    return tuple(detail for detail in details if detail.rows)


def _one_sided(old: Units | None, new: Units | None) -> Comparison:
    units = old if new is None else new
    if not isinstance(units, TableUnits | LateTable):
        return Comparison("no table")
    rows, columns = units.table.num_rows, len(units.table.column_names)
    came = units is new
    counts = {
        "rows_added": rows if came else 0,
        "rows_removed": 0 if came else rows,
        "rows_changed": 0,
        "cells_changed": 0,
        "rows_old": 0 if came else rows,
        "rows_new": rows if came else 0,
    }
    said = f"{'+' if came else '-'}{_many(rows, 'row')}, {_many(columns, 'column')}"
    return Comparison(said, counts=counts, nameless=not units.key)


def _counts(pair: Pair) -> dict[str, int | float]:
    counts: dict[str, int | float] = {
        "rows_added": len(pair.alignment.added),
        "rows_removed": len(pair.alignment.removed),
        "rows_changed": len(pair.changed_new),
        "cells_changed": sum(int(mask.sum()) for mask in pair.cells.values()),
        "rows_old": pair.wholes[0].num_rows,
        "rows_new": pair.wholes[1].num_rows,
    }
    return counts | {f"cells_changed.{name}": int(mask.sum()) for name, mask in pair.named_cells.items()}


def _summary(pair: Pair, counts: dict[str, int | float]) -> str:
    parts = []
    if added := int(counts["rows_added"]):
        parts.append(f"+{_many(added, 'row')}")
    if removed := int(counts["rows_removed"]):
        parts.append(f"-{_many(removed, 'row')}")
    if changed := int(counts["rows_changed"]):
        cells = pair.named_cells
        names = sorted(cells, key=lambda name: -int(cells[name].sum()))
        listed = ", ".join(names[:_NAMED])
        where = listed if len(names) <= _NAMED else f"{len(names)} columns ({listed}, …)"
        parts.append(f"{_many(int(counts['cells_changed']), 'cell')} changed in {where} ({_many(changed, 'row')})")
    parts += [_schema_words(change) for change in pair.schema[:_NAMED]]
    if len(pair.schema) > _NAMED:
        parts.append(f"{len(pair.schema) - _NAMED} more schema changes")
    text = ", ".join(parts)
    return f"{text}; no key, whole rows compared" if not pair.key and (added or removed) else text


def _schema_words(change: SchemaChange) -> str:
    if change.change == "type":
        return f"{change.column} {change.old} -> {change.new}"
    return f"{'+' if change.change == 'added' else '-'}column {change.column}"


def _schema(pair: Pair) -> Detail:
    rows = tuple((c.column, c.change, c.old, c.new) for c in pair.schema)
    return Detail("schema", ("column", "change", "old type", "new type"), rows)


def _cells(pair: Pair) -> Detail:
    rows = sorted(((name, int(mask.sum())) for name, mask in pair.named_cells.items()), key=lambda row: -row[1])
    return Detail("cells changed", ("column", "cells"), tuple(rows[:_LISTED]))


def _flips(pair: Pair) -> Detail:
    rows = tuple((f.column, f.where, f.feature, f.old, f.new, f.rows) for f in flips(pair))
    return Detail("association flipped", ("column", "where", "feature", "r old", "r in new rows", "rows"), rows)


def _categories(pair: Pair) -> Detail:
    rows = tuple((name, what, _listed(values)) for name, what, values in vanished(pair))
    return Detail(_CATEGORIES, ("column", "change", "values"), rows)


def _listed(values: list[str]) -> str:
    more = f", … {len(values) - _LISTED} more" if len(values) > _LISTED else ""
    return ", ".join(value or "''" for value in values[:_LISTED]) + more


def _drift(pair: Pair) -> Detail:
    rows = tuple((d.column, d.nulls_old, d.nulls_new, d.mean_old, d.mean_new, d.psi, d.ks) for d in drifts(pair))
    return Detail(_DRIFT, ("column", "nulls old", "nulls new", "mean old", "mean new", "PSI", "KS"), rows)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
