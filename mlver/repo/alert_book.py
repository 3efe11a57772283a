"""All alerts of a repository: those of the fact log, and those in the alert files of HEAD.

The files are indexed like batches of the log, by their blob ids; of an alert in both, what the log says
counts, and the actions of both are put together. An alert that was left alone for so long counts as ignored
from then on (`alert_policy`); that is found out here, whenever it is read, and never recorded.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from blake3 import blake3

from mlver.errors import Redacted
from mlver.index.alerts import AlertRow, AlertTable, Chosen
from mlver.index.facts import FactRow, Reader, micros, moment
from mlver.kinds.base import Unreadable
from mlver.objects.ids import CommitId
from mlver.objects.state import Fact
from mlver.repo.alert_facts import (
    CRITICAL,
    IGNORED,
    OPEN,
    Action,
    Alert,
    AlertRecord,
    action_fact,
    alert_fact,
    fold,
    to_alert,
)
from mlver.repo.alert_files import read_alerts
from mlver.repo.alert_policy import AlertPolicy, lenient_policy
from mlver.repo.facts import fact_row, row_fact
from mlver.repo.live import LiveTimes
from mlver.repo.snapshot import BlobSource, Snapshot
from mlver.repo.subjects import subject

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

ALERTS_KIND = "alerts"
_READ_AS = 2  # raise it when files are read in another way
_IN_A_FILE = datetime.max.replace(tzinfo=UTC)  # known as long as the file is there, and after every record
_LOOKED_AT = 4 << 20  # bytes of a file that is read again to say why it holds no alert


class AlertBook:
    """Answers questions about alerts, as known now or at the moment `as_of`.

    Without `files` only the fact log counts. A file that cannot be read as alerts has none: `unread` says why.
    """

    def __init__(self, repo: Repository, as_of: datetime | None = None, *, files: bool = True) -> None:
        self._repo, self._live, self._as_of = repo, LiveTimes(repo), as_of
        self._spans: dict[tuple[str, str], int | None] = {}
        roots = dict(repo.facts.roots)
        self._files: Snapshot | None = None
        if files and (commit := _on_line(repo, as_of)) is not None:
            self._files = repo.snapshot(commit)
            roots |= _file_roots(self._files, repo.redactions())
        self._empty = not roots
        self._table = AlertTable(repo.fact_index, roots, micros(as_of) if as_of else None)

    def unread(self) -> tuple[str, ...]:
        """Return which files hold no alerts because they are malformed, and why; giants are not looked at again."""
        return tuple(_unreadable(self._files)) if self._files is not None else ()

    def briefs(
        self,
        type: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        placed: bool = True,
    ) -> list[AlertRow]:
        """Return every alert whose type begins with `type`, in no order; `outcome` is its state.

        Those left alone for long are `ignored`. The commit is filled in where an alert stands in a file alone.
        Without `placed`, which is faster, stages, scopes and such commits are left out.
        """
        if self._empty:
            return []
        first, last = (micros(at) if at else None for at in (since, until))
        return [self._brief(*row, placed=placed) for row in self._table.rows(type, first, last, placed=placed)]

    def _brief(
        self,
        id: str,
        type: str,
        severity: str,
        at: int,
        stage: str | None,
        scope: str | None,
        live: str | None,
        filed: int,
        acted_at: int | None,
        outcome: str | None,
        *,
        placed: bool,
    ) -> AlertRow:
        if filed and placed:
            stage = stage or self._default_stage
            found = self._live.commit(stage, scope or "", moment(at))
            live = found.hex() if found else None
        alone = outcome is None and self._left_alone(type, severity, at) is not None
        state = outcome or (IGNORED if alone else OPEN)
        return AlertRow(id, type, severity, at, stage, scope, live, filed, acted_at, state, alone)

    def _left_alone(self, type: str, severity: str, at: int) -> int | None:
        """Return since when an alert that nobody did anything about counts as ignored, None while it is open."""
        span = self._span(type, severity)
        return at + span if span is not None and at + span <= self._then else None

    def _span(self, type: str, severity: str) -> int | None:
        try:
            return self._spans[type, severity]
        except KeyError:
            after = None if severity in CRITICAL else self._policy.ignored_after(type)
            span = self._spans[type, severity] = after // timedelta(microseconds=1) if after else None
            return span

    @cached_property
    def _policy(self) -> AlertPolicy:
        return lenient_policy(self._repo)

    @cached_property
    def _then(self) -> int:
        return micros(self._as_of or self._repo.now())

    @cached_property
    def _default_stage(self) -> str:
        return str(self._repo.settings.get("stage.default"))

    def chosen(
        self,
        type: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        open: bool = False,
        acted: bool = False,
    ) -> list[str]:
        """Return the ids of alerts, newest first.

        `open` are those that still wait for somebody to do anything, `acted` those that were ever acted on.
        """
        return [one.id for one in self.picked(type, since, until, open=open, acted=acted)]

    def picked(
        self,
        type: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        open: bool = False,
        acted: bool = False,
    ) -> list[Chosen]:
        """Return what `chosen` does, with type, severity and time."""
        if self._empty:
            return []
        first, last = (micros(at) if at else None for at in (since, until))
        found = self._table.chosen(type, first, last, open=open, acted=acted)
        return [one for one in found if not open or self._left_alone(one.type, one.severity, one.at) is None]

    def fired_on(self, commit: CommitId) -> list[AlertRecord]:
        """Return the alerts that fired on a commit while it was live."""
        ids = [] if self._empty else self._table.bound(commit.hex())
        return [record for record in self.records(ids).values() if record.live == commit]

    def records(self, ids: Iterable[str] | None = None) -> dict[str, AlertRecord]:
        """Return the alerts with these ids (all, if None) that there are."""
        wanted = self.chosen() if ids is None else list(ids)
        if self._empty or not wanted:
            return {}
        found = fold(map(row_fact, self._table.facts(wanted)))
        return {id: self._bound(found[id]) for id in dict.fromkeys(wanted) if id in found}

    def logged(self, ids: Iterable[str]) -> list[Fact]:
        """Return the facts of the log about these alerts, in the order they were recorded."""
        rows = [] if self._empty else self._table.facts(ids)
        return [row_fact(row) for row in rows if row.id is not None]

    def critical(self) -> dict[CommitId, list[Alert]]:
        """Return the alerts nobody has settled that wake people, by the commit that was live when they fired."""
        found: dict[CommitId, list[Alert]] = {}
        for record in self.records([] if self._empty else self._table.unsettled(CRITICAL)).values():
            if record.critical and record.live is not None:
                found.setdefault(record.live, []).append(to_alert(record))
        return found

    def _bound(self, record: AlertRecord) -> AlertRecord:
        """Fill in what was live for an alert that stands in a file alone, and that it was left alone for long."""
        if not record.actions:
            left = self._left_alone(record.type, record.severity, micros(record.at))
            alone = [] if left is None else [Action(IGNORED, "", moment(left), automatic=True)]
            record = replace(record, actions=alone)
        if record.known != _IN_A_FILE:
            return record
        stage = record.about.get("stage") or self._default_stage
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


def _file_roots(snapshot: Snapshot, gone: Container[object]) -> Mapping[bytes, Reader]:
    """Return the alert files of a snapshot as batches; what is in one depends on its path and bytes alone.

    Those that are `gone` have none, though the table may know them from before.
    """
    roots: dict[bytes, Reader] = {}
    for path, artifact in snapshot.artifacts.items():
        if artifact.kind == ALERTS_KIND and artifact.id not in gone:
            name = f"alerts {_READ_AS}\0{path}\0{artifact.id}".encode()
            roots[blake3(name).digest()] = _reader(snapshot.source(path))
    return roots


def _unreadable(snapshot: Snapshot) -> Iterator[str]:
    for path, artifact in snapshot.artifacts.items():
        if artifact.kind == ALERTS_KIND and artifact.size <= _LOOKED_AT:
            try:
                read_alerts(snapshot.source(path))
            except Unreadable as error:
                yield f"{path}: no alert was read: {str(error).removeprefix(f'{path}: ')}"
            except Redacted as error:
                yield f"no alert was read: {error.message}"


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
