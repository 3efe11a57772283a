"""Lock files list packages; a new package must not make all after it look changed."""

from __future__ import annotations

from collections import Counter

from mlver.kinds.base import Value


def by_package(path: str, value: Value) -> Value:
    """Return the document of a lock file with its lists of packages as maps by name; other documents as they are.

    A package locked in several versions goes by `name@version`.
    """
    if not path.lower().endswith((".lock", "conda-lock.yml")) or not isinstance(value, dict):
        return value
    return {key: _named(item) if isinstance(item, list) else item for key, item in value.items()}


def _named(items: list[Value]) -> Value:
    if not items or not all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in items):
        return items
    count = Counter(item["name"] for item in items)
    named = {}
    for item in items:
        name = item["name"]
        named[name if count[name] == 1 else f"{name}@{item.get('version')}"] = item
    return named if len(named) == len(items) else items
