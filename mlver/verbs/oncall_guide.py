"""`oncall guide`: where to look first, for whoever has never seen this at three in the morning.

It joins what is known already: what fired on which release, how often that type ever mattered, what was done
the last time, whether that still stands, and what else came with the release. Nothing but facts and commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from statistics import median

from mlver.frozen import frozen
from mlver.index.alerts import AlertRow
from mlver.index.facts import moment
from mlver.objects.ids import CommitId
from mlver.repo.alert_book import AlertBook
from mlver.repo.alert_facts import ACTED, CRITICAL, UNRESOLVED, AlertRecord, to_alert
from mlver.repo.ledger import LedgerEntry, entry_at, ledger_of
from mlver.repo.mute_facts import Mute, mutes
from mlver.repo.produced import Produced
from mlver.repo.repository import Repository
from mlver.repo.since import Since
from mlver.repo.tenures import Health, last_good
from mlver.verbs.alert_outcomes import known_alerts
from mlver.verbs.alert_stats import wilson
from mlver.verbs.common import refs_by_commit
from mlver.verbs.guide_changes import kind_changes
from mlver.verbs.guide_next import alert_commands, guide_commands
from mlver.verbs.guide_result import GuidedAlert, GuideResult, LastTime, Mention, ReleaseChanges, Silenced
from mlver.verbs.guide_units import Mentions, fates

_SHOWN = 4
_OFTEN = 0.5
_SELDOM = 0.1  # of the alerts of a type that are behind us


def oncall_guide(repo: Repository, ids: Sequence[str] = (), *, limit: int | None = _SHOWN) -> GuideResult:
    """Return the alerts that wait for somebody (those of `ids`, if given), and what to know about each.

    First come those that wake people, then the types that mattered most often, then the newest. Muted
    ones are only counted. At most `limit` are told, the others counted. Raises UnknownRevision for an id
    that does not exist.
    """
    return _Guide(repo).of(ids, limit)


@frozen
class _Record:
    """How alerts of one type that are behind us ended."""

    settled: int = 0
    acted: int = 0
    to_action: float | None = None
    newest: str | None = None

    @property
    def share(self) -> float:
        """How likely the next one matters, by Laplace's rule: a type never seen is even."""
        return (self.acted + 1) / (self.settled + 2)

    @property
    def advice(self) -> str:
        """The record in a few words."""
        if not self.settled:
            return "nothing is known of this type yet"
        if not self.acted:
            return "never acted on so far"
        share = self.acted / self.settled
        return "look first" if share >= _OFTEN else "matters sometimes" if share >= _SELDOM else "seldom matters"


