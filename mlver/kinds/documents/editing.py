"""Setting and removing values of a plain document by their dotted paths."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from mlver.kinds.base import MISSING, CannotEdit, Value
from mlver.kinds.documents.paths import child, split_path


def changed_document(document: Value, changes: Mapping[str, Value]) -> tuple[Value, dict[str, Value]]:
    """Return the document with `changes` (dotted path -> value, MISSING to remove) and those that took effect.

    What becomes empty by a removal goes, too. An empty map or list is not set where something is.
    """
    new = copy.deepcopy(document)
    done: dict[str, Value] = {}
    for path in reversed([path for path, value in changes.items() if value is MISSING]):
        left = _without(new, _parts(path))
        new = {} if left is MISSING else left
        done[path] = MISSING
    for path, value in changes.items():
        if value is MISSING:
            continue
        parts = _parts(path)
        there = get_at(new, parts)
        if value in ({}, []) and _has_paths(there):
            continue
        new = _with(new, parts, copy.deepcopy(value), path)
        done[path] = value
    return _tidied(new), done


def _has_paths(value: Value) -> bool:
    """Whether what is inside has paths of its own: a map with keys, a list of maps or lists."""
    if isinstance(value, dict):
        return bool(value)
    return isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value)


def get_at(document: Value, parts: Sequence[str]) -> Value:
    """Return what stands at a path, MISSING when nothing does."""
    for part in parts:
        if isinstance(document, list):
            index = int(part) if part.isdecimal() else len(document)
            document = document[index] if index < len(document) else MISSING
        else:
            document = document.get(part, MISSING) if isinstance(document, dict) else MISSING
        if document is MISSING:
            break
    return document


def list_lengths(document: Value) -> dict[str, int]:
    """Return dotted path -> length of every list whose items have paths of their own (it holds maps or lists)."""
    found: dict[str, int] = {}
    todo: list[tuple[str, Value]] = [("", document)]
    while todo:
        path, node = todo.pop()
        if isinstance(node, dict):
            todo += [(child(path, str(key)), item) for key, item in node.items()]
        elif isinstance(node, list) and any(isinstance(item, (dict, list)) for item in node):
            found[path] = len(node)
            todo += [(child(path, str(index)), item) for index, item in enumerate(node)]
    return found


def _parts(path: str) -> list[str]:
    try:
        return split_path(path)
    except ValueError:
        raise CannotEdit(f"{path} is no path of keys") from None


def _with(node: Value, parts: Sequence[str], value: Value, path: str) -> Value:
    if not parts:
        return value
    part, rest = parts[0], parts[1:]
    if node is MISSING or node is None or node in ({}, []):
        node = {} if not isinstance(node, list) else node
    if isinstance(node, dict):
        node[part] = _with(node.get(part, MISSING), rest, value, path)
        return node
    if isinstance(node, list) and part.isdecimal() and int(part) <= len(node):
        index = int(part)
        if index == len(node):
            node.append(MISSING)
        node[index] = _with(node[index], rest, value, path)
        return node
    raise CannotEdit(f"{path} would stand inside a value")


def _without(node: Value, parts: Sequence[str]) -> Value:
    """Return the node without what is at the path, MISSING when nothing of it is left."""
    if not parts:
        return MISSING
    part, rest = parts[0], parts[1:]
    if isinstance(node, dict) and part in node:
        left = _without(node[part], rest)
        if left is MISSING:
            del node[part]
        else:
            node[part] = left
    elif isinstance(node, list) and part.isdecimal() and int(part) < len(node):
        left = _without(node[int(part)], rest)
        node[int(part)] = left  # a gap for now: the places of the items behind it are still the old ones
    if isinstance(node, list) and all(item is MISSING for item in node):
        return MISSING
    return node if node else MISSING


def _tidied(node: Value) -> Value:
    """Return the node without the gaps that removals left in lists."""
    if isinstance(node, dict):
        return {key: _tidied(item) for key, item in node.items()}
    return [_tidied(item) for item in node if item is not MISSING] if isinstance(node, list) else node
