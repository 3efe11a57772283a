"""Which commit a stage can safely go back to: its tenures, newest first, and what speaks against each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from mlver.frozen import frozen
from mlver.objects.ids import CommitId
from mlver.objects.state import EVERYONE, Live, Move
from mlver.repo.alert_book import open_critical
from mlver.repo.move_log import recorded_moves
from mlver.repo.note_facts import BAD, marks
from mlver.repo.release_store import redacted_in, release_of

if TYPE_CHECKING:
    from mlver.repo.repository import Repository

ROLLBACK, PROMOTE, UNDO = "rollback", "promote", "undo"


@frozen
class Tenure:
    """`live` served from `since` on, until `next` took over by the action `ended` (None: serves now)."""

    live: Live
    since: datetime
    next: Live | None = None
    ended: str | None = None


def tenures(repo: Repository, stage: str, scope: str) -> Iterator[Tenure]:
    """Yield what served `scope` on `stage`, newest first."""
    current: Live | None = None
    since, next_, ended = repo.now(), None, None
    after: Live | None = None
    by: str | None = None
    for live, time, how in _served(iter(recorded_moves(repo, stage)), scope):
        if live != current:
            if current is not None:
                yield Tenure(current, since, next_, ended)
            current, next_, ended = live, after, by
        since, after, by = time, live, how
    if current is not None:
        yield Tenure(current, since, next_, ended)


def _served(stream: Iterator[Move], scope: str) -> Iterator[tuple[Live | None, datetime, str | None]]:
    """Yield (what served `scope`, since when, by which action), newest first, from the moves of its stage."""
    wanted = (scope, EVERYONE)
    line = (move for move in stream if move.scope in wanted)
    ahead: deque[Move] = deque()

    def last(of: str) -> Live | None:
        found = next((move for move in ahead if move.scope == of), None)
        while found is None and (move := next(line, None)) is not None:
            ahead.append(move)
            found = move if move.scope == of else None
        return found.live if found else None

    now = {of: last(of) for of in wanted}
    while ahead:
        move = ahead.popleft()
        live = now[scope] or now[EVERYONE]
        yield live, move.time, UNDO if move.undo else live.action if live else None
        now[move.scope] = last(move.scope)
        while ahead and ahead[0].operation == move.operation:  # an undo moves several at once
            also = ahead.popleft()
            now[also.scope] = last(also.scope)


class Health:
    """What is known against commits on one stage (None: on any), as of now."""

    def __init__(self, repo: Repository, stage: str | None) -> None:
        self._marks = marks(repo) if repo.view.facts else {}
        self._alerts = open_critical(repo) if repo.view.facts else {}
        self._repo, self._stage = repo, stage

    def fault(self, commit: CommitId) -> str | None:
        """Return why nobody should go back to a commit, None when nothing is known against it."""
        if self._stage is not None and self._repo.redactions():
            gone = redacted_in(self._repo, release_of(self._repo.snapshot(commit), self._stage))
            if gone is not None:
                return f"{gone.paths[0]} was {gone.words}"
        if self._marks.get(commit) == BAD:
            return "marked bad"
        alerts = [
            alert
            for alert in self._alerts.get(commit, ())
            if None in (alert.stage, self._stage) or alert.stage == self._stage
        ]
        if not alerts:
            return None
        more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
        return f"alert {alerts[0].id} ({alerts[0].severity}) is open{more}"


@frozen
class Choice:
    """The commit to go back to, None when there is none, and why newer ones were passed over, a line each."""

    commit: CommitId | None
    passed: tuple[str, ...]


def last_good(repo: Repository, stage: str, scope: str, health: Health) -> Choice:
    """Return the newest earlier commit of the ledger that is healthy and was not rolled back from."""
    passed: dict[CommitId, str] = {}
    current: CommitId | None = None
    for tenure in tenures(repo, stage, scope):
        commit = tenure.live.commit
        if current is None:
            current = commit
        if commit == current or commit in passed or tenure.ended == UNDO:
            continue
        fault = health.fault(commit)
        if fault is None and tenure.ended == ROLLBACK and tenure.next is not None and tenure.next.commit != commit:
            fault = _left(tenure.next)
        if fault is None:
            return Choice(commit, tuple(passed.values()))
        passed[commit] = f"{commit.short}: {fault}"
    return Choice(None, tuple(passed.values()))


def _left(next_: Live) -> str:
    reason = f": {next_.reason}" if next_.reason else ""
    return f"rolled back from by {next_.actor} at {next_.since:%Y-%m-%d %H:%M}{reason}"
