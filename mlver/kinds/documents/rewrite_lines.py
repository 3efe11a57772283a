"""Changing entries of INI and requirements files, line by line."""

from __future__ import annotations

import re
from typing import NamedTuple

from mlver.kinds.base import CannotEdit, Value
from mlver.kinds.documents.requirements import parse_requirements

_SECTION = re.compile(r"\[(?P<name>.+)\]")
_OPTION = re.compile(r"(?P<key>.*?)(?P<mark>\s*(?:[=:])\s*)(?P<value>.*)$")


class _Place(NamedTuple):
    """The lines of one option: `mark` is what stands between key and value, None for a key alone."""

    start: int
    end: int
    key: str
    mark: str | None


def rewrite_ini(text: str, old: Value, new: Value) -> str:
    """Return INI text, whose value is `old`, changed to say `new`."""
    lines = text.split("\n")
    sections, options = _places(lines)
    marks = [place.mark for inner in options.values() for place in inner.values() if place.mark]
    mark = marks[0] if marks else " = "
    edits: list[tuple[int, int, list[str]]] = []
    for name, (start, end) in sections.items():
        if name not in new:
            edits.append((start, end, []))
            continue
        for key, place in options[name].items():
            value = new[name].get(key, old)
            if key not in new[name]:
                edits.append((place.start, place.end, []))
            elif value != old[name][key]:
                edits.append((place.start, place.end, _option(place.key, place.mark or mark, value)))
        near = next((place.mark for place in reversed(options[name].values()) if place.mark), mark)
        fresh = [line for key in new[name] if key not in old[name] for line in _option(key, near, new[name][key])]
        last = max([start + 1, *(place.end for place in options[name].values())])
        edits.append((last, last, fresh))
    for start, end, said in sorted(edits, key=lambda edit: (-edit[0], -edit[1])):
        lines[start:end] = said
    for name in new:
        if name not in sections:
            said = [f"[{name}]", *(line for key in new[name] for line in _option(key, mark, new[name][key]))]
            lines = [*_closed(lines), "", *said, ""] if any(lines) else [*said, ""]
    return "\n".join(lines)


def _closed(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines


def _option(key: str, mark: str, value: Value) -> list[str]:
    if value is None:
        return [key]
    if not isinstance(value, str):
        raise CannotEdit("INI holds text only")
    first, *rest = value.split("\n")
    return [f"{key}{mark}{first}".rstrip(), *(f"\t{line}" for line in rest)]


def _places(lines: list[str]) -> tuple[dict[str, tuple[int, int]], dict[str, dict[str, _Place]]]:
    """Return the lines of every section and of every option in it."""
    sections: dict[str, tuple[int, int]] = {}
    options: dict[str, dict[str, _Place]] = {}
    name, last = "", None
    for number, line in enumerate(lines):
        said = line.strip()
        if not said or said.startswith(("#", ";")):
            continue
        if line[0].isspace() and last is not None:
            options[name][last] = options[name][last]._replace(end=number + 1)
        elif section := _SECTION.match(said):
            if name:
                sections[name] = (sections[name][0], number)
            name, last = section["name"], None
            sections[name], options[name] = (number, len(lines)), {}
        else:
            found = _OPTION.match(said)
            last = found["key"] if found else said
            options[name][last] = _Place(number, number + 1, last, found["mark"] if found else None)
    return sections, options


def rewrite_requirements(text: str, old: Value, new: Value) -> str:
    """Return the text of a requirements file, whose value is `old`, changed to say `new`."""
    lines = text.split("\n")
    said: list[str] = []
    for line in lines:
        found = parse_requirements(line)
        if len(found) != 1:
            said.append(line)
            continue
        ((name, spec),) = found.items()
        if name not in new:
            continue
        if new[name] != old[name]:
            if not isinstance(new[name], str) or old[name] != spec:
                raise CannotEdit(f"{name} has several lines")
            line = line.replace(spec, new[name], 1) if spec else line.rstrip() + new[name]
        said.append(line)
    fresh = [f"{name}{spec}" for name, spec in new.items() if name not in old]
    tail = [""] if said and not said[-1] else []
    return "\n".join([*(said[:-1] if tail else said), *fresh, *tail])
