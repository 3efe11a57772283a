"""The commits that an action on an alert produced."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.objects.ids import CommitId
from mlver.repo.alert_facts import Action, AlertRecord
from mlver.repo.history import all_heads

if TYPE_CHECKING:
    from mlver.repo.graph import Reached
    from mlver.repo.repository import Repository

_PRODUCES = ("acted", "resolved")


class Produced:
    """Finds the commits that an action produced: those that name the alert or the ticket."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._reached: Reached | None = None
        self._known: dict[tuple[str, str], list[CommitId]] = {}

    def finish(self, record: AlertRecord, action: Action) -> Action:
        """Return the action with its commits: the one it named, then by time those since the alert that name it."""
        names = [("alert", record.id)] if action.outcome in _PRODUCES else []
        names += [("ticket", action.ticket)] if action.ticket else []
        if not names:
            return action
        found = {id for name in names for id in self._naming(*name) if self._time(id) >= record.at}
        rest = sorted(found.difference(action.commits), key=lambda id: (self._time(id), id))
        return replace(action, commits=(*action.commits, *rest)) if rest else action

    def _time(self, id: CommitId) -> datetime:
        return self._repo.commit(id).time

    def _naming(self, trailer: str, text: str) -> list[CommitId]:
        """Return the commits that name an alert or a ticket."""
        if self._reached is None:
            self._reached = self._repo.graph.reach(all_heads(self._repo))
        if (trailer, text) not in self._known:
            self._known[trailer, text] = self._reached.naming(trailer, text)
        return self._known[trailer, text]
