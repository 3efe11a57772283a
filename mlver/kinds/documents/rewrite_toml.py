"""Changing values in TOML text, through tomlkit: comments, order and spelling of all else stay."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from mlver.kinds.base import CannotEdit, Value, same
from mlver.kinds.documents.pairing import pair_items


def rewrite_toml(text: str, old: Value, new: Value) -> str:
    """Return the text of a TOML document, whose value is `old`, changed to say `new`."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
        _table(document, old, new)
        return tomlkit.dumps(document)
    except (TOMLKitError, ValueError, TypeError, IndexError, RecursionError) as error:
        raise CannotEdit(f"tomlkit: {error}") from None


def _table(into: Any, old: dict[str, Value], new: dict[str, Value]) -> None:
    for key in old:
        if key not in new:
            del into[key]
    for key, value in new.items():
        if key not in old:
            into[key] = _without_none(value)
        elif not (same(old[key], value) and type(old[key]) is type(value)):
            _change(into, key, old[key], value)


def _change(into: Any, key: Any, old: Value, new: Value) -> None:
    if isinstance(old, dict) and isinstance(new, dict):
        _table(into[key], old, new)
    elif isinstance(old, list) and isinstance(new, list) and any(isinstance(item, dict) for item in old):
        _items(into[key], old, new)
    else:
        into[key] = _as_before(into[key], _without_none(new))


def _items(into: Any, old: list[Value], new: list[Value]) -> None:
    """Change a list of tables: those that go first, from the end, then those that change, then those that come."""
    places = pair_items(old, new)
    kept = [place for place in places if place is not None]
    for place in reversed(range(len(old))):
        if place not in kept:
            del into[place]
    left = [old[place] for place in kept]
    stayed = [value for value, place in zip(new, places, strict=True) if place is not None]
    for at, (before, value) in enumerate(zip(left, stayed, strict=True)):
        if not same(before, value):
            _change(into, at, before, value)
    fresh = [at for at, place in enumerate(places) if place is None]
    for at in fresh:
        into.insert(at, _without_none(new[at]))


def _as_before(item: Any, value: Value) -> Value:
    """Return a text that stands where a date or time stood as one."""
    if isinstance(value, str) and isinstance(item, (datetime, date, time)):
        kind = datetime if isinstance(item, datetime) else date if isinstance(item, date) else time
        try:
            return kind.fromisoformat(value)
        except ValueError:
            return value
    return value


def _without_none(value: Value) -> Value:
    if value is None:
        raise CannotEdit("TOML has no null")
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items()}
    return [_without_none(item) for item in value] if isinstance(value, list) else value
