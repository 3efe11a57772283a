"""Around the facts: alerts in committed files, and the commits that actions on alerts produced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.kinds.base import Unreadable
from mlver.objects.ids import CommitId
from mlver.repo.alert_facts import Action, AlertRecord
from mlver.repo.history import all_heads, ancestors
from mlver.repo.live import LiveTimes
from mlver.repo.subjects import subject

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

ALERTS_KIND = "alerts"
_PRODUCES = ("acted", "resolved")


def file_alerts(repo: Repository, as_of: datetime | None = None) -> Iterator[AlertRecord]:
    """Yield the alerts in the alert files of HEAD, or of the commit that was HEAD's line then.

    A file that cannot be read as alerts has none: `diff` and `show` say why.
    """
    commit = _on_line(repo, as_of)
    if commit is None:
        return
    snapshot, live = repo.snapshot(commit), LiveTimes(repo)
    stage: str = repo.settings.get("stage.default")
    for path, artifact in snapshot.artifacts.items():
        if artifact.kind != ALERTS_KIND:
            continue
        from mlver.repo.alert_files import read_alerts

        try:
            drafts = read_alerts(snapshot.source(path))
        except Unreadable:
            continue
        for draft in drafts:
            on, scope = draft.stage or stage, draft.scope or ""
            about = subject(alert=draft.id, stage=on, scope=scope, commit=live.commit(on, scope, draft.at))
            record = AlertRecord(
                draft.id, draft.type, draft.at, draft.severity, draft.summary, about, repo.commit(commit).time
            )
            record.actions = [Action(a.outcome, a.by or "", a.at, a.did, a.ticket) for a in draft.actions]
            yield record


def _on_line(repo: Repository, as_of: datetime | None) -> CommitId | None:
    commit = repo.view.head
    while commit is not None and as_of is not None and repo.commit(commit).time > as_of:
        commit = next(iter(repo.commit(commit).parents), None)
    return commit


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
