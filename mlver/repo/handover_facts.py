"""Handovers in the fact log, so that the next one begins where the last one ended.

A fact of type `handover` has an empty subject and the body

    since  the moment from which it told, RFC 3339
    to     to whom; left out when not said
    text   what to watch, in their words; left out when there is none

`at` is when it was made, `by` who handed over.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mlver.frozen import frozen
from mlver.objects.encoding import Plain
from mlver.objects.state import Fact
from mlver.objects.time import format_time, parse_time

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

HANDOVER = "handover"


@frozen
class Handover:
    """One handover: what it told of began at `since`, it was made at `at`, by whom, to whom, with which words."""

    since: datetime
    at: datetime
    by: str
    to: str | None = None
    text: str | None = None


def handover_fact(since: datetime, to: str | None, text: str | None, *, at: datetime, by: str) -> Fact:
    """Return a handover as a fact."""
    parts: dict[str, Plain] = {"since": format_time(since), "to": to, "text": text}
    return Fact(HANDOVER, {}, {name: value for name, value in parts.items() if value}, at, at, by)


def last_handover(repo: Repository, before: datetime) -> Handover | None:
    """Return the newest handover made before a moment, None when there is none."""
    facts = [fact for fact in repo.facts.of(HANDOVER) if fact.at < before]
    if not facts:
        return None
    fact = max(facts, key=lambda fact: (fact.at, fact.known))
    body = fact.body
    return Handover(parse_time(str(body["since"])), fact.at, fact.by, body.get("to"), body.get("text"))
