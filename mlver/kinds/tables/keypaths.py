"""Columns of objects by key path: `attrs.color` of a struct column, or of a text column that holds JSON objects.

A key that is absent and one that is null are the same here, as they are in a struct.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pyarrow as pa

from mlver.kinds.base import Unreadable, Value, same
from mlver.kinds.tables.jsonlines import read_json
from mlver.kinds.tables.late import pc
from mlver.kinds.tables.values import decoded, family

_SAMPLE: Final = 64
_BYTES: Final = 1 << 29  # of JSON text that is looked into
_PATHS: Final = 200  # more keys than that are data themselves
_DEPTH: Final = 16
_TEXT: Final = 1 << 20  # characters of one cell that are parsed to name what changed in it


def leaves(column: Any, name: str) -> dict[str, Any]:
    """Return the values below each key path of a column of objects, one per row; {} when it holds none.

    `name` is the column's; paths are joined by dots.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray) or not len(array):
        return {}
    array = decoded(array)
    if family(array.type) == "text":
        array = _parsed(array)
    if array is None or not pa.types.is_struct(array.type):
        return {}
    found: dict[str, Any] = {}
    for path, leaf in _below(array, name, 0):
        if len(found) == _PATHS:
            return {}
        found[path] = leaf
    return found


def looks_like_objects(texts: Any) -> bool:
    """Whether the first of these texts, of which there are some and no nulls, all begin and end as JSON objects do."""
    return bool(pc.all(pc.match_substring_regex(texts.slice(0, _SAMPLE), r"^\s*\{(?s:.*)\}\s*$")).as_py())


def both_leaves(columns: tuple[Any, Any], name: str) -> dict[str, tuple[Any, Any]]:
    """Return the leaves of two versions of a column, nulls where one lacks a path; {} unless both hold objects."""
    old, new = (leaves(column, name) for column in columns)
    if not old or not new:
        return {}
    sizes = [len(column) for column in columns]
    return {
        path: (
            old[path] if path in old else pa.nulls(sizes[0], new[path].type),
            new[path] if path in new else pa.nulls(sizes[1], old[path].type),
        )
        for path in {**old, **new}
    }


def inner_changes(old: Mapping[str, Value], new: Mapping[str, Value]) -> tuple[dict[str, Value], dict[str, Value]]:
    """Return the fields of two rows, with an object on both sides replaced by the keys inside it that differ."""
    before, after = {}, {}
    for name in {**old, **new}:
        sides = (_object(old.get(name)), _object(new.get(name)))
        pairs = list(_differing(*sides, name, 0)) if sides[0] is not None and sides[1] is not None else []
        for path, a, b in pairs:
            before[path], after[path] = a, b
        if not pairs:
            before |= {name: old[name]} if name in old else {}
            after |= {name: new[name]} if name in new else {}
    return before, after


def _differing(
    old: dict[str, Value] | None, new: dict[str, Value] | None, name: str, depth: int
) -> Iterator[tuple[str, Value, Value]]:
    assert old is not None and new is not None
    for key in {**old, **new}:
        a, b = old.get(key), new.get(key)
        if same(a, b):
            continue
        if isinstance(a, dict) and isinstance(b, dict) and depth < _DEPTH:
            yield from _differing(a, b, f"{name}.{key}", depth + 1)
        else:
            yield f"{name}.{key}", a, b


def _object(value: Value) -> dict[str, Value] | None:
    if isinstance(value, dict):
        return value
    if not isinstance(value, str) or len(value) > _TEXT or not value.lstrip().startswith("{"):
        return None
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _below(array: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    for number, child in enumerate(array.flatten()):
        path = f"{name}.{array.type.field(number).name}"
        child = decoded(child)
        if pa.types.is_struct(child.type) and child.type.num_fields and depth < _DEPTH:
            yield from _below(child, path, depth + 1)
        else:
            yield path, child


def _parsed(texts: Any) -> Any:
    """Return a column of JSON objects as a struct array; None when it holds something else."""
    there = texts.slice(0, _SAMPLE).drop_null() if texts.null_count < len(texts) else texts.slice(0, 0)
    if not len(there):
        there = texts.drop_null().slice(0, _SAMPLE)
    if not len(there) or not looks_like_objects(there):
        return None
    if texts.nbytes > _BYTES or not pc.all(pc.match_substring_regex(texts, r"^\s*\{")).as_py():
        return None
    lines = "\n".join("{}" if text is None else " ".join(text.splitlines()) for text in texts.to_pylist())
    try:
        table = read_json(lines.encode("utf-8", "backslashreplace"))
    except Unreadable:
        return None
    if table.num_rows != len(texts) or not table.num_columns:
        return None
    columns = [column.combine_chunks() for column in table.columns]
    return pa.StructArray.from_arrays(columns, names=table.column_names)
