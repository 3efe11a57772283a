"""The ledger: the operation log seen from one stage. What was live when, for whom, by whom and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.frozen import frozen
from mlver.objects.state import EVERYONE, Live, Move
from mlver.repo.move_log import recorded_moves
from mlver.repo.moves import Slot, slot_of

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


@frozen
class LedgerEntry:
    """`live` served `scope` of `stage` from `since` until `until` (None: still does); `move` made it so."""

    stage: str
    scope: str
    live: Live
    since: datetime
    until: datetime | None = None
    move: Move | None = None


def live_at(scopes: Mapping[str, Live], scope: str) -> Live | None:
    """Return what serves `scope`: its own entry, else everyone's."""
    return scopes.get(scope) or scopes.get(EVERYONE)


def ledger_of(repo: Repository, stage: str | None = None) -> list[LedgerEntry]:
    """Return the ledger of one stage (or all), oldest first, in the order in which things were recorded."""
    closed: list[LedgerEntry] = []
    current: dict[Slot, int] = {}
    for move in reversed(recorded_moves(repo, stage)):
        if (open_ := current.pop(slot_of(move), None)) is not None:
            closed[open_] = replace(closed[open_], until=move.time)
        if move.live is not None:
            current[slot_of(move)] = len(closed)
            closed.append(LedgerEntry(move.stage, move.scope, move.live, move.time, move=move))
    return closed


def entry_at(entries: list[LedgerEntry], scope: str, at: datetime | None) -> LedgerEntry | None:
    """Return the entry that served `scope` at a moment (now, if None): the most specific one that applies."""
    for wanted in dict.fromkeys((scope, EVERYONE)):
        for entry in reversed([e for e in entries if e.scope == wanted]):
            if at is None:
                if entry.until is None:
                    return entry
            elif entry.since <= at and (entry.until is None or at < entry.until):
                return entry
    return None
