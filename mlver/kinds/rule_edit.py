"""Changing rules in a document, in whatever shape they stand there (rule_shapes.py)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

from mlver.kinds.base import MISSING, CannotEdit, Value
from mlver.kinds.documents.editing import changed_document
from mlver.kinds.rule_dbt import is_dbt
from mlver.kinds.rule_shapes import entry_ids, is_grouped, sections_of, ungrouped

_ORDER = "@order"
Names = Callable[[list[Value]], list[str]]


def edit_rules(document: Value, changes: Mapping[str, Value], order: Sequence[str]) -> Value:
    """Return the document with rules changed by id; a new one stands behind the one it follows in `order`."""
    rules = {key: value for key, value in changes.items() if not key.startswith("@")}
    beside = {key[1:]: value for key, value in changes.items() if key.startswith("@") and key != _ORDER}
    new = copy.deepcopy(document)
    if isinstance(new, list):
        new = _entries(new, rules, order, changes.get(_ORDER, MISSING))
    elif is_dbt(new):
        raise CannotEdit("tests of dbt are written by hand")
    elif new is None or not sections_of(new):
        new = _map(new or {}, rules, order)
    else:
        for name, inner, mine in _shared_out(new, rules, order):
            wanted = changes.get(_ORDER, MISSING)
            if isinstance(inner, dict):
                new[name] = _map(inner, mine, order)
            elif is_grouped(inner):
                new[name] = _groups(inner, mine, order)
            else:
                new[name] = _entries(inner, mine, order, wanted)
    return changed_document(new, beside)[0] if beside else new


def _shared_out(
    document: dict[str, Value], rules: Mapping[str, Value], order: Sequence[str]
) -> list[tuple[str, Value, dict[str, Value]]]:
    """Return (section, what it holds, its share of the changes); a new rule goes where the one before it stands."""
    sections = sections_of(document)
    homes: dict[str, str] = {}
    for name in sections:
        inner = document[name]
        ids = entry_ids(ungrouped(inner)) if isinstance(inner, list) else list(inner)
        homes |= dict.fromkeys(ids, name)
    for key in rules:
        if key not in homes:
            before = [other for other in _before(order, key) if other in homes]
            homes[key] = homes[before[-1]] if before else sections[0]
    return [(name, document[name], {k: v for k, v in rules.items() if homes[k] == name}) for name in sections]


def _entries(
    entries: list[Value], rules: Mapping[str, Value], order: Sequence[str], wanted: Value = MISSING
) -> list[Value]:
    named = list(zip(entry_ids(entries), entries, strict=True))
    kept = [(key, rules.get(key, entry)) for key, entry in named if rules.get(key, entry) is not MISSING]
    known = {key for key, _ in named}
    for key, rule in rules.items():
        if rule is not MISSING and key not in known:
            kept.insert(_place([key for key, _ in kept], order, key), (key, rule))
    if isinstance(wanted, list):
        places = {key: place for place, key in enumerate(wanted)}
        kept.sort(key=lambda item: places.get(item[0], len(places)))
    return [rule for _, rule in kept]


def _map(rules: dict[str, Value], changes: Mapping[str, Value], order: Sequence[str]) -> dict[str, Value]:
    kept = [(key, changes.get(key, rule)) for key, rule in rules.items() if changes.get(key, rule) is not MISSING]
    for key, rule in changes.items():
        if rule is not MISSING and key not in rules:
            kept.insert(_place([key for key, _ in kept], order, key), (key, rule))
    return dict(kept)


def _groups(groups: list[Value], rules: Mapping[str, Value], order: Sequence[str]) -> list[Value]:
    """Change the rules of Prometheus groups; a rule says in `group` which one it stands in."""
    left = dict(rules)
    ids = entry_ids(ungrouped(groups))
    for group in groups:
        mine, ids = ids[: len(group["rules"])], ids[len(group["rules"]) :]
        kept = [(key, _ungroup(left.pop(key, rule))) for key, rule in zip(mine, group["rules"], strict=True)]
        kept = [(key, rule) for key, rule in kept if rule is not MISSING]
        for key, rule in list(left.items()):
            if rule is not MISSING and isinstance(rule, dict) and rule.get("group") == group.get("name"):
                if key in ids:
                    continue
                kept.insert(_place([key for key, _ in kept], order, key), (key, _ungroup(left.pop(key))))
        group["rules"] = [rule for _, rule in kept]
    if any(rule is not MISSING for rule in left.values()):
        raise CannotEdit(f"no group for the rule {next(iter(left))}")
    return [group for group in groups if group["rules"]]


def _ungroup(rule: Value) -> Value:
    if not isinstance(rule, dict):
        return rule
    return {name: value for name, value in rule.items() if name != "group" and not name.startswith("group.")}


def _place(keys: Sequence[str], order: Sequence[str], key: str) -> int:
    """Return where `key` belongs among `keys`: behind the nearest that stands before it in `order`; else at the end."""
    if key not in order:
        return len(keys)
    before = [other for other in _before(order, key) if other in keys]
    if before:
        return keys.index(before[-1]) + 1
    after = [other for other in order[order.index(key) + 1 :] if other in keys]
    return keys.index(after[0]) if after else len(keys)


def _before(order: Sequence[str], key: str) -> Sequence[str]:
    return order[: order.index(key)] if key in order else ()
