"""Which commit was live at a moment: the question every alert asks of the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mlver.objects.ids import CommitId
from mlver.objects.state import EVERYONE
from mlver.repo.ledger import LedgerEntry, ledger_of

if TYPE_CHECKING:
    from mlver.repo.repository import Repository


class LiveTimes:
    """Answers for many moments, reading the ledger of each stage once."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._entries: dict[str, dict[str, list[LedgerEntry]]] = {}

    def commit(self, stage: str, scope: str, at: datetime) -> CommitId | None:
        """Return what `stage` served `scope` at a moment, None when nothing was live there yet."""
        scopes = self._entries.get(stage)
        if scopes is None:
            scopes = self._entries[stage] = {}
            for entry in reversed(ledger_of(self._repo, stage)):
                scopes.setdefault(entry.scope, []).append(entry)
        for wanted in dict.fromkeys((scope, EVERYONE)):
            for entry in scopes.get(wanted, ()):
                if entry.since <= at and (entry.until is None or at < entry.until):
                    return entry.live.commit
        return None
