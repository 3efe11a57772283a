"""All alerts of a repository: those of the fact log, and those in the alert files of HEAD.

The files are indexed like batches of the log, by their blob ids; of an alert in both, what the log says
counts, and the actions of both are put together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from blake3 import blake3

from mlver.index.alerts import AlertTable, TypeCount
from mlver.index.facts import FactRow, Reader, micros
from mlver.kinds.base import Unreadable
from mlver.objects.ids import CommitId
from mlver.repo.alert_facts import CRITICAL, Alert, AlertRecord, action_fact, alert_fact, fold, to_alert
from mlver.repo.alert_files import read_alerts
from mlver.repo.facts import fact_row, row_fact
from mlver.repo.live import LiveTimes
from mlver.repo.snapshot import BlobSource, Snapshot
from mlver.repo.subjects import subject

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

ALERTS_KIND = "alerts"
_READ_AS = 1  # raise it when files are read in another way
_IN_A_FILE = datetime.max.replace(tzinfo=UTC)  # known as long as the file is there, and after every record


class AlertBook:
    """Answers questions about alerts, as known now or at the moment `as_of`.

    Without `files` only the fact log counts. A file that cannot be read as alerts has none: `diff` and
    `show` say why.
    """

    def __init__(self, repo: Repository, as_of: datetime | None = None, *, files: bool = True) -> None:
        self._repo, self._live = repo, LiveTimes(repo)
        roots = dict(repo.facts.roots)
        if files and (commit := _on_line(repo, as_of)) is not None:
            roots |= _file_roots(repo.snapshot(commit))
        self._empty = not roots
        self._table = AlertTable(repo.fact_index, roots, micros(as_of) if as_of else None)

    def counts(self, type: str | None = None) -> list[TypeCount]:
        """Return one count per type that begins with `type`."""
        return [] if self._empty else self._table.counts(type)

    def last_acted(self, type: str | None = None) -> dict[str, AlertRecord]:
        """Return type -> the alert of it that was acted on last."""
        last = {} if self._empty else self._table.last_acted(type)
        records = self.records(last.values())
        return {name: records[id] for name, id in last.items()}

    def chosen(
        self,
        type: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        open: bool = False,
    ) -> list[str]:
        """Return the ids of alerts, newest first; `open` are those about which nothing was done."""
        if self._empty:
            return []
        first, last = (micros(at) if at else None for at in (since, until))
        return self._table.chosen(type, first, last, open=open)

    def records(self, ids: Iterable[str] | None = None) -> dict[str, AlertRecord]:
        """Return the alerts with these ids (all, if None) that there are."""
        wanted = self.chosen() if ids is None else list(ids)
        if self._empty or not wanted:
            return {}
        found = fold(map(row_fact, self._table.facts(wanted)))
        return {id: self._bound(found[id]) for id in dict.fromkeys(wanted) if id in found}

    def critical(self) -> dict[CommitId, list[Alert]]:
        """Return the alerts nobody has settled that wake people, by the commit that was live when they fired."""
        found: dict[CommitId, list[Alert]] = {}
        for record in self.records([] if self._empty else self._table.unsettled(CRITICAL)).values():
            if record.critical and record.live is not None:
                found.setdefault(record.live, []).append(to_alert(record))
        return found

    def _bound(self, record: AlertRecord) -> AlertRecord:
        """Fill in what was live for an alert that stands in a file alone; one of the log names it."""
        if record.known != _IN_A_FILE:
            return record
        stage = record.about.get("stage") or self._repo.settings.get("stage.default")
        scope = record.about.get("scope", "")
        live = self._live.commit(stage, scope, record.at)
        return replace(record, about=subject(alert=record.id, stage=stage, scope=scope, commit=live))


def open_critical(repo: Repository) -> dict[CommitId, list[Alert]]:
    """Return the recorded alerts nobody has settled that wake people, by the commit that was live then."""
    return AlertBook(repo, files=False).critical()


def _on_line(repo: Repository, as_of: datetime | None) -> CommitId | None:
    """Return HEAD, or what HEAD's line of commits ended in at the moment `as_of`."""
    commit = repo.view.head
    while commit is not None and as_of is not None and repo.commit(commit).time > as_of:
        commit = next(iter(repo.commit(commit).parents), None)
    return commit


def _file_roots(snapshot: Snapshot) -> Mapping[bytes, Reader]:
    """Return the alert files of a snapshot as batches; what is in one depends on its path and bytes alone."""
    roots: dict[bytes, Reader] = {}
    for path, artifact in snapshot.artifacts.items():
        if artifact.kind == ALERTS_KIND:
            name = f"alerts {_READ_AS}\0{path}\0{artifact.id}".encode()
            roots[blake3(name).digest()] = _reader(snapshot.source(path))
    return roots


def _reader(source: BlobSource) -> Reader:
    def read(_: bytes) -> tuple[Sequence[bytes], Sequence[FactRow]]:
        try:
            drafts = read_alerts(source)
        except Unreadable:
            return (), ()
        rows = []
        for draft in drafts:
            facts = [alert_fact(draft, draft.stage, draft.scope, None, known=_IN_A_FILE, by="")]
            facts += [action_fact(draft.id, None, one, known=_IN_A_FILE, by="", imported=True) for one in draft.actions]
            rows += [fact_row(fact)._replace(id=None) for fact in facts]
        return (), rows

    return read
