"""Changing lines of text and cells of notebooks."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence

from mlver.kinds.base import MISSING, CannotEdit, Value

_RANGE = re.compile(r"L([1-9]\d*)-(\d+)")


def edit_lines(data: bytes, changes: Mapping[str, Value]) -> bytes:
    """Return the text with ranges of lines replaced: `L3-5` -> new lines; `L3-2` puts them before line 3.

    All other lines keep their bytes, new ones get the line ends of the file.
    """
    lines = data.split(b"\n")
    closed = not lines[-1]  # an empty text counts as closed
    if closed:
        del lines[-1]
    mark = b"\r" if lines and lines[0].endswith(b"\r") else b""
    ranges = sorted(((*_range(key, len(lines)), value) for key, value in changes.items()), reverse=True, key=_low)
    for low, high, value in ranges:
        if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
            raise CannotEdit("lines are written as a list of texts")
        lines[low:high] = [line.encode() + mark for line in value]
    text = b"\n".join(lines)
    return text + b"\n" if lines and closed else text.removesuffix(b"\r")


def _low(item: tuple[int, int, Value]) -> tuple[int, int]:
    return item[:2]


def _range(key: str, count: int) -> tuple[int, int]:
    match = _RANGE.fullmatch(key)
    low, high = (int(match[1]) - 1, int(match[2])) if match else (0, -1)
    if not low <= high <= count:
        raise CannotEdit(f"{key} is no range of its lines")
    return low, high


def edit_cells(notebook: Value, changes: Mapping[str, Value], order: Sequence[str]) -> Value:
    """Return the notebook with cells changed by id. Outputs of cells that stay, stay; CannotEdit without ids."""
    new = copy.deepcopy(notebook)
    cells = new["cells"]
    names = [cell.get("id") for cell in cells]
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise CannotEdit("its cells have no ids")
    listed = any(isinstance(cell.get("source"), list) for cell in cells)
    kept = [cell for cell in cells if changes.get(cell["id"], cell) is not MISSING]
    for cell in kept:
        if cell["id"] in changes:
            wanted = changes[cell["id"]]
            cell["source"] = _written(wanted["source"], listed)
            if cell["cell_type"] != wanted["type"]:
                cell |= _fresh(cell["id"], wanted, listed)
    for key, value in changes.items():
        if value is not MISSING and key not in names:
            kept.insert(_place([cell["id"] for cell in kept], order, key), _fresh(key, value, listed))
    new["cells"] = kept
    return new


def _fresh(key: str, value: Value, listed: bool) -> dict[str, Value]:
    cell = {"cell_type": value["type"], "id": key, "metadata": {}, "source": _written(value["source"], listed)}
    return cell | ({"execution_count": None, "outputs": []} if value["type"] == "code" else {})


def _written(source: str, listed: bool) -> Value:
    return source.splitlines(keepends=True) if listed else source


def _place(keys: Sequence[str], order: Sequence[str], key: str) -> int:
    before = [other for other in order[: order.index(key)] if other in keys] if key in order else list(keys)
    return keys.index(before[-1]) + 1 if before else 0
