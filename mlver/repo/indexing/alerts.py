"""Alerts as rows, folded from all that is known of each: those of the fact log, and of the alert files of HEAD."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from mlver.index.history.database import HistoryIndex
from mlver.objects.time import format_time
from mlver.repo.alert_book import ALERTS_KIND, AlertBook
from mlver.repo.alert_facts import ACTION, ALERT, OPEN, Action, AlertRecord

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

FILES = "alert files"
_AT_ONCE = 2000


class AlertRows:
    """Keeps the rows of alerts in step with what is known of them."""

    def __init__(self, repo: Repository, index: HistoryIndex) -> None:
        self._repo, self._index = repo, index

    def update(self, touched: set[str] | None) -> None:
        """Fold the alerts `touched` again, or all of them: when it is None, or the alert files of HEAD changed.

        What stands in a file alone is bound to what was live, so a move of a stage counts as a change of files.
        """
        files = self._files()
        if touched is None or files != self._index.state(FILES):
            for table in ("alerts", "alert_events"):
                self._index.run(f"DELETE FROM {table}")  # noqa: S608
            self._index.delete_texts("source IN (?, ?)", (ALERT, ACTION))
            self._index.note(FILES, files)
            self._fold(AlertBook(self._repo).chosen())
        elif touched:
            for id in touched:
                self._index.run("DELETE FROM alerts WHERE id = ?", (id,))
                self._index.run("DELETE FROM alert_events WHERE alert_id = ?", (id,))
                self._index.delete_texts("source IN (?, ?) AND about = ?", (ALERT, ACTION, id))
            self._fold(sorted(touched))

    def _files(self) -> str | None:
        """Return what rows of alerts in files depend on, as one text; None when there are no such files."""
        artifacts = self._repo.head_snapshot().artifacts.values()
        files = [f"{one.path}\0{one.id}" for one in artifacts if one.kind == ALERTS_KIND]
        if not files:
            return None
        ledger = self._index.select("SELECT stage, scope, commit_id, since, until FROM deployments ORDER BY rowid")
        default = self._repo.settings.get("stage.default")
        return blake3(f"{files} {default} {ledger}".encode()).hexdigest()

    def _fold(self, ids: Iterable[str]) -> None:
        book, pending = AlertBook(self._repo), iter(ids)
        recorded = {row[0] for row in self._index.select("SELECT DISTINCT alert_id FROM facts WHERE type = 'alert'")}
        while some := list(islice(pending, _AT_ONCE)):
            alerts, events, texts = [], [], []
            for record in book.records(some).values():
                alerts.append(_alert_row(record, "log" if record.id in recorded else "file"))
                events += _event_rows(record)
                texts += _text_rows(record)
            self._index.insert("alerts", alerts)
            self._index.insert("alert_events", events)
            self._index.insert_texts(texts)


def _taken(record: AlertRecord) -> list[Action]:
    """Return what somebody did. That an alert was left alone depends on the time of the question."""
    return [action for action in record.actions if not action.automatic]


def _alert_row(record: AlertRecord, source: str) -> tuple[Any, ...]:
    live = record.live.hex() if record.live else None
    actions = _taken(record)
    state = actions[-1].outcome if actions else OPEN
    return (
        record.id, record.type, record.severity, state, format_time(record.at), record.about.get("stage"),
        record.about.get("scope"), live, record.summary, len(actions), source,
    )  # fmt: skip


def _event_rows(record: AlertRecord) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = [(record.id, "fired", format_time(record.at), None, None, None, None, None)]
    for action in _taken(record):
        commits: list[str | None] = [commit.hex() for commit in action.commits]
        event = (
            record.id,
            action.outcome,
            format_time(action.at),
            action.by or None,
            action.did,
            action.reason,
            action.ticket,
        )
        rows += ((*event, commit) for commit in commits or [None])
    return rows


def _text_rows(record: AlertRecord) -> list[tuple[Any, ...]]:
    live = record.live.hex() if record.live else None
    text = " · ".join(filter(None, (record.type, record.summary)))
    done = [(" · ".join(filter(None, (one.did, one.reason, one.ticket))), one) for one in _taken(record)]
    return [
        (text, ALERT, record.id, live, format_time(record.at), None),
        *((said, ACTION, record.id, live, format_time(one.at), one.by or None) for said, one in done if said),
    ]
