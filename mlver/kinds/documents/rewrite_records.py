"""Changing records of JSON lines and small CSV: every record that stays keeps its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from mlver.kinds.base import CannotEdit, Value, same
from mlver.kinds.documents.pairing import pair_items
from mlver.kinds.documents.records import parse_csv, parse_lines
from mlver.kinds.documents.rewrite_flow import json_style, render
from mlver.kinds.documents.spans import json_node


def rewrite_jsonl(text: str, old: Value, new: Value) -> str:
    """Return JSON lines, whose records are `old`, changed to say `new`."""
    lines = text.split("\n")
    places = [number - 1 for number, _ in parse_lines(text)]
    style = json_style(text)
    tail = lines.pop() if lines and not lines[-1] else None

    def changed(line: str, before: Value, value: Value) -> str:
        return render(line, json_node(line), before, value, style)

    said = _laid(lines, places, old, new, changed, lambda value: style.dump(value, 0, True))
    return "\n".join([*said, *([""] if tail is not None or not lines else [])])


def rewrite_csv(text: str, old: Value, new: Value, delimiter: str = ",") -> str:
    """Return CSV, whose rows are `old`, changed to say `new`; CannotEdit when a row has other columns."""
    records = parse_csv(text, delimiter)
    lines = text.split("\n")
    tail = lines.pop() if lines and not lines[-1] else None
    if len(lines) < 1 or len(records) != sum(bool(line.strip()) for line in lines) - 1:
        raise CannotEdit("cells with line breaks in them")
    header = next(csv.reader([lines[0]], delimiter=delimiter))
    places = [number - 1 for number, _ in records]

    def write(value: Value) -> str:
        if not set(value) <= set(header):
            raise CannotEdit(f"no column {sorted(set(value) - set(header))[0]}")
        stream = io.StringIO()
        cells = ["" if value.get(name) is None else str(value[name]) for name in header]
        csv.writer(stream, delimiter=delimiter, lineterminator="").writerow(cells)
        return stream.getvalue()

    said = _laid(lines, places, old, new, lambda line, before, value: write(value), write)
    return "\n".join([*said, *([""] if tail is not None else [])])


def _laid(
    lines: list[str],
    places: list[int],
    old: list[Value],
    new: list[Value],
    changed: Callable[[str, Value, Value], str],
    fresh: Callable[[Value], str],
) -> list[str]:
    """Return the lines with those of gone records left out, changed ones changed and new ones in their places."""
    pairs = pair_items(old, new)
    kept = {place for place in pairs if place is not None}
    dropped = {places[place] for place in range(len(old)) if place not in kept}
    written: dict[int, str] = {}
    behind: dict[int, list[str]] = {}
    at = (places[0] if places else len(lines)) - 1
    for value, place in zip(new, pairs, strict=True):
        if place is None:
            behind.setdefault(at, []).append(fresh(value))
            continue
        at = places[place]
        if not same(old[place], value):
            written[at] = changed(lines[at], old[place], value)
    said = list(behind.get(-1, []))
    for number, line in enumerate(lines):
        if number not in dropped:
            said.append(written.get(number, line))
        said += behind.get(number, [])
    return said
