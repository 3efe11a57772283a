"""Dotted paths: the unit keys of nested documents.

Parts are joined by `.`; a part that is empty or holds a dot, a quote or a control character is
written as a JSON string: `a."b.c".0`. The document itself, when it is no map, is `.`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from mlver.kinds.base import Value

_ROOT = "."
_PLAIN = re.compile(r'[^."\x00-\x1f\x7f]+')
_PART = re.compile(r'("(?:[^"\\]|\\.)*+")|([^."]+)')


def join_path(parts: Iterable[str]) -> str:
    """Return the dotted path of `parts`; no parts at all is the document itself."""
    return ".".join(_quote(part) for part in parts) or _ROOT


def child(path: str, part: str) -> str:
    """Return the path of `part` inside `path` (empty: at the top)."""
    return f"{path}.{_quote(part)}" if path else _quote(part)


def split_path(path: str) -> list[str]:
    """Return the parts `join_path` was given; ValueError when `path` is no such text."""
    if path == _ROOT:
        return []
    parts, at = [], 0
    while match := _PART.match(path, at):
        parts.append(json.loads(match[1]) if match[1] else match[2])
        at = match.end()
        if at == len(path):
            return parts
        if path[at] != ".":
            break
        at += 1
    raise ValueError(f"not a dotted path: {path!r}")


def flatten(value: Value) -> dict[str, Value]:
    """Return path -> leaf. A list of scalars is one leaf, for its order matters; so is an empty map or list.

    Items of other lists go by their index. An empty document has no leaves. `value` is at most
    `MAX_DEPTH` deep, as `load` makes sure.
    """
    leaves: dict[str, Value] = {}

    def walk(path: str, node: Value) -> None:
        if isinstance(node, dict) and node:
            for key, item in node.items():
                walk(child(path, key), item)
        elif isinstance(node, list) and any(isinstance(item, (dict, list)) for item in node):
            for index, item in enumerate(node):
                walk(child(path, str(index)), item)
        else:
            leaves[path or _ROOT] = node

    if value is not None and value != {}:
        walk("", value)
    return leaves


def _quote(part: str) -> str:
    return part if _PLAIN.fullmatch(part) else json.dumps(part, ensure_ascii=False)
