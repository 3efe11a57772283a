"""Rules: hand-written predicates, filters and bounds, each with an id, an owner and a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import ClassVar

from mlver.kinds.alignment import align
from mlver.kinds.base import (
    MISSING,
    CannotEdit,
    Comparison,
    Delta,
    Detail,
    Kind,
    Source,
    Spec,
    Units,
    Value,
    count_line,
    differing,
    same,
    short_json,
)
from mlver.kinds.documents import load
from mlver.kinds.edits import confirmed
from mlver.kinds.merge3 import merged
from mlver.kinds.recognise import score
from mlver.kinds.rule_edit import edit_rules
from mlver.kinds.rule_python import read_python
from mlver.kinds.rule_shapes import read_rules
from mlver.kinds.rule_sql import read_sql
from mlver.kinds.rule_text import SAID, rule_text

_PROGRAMS: Mapping[str, Callable[[Source], dict[str, Value]]] = {".py": read_python, ".sql": read_sql}


class RulesUnits(Units):
    """Rules by id, in the order of the file; `ordered` when the file is a list, in which order can matter."""

    def __init__(self, items: Mapping[str, Value], ordered: bool) -> None:
        super().__init__(items)
        self.ordered = ordered

    def combine(self, key: str, ours: Units, theirs: Units) -> Value:
        """The order of rules that both sides changed is merged as a sequence, if it can be."""
        orders = [side.get(key) for side in (self, ours, theirs)]
        if key != "@order" or not all(isinstance(order, list) for order in orders):
            return MISSING
        found = merged(*orders)
        return MISSING if found is None or len(set(found)) < len(found) else found


class RulesKind(Kind):
    """Rules. A unit is one rule, its fields as written; a rule that only moved is not a changed rule."""

    name: ClassVar[str] = "rules"
    order: ClassVar[int] = 20

    def recognises(self, path: str, head: bytes) -> int:
        """Sure of documents named for rules, checks or bounds, or in a folder of them."""
        return score(self.name, path, head)

    def units(self, source: Source, spec: Spec) -> RulesUnits:
        """Return every rule by its id; Unreadable when two rules share one.

        Option `order = true` says that the first rule that fires wins: then the order is a unit, `@order`.
        """
        if (read := _PROGRAMS.get(PurePosixPath(source.path).suffix.lower())) is not None:
            return RulesUnits(read(source), ordered=False)
        rules, ordered = read_rules(load(source))
        if ordered and spec.options.get("order") is True:
            rules["@order"] = [name for name in rules if not name.startswith("@")]
        return RulesUnits(rules, ordered)

    def edit(self, source: Source, spec: Spec, changes: Mapping[str, Value], like: Units | None = None) -> bytes:
        """Return the file with some rules changed; a new one stands behind the one it follows in `like`."""
        from mlver.kinds.documents.rewrite import rewrite

        if PurePosixPath(source.path).suffix.lower() in _PROGRAMS:
            raise CannotEdit("rules in a program are text")
        document = load(source)
        order = list(like.keys()) if like is not None else []
        data = rewrite(source, document, edit_rules(document, changes, order))
        return confirmed(self, source, spec, changes, data)

    def compare(self, old: Units | None, new: Units | None, delta: Delta) -> Comparison:
        """Count the rules; the detail `order` says which common rules changed places."""
        counts = {
            "rules_added": len(delta.added),
            "rules_removed": len(delta.removed),
            "rules_changed": len(delta.changed),
        }
        if old is None or new is None:
            return Comparison(count_line(delta, "rule"), counts=counts)
        moved = _moved(old, new)
        details = (Detail("order", ("rule", "was", "is"), moved),) if moved else ()
        if delta:
            summary = count_line(delta, "rule") + (", order changed" if moved else "")
        else:
            summary = f"same rules, in another order ({moved[0][0]} moved)" if moved else "same rules"
        return Comparison(summary, details, counts, same_meaning=not delta)

    def text(self, key: str, value: Value) -> str:
        """Return the rule as a sentence: `mean radius > 20 -> refer  (ana: very large masses go to a human)`."""
        return rule_text(key, value)

    def change_text(self, key: str, old: Value, new: Value) -> tuple[str, str]:
        """Return both rules as sentences, without the owner and reason they share; else the fields that differ."""
        if isinstance(old, dict) and isinstance(new, dict):
            before, after = rule_text(key, old, said=False), rule_text(key, new, said=False)
            if before != after:
                shared = [name for name in SAID if name in old and name in new and same(old[name], new[name])]
                return rule_text(key, _without(old, shared)), rule_text(key, _without(new, shared))
        fields = differing(old, new)
        before, after = (rule_text(key, field).strip() for field in fields)
        return (before, after) if before != after else (short_json(fields[0]), short_json(fields[1]))

    def summary(self, units: Units) -> Mapping[str, Value]:
        """Return how many rules there are."""
        return {"rules": sum(not key.startswith("@") for key in units.keys())}  # noqa: SIM118 - Units is no mapping


def _moved(old: Units, new: Units) -> tuple[tuple[str, int, int], ...]:
    """Return (rule, old place, new place), counted from 1, of the fewest rules that explain the new order."""
    if not (isinstance(old, RulesUnits) and old.ordered and isinstance(new, RulesUnits) and new.ordered):
        return ()
    was, now = list(old.keys()), list(new.keys())
    common = set(was) & set(now)
    before, after = _only(was, common), _only(now, common)
    stayed = {after[at] for at in align(before, after)}
    return tuple((key, was.index(key) + 1, now.index(key) + 1) for key in after if key not in stayed)


def _without(rule: Mapping[str, Value], names: Sequence[str]) -> Value:
    return {name: value for name, value in rule.items() if name not in names}


def _only(keys: Sequence[str], common: set[str]) -> list[str]:
    return [key for key in keys if key in common]
