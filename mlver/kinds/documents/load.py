"""Which reader for which file, by its name and, when that says nothing, by trying."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import NamedTuple

from mlver.kinds.base import Source, Unreadable, Value
from mlver.kinds.documents.json_text import parse_json
from mlver.kinds.documents.reading import MAX_BYTES, MIB, read_text
from mlver.kinds.documents.records import parse_csv, parse_lines
from mlver.kinds.documents.requirements import parse_requirements
from mlver.kinds.documents.toml_text import parse_ini, parse_toml
from mlver.kinds.documents.yaml_text import parse_yaml

# What Python code reads byte by byte gets less room than what C code reads
_LIMITS = {"yaml": 16 * MIB, "toml": 4 * MIB, "ini": 4 * MIB, "requirements": 4 * MIB}
_SUFFIXES = {
    ".json": "json", ".ipynb": "json", ".webmanifest": "json",
    ".yaml": "yaml", ".yml": "yaml",
    ".toml": "toml",
    ".ini": "ini", ".cfg": "ini", ".conf": "ini",
    ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".csv": "csv", ".tsv": "tsv",
}  # fmt: skip
_LOCKS = {"pipfile.lock": "json", "composer.lock": "json", "pixi.lock": "yaml", "conda-lock.yml": "yaml"}


class Record(NamedTuple):
    """One record of a file: the line it starts in (None: the format has no lines) and its value."""

    line: int | None
    value: Value


def load(source: Source) -> Value:
    """Return the whole file as one plain value (records as a list); Unreadable says why and in which line."""
    form = form_of(source.path)
    text = read_text(source, _LIMITS.get(form, MAX_BYTES))
    if form in _RECORDS:
        return [value for _, value in _RECORDS[form](text)]
    return _READERS[form](text)


def load_records(source: Source) -> list[Record]:
    """Return the records of JSON lines, CSV or TSV, or the items of the list another format holds."""
    form = form_of(source.path)
    if form in _RECORDS:
        return [Record(line, value) for line, value in _RECORDS[form](read_text(source))]
    value = load(source)
    if not isinstance(value, list):
        raise Unreadable("not a list of records")
    return [Record(None, item) for item in value]


def form_of(path: str) -> str:
    """Return the format a file name stands for, `unknown` when it says nothing."""
    name = PurePosixPath(path).name.lower()
    if name in _LOCKS:
        return _LOCKS[name]
    if name.endswith(".txt") and name.startswith(("requirements", "constraints")):
        return "requirements"
    suffix = PurePosixPath(name).suffix
    return "toml" if suffix == ".lock" else _SUFFIXES.get(suffix, "unknown")


def _unknown(text: str) -> Value:
    """Read a file whose name says nothing: JSON by its first character, else TOML, INI or a YAML map."""
    if len(text) > _LIMITS["toml"]:
        raise Unreadable("no known suffix, and too large to try")
    if text.lstrip()[:1] in ("{", "["):
        try:
            return parse_json(text)
        except Unreadable as error:
            reason = error
    else:
        reason = Unreadable("not JSON, YAML, TOML or INI")
    for parse in (parse_toml, parse_ini, parse_yaml):
        try:
            value = parse(text)
        except Unreadable:
            continue
        if isinstance(value, dict) and value:
            return value
    raise reason


_READERS: dict[str, Callable[[str], Value]] = {
    "json": parse_json,
    "yaml": parse_yaml,
    "toml": parse_toml,
    "ini": parse_ini,
    "requirements": parse_requirements,
    "unknown": _unknown,
}
_RECORDS: dict[str, Callable[[str], list[tuple[int, Value]]]] = {
    "jsonl": parse_lines,
    "csv": parse_csv,
    "tsv": lambda text: parse_csv(text, "\t"),
}
