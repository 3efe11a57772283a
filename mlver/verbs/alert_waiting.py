"""Which alerts wait for somebody: open ones, those that have waited for long, and those that a mute hides."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mlver.frozen import frozen
from mlver.index.facts import moment
from mlver.repo.repository import Repository

if TYPE_CHECKING:
    from mlver.repo.alert_book import AlertBook
    from mlver.repo.mute_facts import Mute

LONG = timedelta(days=7)


@frozen
class OldAlert:
    """An alert that has been open for a week or longer: waiting it out is what people do when nobody asks."""

    id: str
    type: str
    at: datetime
    days: int


@frozen
class WaitingAlerts:
    """Ids of open alerts that nobody muted, newest first; the `old` of them, oldest first; and the `muted` ones."""

    open: tuple[str, ...] = ()
    old: tuple[OldAlert, ...] = ()
    muted: tuple[str, ...] = ()


def waiting_alerts(repo: Repository, *, as_of: datetime | None = None, long: timedelta = LONG) -> WaitingAlerts:
    """Return the alerts that nobody has done anything about, now or as known at `as_of`."""
    from mlver.repo.alert_book import AlertBook
    from mlver.repo.mute_facts import mutes

    book, now = AlertBook(repo, as_of), as_of or repo.now()
    picked = book.picked(open=True)
    hidden = _hidden(book, mutes(repo, as_of)) if picked else set()
    heard = [one for one in picked if one.id not in hidden]
    old = [OldAlert(one.id, one.type, at, (now - at).days) for one in heard if now - (at := moment(one.at)) >= long]
    return WaitingAlerts(
        open=tuple(one.id for one in heard),
        old=tuple(sorted(old, key=lambda one: (one.at, one.id))),
        muted=tuple(one.id for one in picked if one.id in hidden),
    )


def _hidden(book: AlertBook, muted: list[Mute]) -> set[str]:
    """Return the ids of open alerts that fired under a mute."""
    found: set[str] = set()
    for mute in muted:
        ids = book.chosen(mute.type, mute.since, mute.end, open=True)
        for record in book.records(ids).values():
            if mute.covers(record.type, record.about.get("stage"), record.about.get("scope"), record.at):
                found.add(record.id)
    return found
