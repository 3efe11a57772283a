"""Tests of dbt: what a properties file (`schema.yml`) demands of models, sources and their columns."""

from __future__ import annotations

import json
from collections.abc import Iterator

from blake3 import blake3

from mlver.kinds.base import Unreadable, Value
from mlver.kinds.documents import flatten, join_path

_NODES = ("models", "sources", "seeds", "snapshots")
_TESTS = ("tests", "data_tests")


def is_dbt(document: Value) -> bool:
    """Whether this is a properties file of dbt: models, sources, seeds or snapshots with columns and tests."""
    if not isinstance(document, dict):
        return False
    lists = [document[name] for name in _NODES if name in document]
    if not lists or not all(isinstance(nodes, list) for nodes in lists):
        return False
    entries = [entry for nodes in lists for entry in nodes]
    return all(isinstance(entry, dict) and isinstance(entry.get("name"), str) for entry in entries)


def read_dbt(document: dict[str, Value]) -> dict[str, Value]:
    """Return every test as `model.column.test`; what else the file says stands beside them, with an `@`."""
    found: dict[str, Value] = {}
    beside: dict[str, Value] = {}
    for section, nodes in document.items():
        if section not in _NODES:
            beside |= flatten({section: nodes})
            continue
        for node in nodes:
            for parts, entry in _nodes(node):
                for test in _tests(parts, entry):
                    _put(found, *test)
                rest = {key: value for key, value in entry.items() if key not in (*_TESTS, "columns", "tables", "name")}
                beside |= {join_path([section, *parts, key]): value for key, value in flatten(rest).items()}
    return found | {f"@{key}": value for key, value in beside.items()}


def _nodes(node: dict[str, Value]) -> Iterator[tuple[list[str], dict[str, Value]]]:
    """Yield a node, the tables in it, and the columns of each."""
    pending: list[tuple[list[str], Value]] = [([], node)]
    while pending:
        parts, entry = pending.pop(0)
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise Unreadable(f"{'.'.join(parts) or 'an entry'} holds something without a name")
        here = [*parts, entry["name"]]
        yield here, entry
        for inner in ("tables", "columns"):
            below = entry.get(inner) or []
            if not isinstance(below, list):
                raise Unreadable(f"{inner} of {'.'.join(here)} is no list")
            pending += [(here, one) for one in below]


def _tests(parts: list[str], entry: dict[str, Value]) -> Iterator[tuple[str, dict[str, Value]]]:
    for section in _TESTS:
        tests = entry.get(section) or []
        if not isinstance(tests, list):
            raise Unreadable(f"{section} of {'.'.join(parts)} is no list")
        for test in tests:
            name, settings = _test(test, ".".join(parts))
            value: dict[str, Value] = {"test": name, "model": parts[0]}
            if len(parts) > 1:
                value["column"] = parts[-1]
            yield join_path([*parts, str(settings.get("name") or name)]), {**value, **settings}


def _test(test: Value, where: str) -> tuple[str, dict[str, Value]]:
    """Return name and settings of a test, which is a word, `{name: settings}`, or settings with `test_name`."""
    if isinstance(test, str):
        return test, {}
    if isinstance(test, dict) and isinstance(test.get("test_name"), str):
        return test["test_name"], {key: value for key, value in test.items() if key != "test_name"}
    if isinstance(test, dict) and test:
        name, settings = next(iter(test.items()))
        beside = {key: value for key, value in test.items() if key != name}  # `name: x` beside the test itself
        if isinstance(settings, dict) or settings is None:
            return name, {**(settings or {}), **beside}
    raise Unreadable(f"{where} has a test that is neither a name nor a map")


def _put(found: dict[str, Value], key: str, value: Value) -> None:
    """Add a test; a second one of the same name carries a digest of what it says."""
    if key in found:
        key = f"{key}~{blake3(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]}"
    if key in found:
        raise Unreadable(f"duplicate rule id {key}")
    found[key] = value
