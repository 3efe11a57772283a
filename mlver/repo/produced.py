"""The commits that an action on an alert produced."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.objects.ids import CommitId
from mlver.repo.alert_facts import Action, AlertRecord
from mlver.repo.history import all_heads, ancestors

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

_PRODUCES = ("acted", "resolved")


class Produced:
    """Finds the commits that an action produced: those that name the alert or the ticket. Reads history once."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._by_name: dict[tuple[str, str], list[CommitId]] | None = None

    def finish(self, record: AlertRecord, action: Action) -> Action:
        """Return the action with its commits: the one it named, then by time those since the alert that name it."""
        names = [("alert", record.id)] if action.outcome in _PRODUCES else []
        names += [("ticket", action.ticket)] if action.ticket else []
        if not names:
            return action
        found = {id for name in names for id in self._index().get(name, ()) if self._time(id) >= record.at}
        rest = sorted(found.difference(action.commits), key=lambda id: (self._time(id), id))
        return replace(action, commits=(*action.commits, *rest)) if rest else action

    def _time(self, id: CommitId) -> datetime:
        return self._repo.commit(id).time

    def _index(self) -> dict[tuple[str, str], list[CommitId]]:
        if self._by_name is None:
            self._by_name = {}
            for id in ancestors(self._repo, all_heads(self._repo)):
                trailers = self._repo.commit(id).trailers
                for trailer in ("alert", "ticket"):
                    for text in trailers.get(trailer, ()):
                        self._by_name.setdefault((trailer, text), []).append(id)
        return self._by_name
