"""The shapes rules are written in: lists of maps, maps by id, groups, Prometheus files, Great Expectations suites,

constraints of Deequ, tests of dbt.
"""

from __future__ import annotations

import json
from collections import Counter

from blake3 import blake3

from mlver.kinds.base import Unreadable, Value, short_json
from mlver.kinds.documents import flatten
from mlver.kinds.rule_dbt import is_dbt, read_dbt
from mlver.kinds.rule_deequ import deequ_id, is_deequ

_SECTIONS = ("rules", "checks", "bounds", "filters", "constraints", "expectations", "groups", "constraint_suggestions")
_MADE = "id"  # of an expectation: made up by the library, another one whenever the suite is built anew
_IDS = ("id", "rule_id", "name", "rule", "alert", "record", "key", "check", "title")


def read_rules(document: Value) -> tuple[dict[str, Value], bool]:
    """Return rule id -> rule, and whether the file is a list, in which the order of rules can matter.

    What stands beside the rules (`version: 2`) is there under its dotted path with an `@` before it.
    Unreadable when two rules have one id.
    """
    if isinstance(document, list):
        return _by_id(document), True
    if document is None:
        return {}, False
    if not isinstance(document, dict):
        raise Unreadable("neither a list nor a map of rules")
    if is_dbt(document):
        return read_dbt(document), False
    sections = sections_of(document)
    if not sections:
        return dict(document), False
    found: dict[str, Value] = {}
    for name in sections:
        inner = document[name]
        for key, rule in (_by_id(ungrouped(inner)) if isinstance(inner, list) else inner).items():
            if key in found:
                raise Unreadable(f"duplicate rule id {key} (again under {name})")
            found[key] = rule
    beside = flatten({key: value for key, value in document.items() if key not in sections})
    found.update((f"@{key}", value) for key, value in beside.items())
    return found, any(isinstance(document[name], list) for name in sections)


def sections_of(document: dict[str, Value]) -> list[str]:
    """Return the keys under which the document holds its rules; none when it is itself a map of them."""
    return [name for name in _SECTIONS if name in document and _is_section(document, name)]


def _is_section(document: dict[str, Value], name: str) -> bool:
    """Whether the key holds rules, and is not itself a rule (a bound on a column that is called `checks`)."""
    inner = document[name]
    if not isinstance(inner, dict):
        return isinstance(inner, list)
    maps = [value for value in document.values() if isinstance(value, (dict, list))]
    return len(maps) == 1 or all(isinstance(value, dict) for value in inner.values())


def is_grouped(entries: list[Value]) -> bool:
    """Whether these are Prometheus groups of rules."""
    groups = (isinstance(entry, dict) and isinstance(entry.get("rules"), list) for entry in entries)
    return bool(entries) and all(groups)


def ungrouped(entries: list[Value]) -> list[Value]:
    """Return the rules of Prometheus groups as one list, each with the name of its group; other lists as they are."""
    if not is_grouped(entries):
        return entries
    rules = []
    for group in entries:
        beside = {key: value for key, value in group.items() if key != "rules"}
        settings = {"group" if key == "name" else f"group.{key}": value for key, value in beside.items()}
        rules += [{**rule, **settings} if isinstance(rule, dict) else rule for rule in group["rules"]]
    return rules


def _by_id(entries: list[Value]) -> dict[str, Value]:
    entries = [_without_made_id(entry) for entry in entries]
    ids = [_id(entry) for entry in entries]
    counts = Counter(ids)
    if any(count > 1 for count in counts.values()):
        ids = [
            _longer(name, entry) if counts[name] > 1 or not (_is_expectation(entry) or is_deequ(entry)) else name
            for name, entry in zip(ids, entries, strict=True)
        ]
    places: dict[str, int] = {}
    for place, name in enumerate(ids, 1):
        if name in places:
            raise Unreadable(f"duplicate rule id {name} (entries {places[name]} and {place})")
        places[name] = place
    return dict(zip(ids, entries, strict=True))


def entry_ids(entries: list[Value]) -> list[str]:
    """Return the id of every rule of a list, in its order; Unreadable when two have one."""
    return list(_by_id(entries))


def _id(entry: Value) -> str:
    """Return the rule's own id; an expectation's type and column; or a digest of what it says."""
    if not isinstance(entry, dict):
        return short_json(entry)
    if is_deequ(entry):
        return deequ_id(entry)
    for field in _IDS:
        name = entry.get(field)
        if isinstance(name, (str, int)) and not isinstance(name, bool) and name != "":
            return str(name)
    kind, about = entry.get("expectation_type", entry.get("type")), _about(entry)
    if isinstance(kind, str):
        column = about.get("column", about.get("column_list", about.get("column_A")))
        return f"{kind}({short_json(column)})" if column is not None else kind
    if isinstance(entry.get("column"), str):
        return str(entry["column"])
    return f"~{blake3(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:8]}"


def _about(entry: dict[str, Value]) -> dict[str, Value]:
    """Return what an expectation is called with; of other rules, the rule."""
    words = entry.get("kwargs")
    return words if isinstance(words, dict) else entry


def _is_expectation(entry: Value) -> bool:
    kind = entry.get("expectation_type", entry.get("type")) if isinstance(entry, dict) else None
    return isinstance(kind, str) and isinstance(entry.get("kwargs"), dict)


def _without_made_id(entry: Value) -> Value:
    return {key: value for key, value in entry.items() if key != _MADE} if _is_expectation(entry) else entry


def _longer(name: str, entry: Value) -> str:
    """Return the id with what tells rules of one name apart, where a library lets several share it.

    Alerting rules of Prometheus: severity and group; expectations: a digest of what they are called with;
    constraints of Deequ: the rule that suggested them.
    """
    if not isinstance(entry, dict):
        return name
    if _is_expectation(entry):
        return f"{name}~{blake3(json.dumps(_about(entry), sort_keys=True).encode()).hexdigest()[:8]}"
    if is_deequ(entry):
        return f"{name} [{entry['suggesting_rule']}]" if isinstance(entry.get("suggesting_rule"), str) else name
    if not {"alert", "record"} & entry.keys() or "id" in entry:
        return name
    labels = entry.get("labels")
    severity = labels.get("severity") if isinstance(labels, dict) else None
    return " ".join([name, *(f"[{part}]" for part in (severity, entry.get("group")) if isinstance(part, str))])