class _Guide:
    """Reads what all alerts share once."""

    def __init__(self, repo: Repository) -> None:
        self._repo, self._now = repo, repo.now()
        self._book, self._produced, self._mutes = AlertBook(repo), Produced(repo), mutes(repo)
        self._rows = self._book.briefs()
        self._ledgers: dict[str, list[LedgerEntry]] = {}
        self._releases: dict[tuple[str, str, CommitId], ReleaseChanges] = {}
        self._since: dict[CommitId, Since] = {}
        self._mentions: dict[tuple[CommitId, CommitId | None], Mentions] = {}

    def of(self, ids: Sequence[str], limit: int | None) -> GuideResult:
        """Return the guide."""
        known = self._records()
        muted: tuple[Silenced, ...] = ()
        if ids:
            records = known_alerts(self._book, ids)
        else:
            waiting = [row for row in self._rows if row.outcome in UNRESOLVED]
            heard = [row for row in waiting if self._mute(row) is None]
            muted = self._silenced(waiting)
            heard.sort(key=lambda row: self._rank(row.severity, known.get(row.type), row.at))
            found = self._book.records([row.id for row in heard[:limit]])
            records = list(found.values())
        told = records if limit is None or ids else records[:limit]
        alerts = [self._alert(record, known.get(record.type) or _Record()) for record in told]
        more = 0 if ids else len(heard) - len(told)
        releases = tuple(self._releases.values())
        typed = guide_commands(alerts, releases)
        return GuideResult(self._now, tuple(alerts), more, muted, releases, typed, self._book.unread())

    def _rank(self, severity: str, record: _Record | None, at: int) -> tuple[bool, float, int]:
        return severity not in CRITICAL, -(record or _Record()).share, -at

    def _records(self) -> dict[str, _Record]:
        settled: dict[str, list[AlertRow]] = {}
        for row in self._rows:
            if row.outcome not in UNRESOLVED or row.acted_at is not None:
                settled.setdefault(row.type, []).append(row)
        return {type: _record(rows) for type, rows in settled.items()}

    def _mute(self, row: AlertRow) -> Mute | None:
        over = [m for m in self._mutes if m.covers(row.type, row.stage, row.scope, moment(row.at))]
        return max(over, key=lambda mute: mute.end, default=None)

    def _silenced(self, waiting: Sequence[AlertRow]) -> tuple[Silenced, ...]:
        found: dict[str, Silenced] = {}
        for row in waiting:
            if (mute := self._mute(row)) is not None:
                before = found.get(row.type)
                found[row.type] = Silenced(row.type, (before.count if before else 0) + 1, mute.end, mute.reason)
        return tuple(found[name] for name in sorted(found))

    def _alert(self, record: AlertRecord, known: _Record) -> GuidedAlert:
        stage, scope = record.about.get("stage", ""), record.about.get("scope", "")
        served = self._served(stage, scope, record.at) if record.live else None
        now = self._served(stage, scope, None) if stage else None
        release = self._release(stage, scope, record.live, now) if record.live and stage else None
        me = self._repo.actor
        last: LastTime | None = None
        mentions: tuple[Mention, ...] = ()
        start = record.live or self._repo.view.head
        if start is not None:
            last = self._last(known, start, me)
            mentions = self._mentions_of(start, release.good if release else None, me).of(record)
        low, high = wilson(known.acted, known.settled)
        guided = GuidedAlert(
            alert=to_alert(record, self._produced.finish),
            advice=known.advice,
            first=known.settled > 0 and known.acted / known.settled >= _OFTEN,
            settled=known.settled,
            acted=known.acted,
            low=low,
            high=high,
            to_action=known.to_action,
            subject=self._repo.commit(record.live).subject if record.live else None,
            served_since=served.since if served else None,
            served_by=served.live.actor if served else None,
            now=now.live.commit if now else None,
            last=last,
            mentions=mentions,
        )
        return replace(guided, next=alert_commands(guided))

    def _served(self, stage: str, scope: str, at: datetime | None) -> LedgerEntry | None:
        if stage not in self._ledgers:
            self._ledgers[stage] = ledger_of(self._repo, stage)
        return entry_at(self._ledgers[stage], scope, at)

    def _last(self, known: _Record, start: CommitId, me: str) -> LastTime | None:
        record = self._book.records([known.newest]).get(known.newest) if known.newest else None
        acted = [action for action in record.actions if action.outcome == ACTED] if record else []
        if record is None or not acted:
            return None
        action = self._produced.finish(record, acted[-1])
        return LastTime(record.id, action, fates(self._repo, action, self._since_of(start), me))

    def _since_of(self, start: CommitId) -> Since:
        if start not in self._since:
            self._since[start] = Since(self._repo, start)
        return self._since[start]

    def _mentions_of(self, start: CommitId, good: CommitId | None, me: str) -> Mentions:
        slot = (start, good)
        if slot not in self._mentions:
            self._mentions[slot] = Mentions(self._repo, self._since_of(start), good, me)
        return self._mentions[slot]

    def _release(self, stage: str, scope: str, bad: CommitId, now: LedgerEntry | None) -> ReleaseChanges:
        """Return what lies between a release and the last healthy one before it, or the one that replaced it."""
        part = now.scope if now else ""
        slot = (stage, part, bad)
        if slot in self._releases:
            return self._releases[slot]
        passed: tuple[str, ...] = ()
        live = now is None or now.live.commit == bad
        if now is not None and not live:
            good: CommitId | None = now.live.commit
        else:
            choice = last_good(self._repo, stage, scope, Health(self._repo, stage))
            good, passed = choice.commit, choice.passed
        changes = kind_changes(self._repo, good, bad, self._since_of(bad)) if good else ()
        self._releases[slot] = ReleaseChanges(
            stage=stage,
            scope=part,
            good=good,
            good_name=self._name(good) if good else "",
            good_subject=self._repo.commit(good).subject if good else "",
            bad=bad,
            live=live,
            changes=changes,
            passed=passed,
        )
        return self._releases[slot]

    def _name(self, commit: CommitId) -> str:
        """Return a tag of a commit, else its short id: what one would type."""
        tags = self._repo.view.tags
        return next((name for name in refs_by_commit(self._repo).get(commit, ()) if name in tags), commit.short)


def _record(rows: Sequence[AlertRow]) -> _Record:
    acted = [row for row in rows if row.acted_at is not None]
    waits = [row.acted_at - row.at for row in acted if row.acted_at is not None and row.acted_at > row.at]
    newest = max(acted, key=lambda row: (row.acted_at or 0, row.id), default=None)
    return _Record(len(rows), len(acted), median(waits) / 1e6 if waits else None, newest.id if newest else None)
