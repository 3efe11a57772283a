"""What facts about rules say, in a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlver.objects.ids import BlobId
from mlver.objects.state import Fact
from mlver.repo.ablation_facts import ABLATION
from mlver.repo.firing_facts import FIRING

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_NAMED = 6


def rule_words(fact: Fact) -> str | None:
    """Return what a fact of type `firing` or `ablation` says; None for any other."""
    body, data = fact.body, fact.subject.get("path", "")
    if fact.type == FIRING:
        hits = {rule: found.get("hits", 0) for rule, found in body.get("fired", {}).items()}
        some = [f"{rule} {count}" for rule, count in hits.items() if count]
        told = ", ".join(some[:_NAMED]) + (", …" if len(some) > _NAMED else "")
        silent = [rule for rule, count in hits.items() if not count]
        rest = f"{silent[0] if len(silent) == 1 else len(silent)} on none" if silent else ""
        said = "; ".join(part for part in (told, rest) if part)
        return f"{body.get('rules')} on {data}, {body.get('n')} rows: {said}"
    if fact.type == ABLATION:
        verdicts = [f"without {' and '.join(answer['off'])} {answer['verdict']}" for answer in body.get("answers", ())]
        told = ", ".join(verdicts[:_NAMED]) + (", …" if len(verdicts) > _NAMED else "")
        return f"{body.get('rules')} on {data}: {told}"
    return None


def facts_about(repo: Repository, path: str, id: BlobId, unit: str | None = None) -> Iterator[Fact]:
    """Yield facts about rules that rest on these bytes at `path`, data or rules; about one rule when `unit` is said."""
    for fact in repo.facts.of(FIRING, ABLATION):
        body, hex = fact.body, id.hex()
        is_data = unit is None and fact.subject.get("path") == path and body.get("data_id") == hex
        rules_id = body.get("rules_id") or body.get("inputs", {}).get(path)
        is_rules = body.get("rules") == path and rules_id == hex
        if is_data or (is_rules and (unit is None or _speaks_of(fact, unit))):
            yield fact


def _speaks_of(fact: Fact, rule: str) -> bool:
    return rule in fact.body.get("fired", {}) or any(rule in answer["off"] for answer in fact.body.get("answers", ()))
