"""`rules list`: every rule with its age, its owner, its reason, how often it fired, and what needs attention."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import ClassVar, Final

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.index.facts import moment
from mlver.kinds.base import Unreadable
from mlver.kinds.rule_about import About, about
from mlver.objects.ids import CommitId
from mlver.objects.result import Result
from mlver.objects.time import parse_time
from mlver.repo.ablation_facts import REMOVABLE, Ablation, ablations
from mlver.repo.alert_book import AlertBook
from mlver.repo.attribute import attribute, unit_tracer
from mlver.repo.firing_facts import FiredSoFar, fired_so_far, firings
from mlver.repo.outdated import Moved, Outdated
from mlver.repo.people import People, people
from mlver.repo.repository import Repository
from mlver.repo.rulebook import RULES_KIND, RuleFile, rule_files
from mlver.repo.snapshot import Snapshot
from mlver.repo.unit_reader import UnitReader

_SOON = timedelta(days=14)
EXPIRED: Final = "expired"
MALFORMED: Final = "malformed"
OWNER_LEFT: Final = "owner left"
EXPIRES_SOON: Final = "expires soon"
STALE: Final = "ablation is stale"
CAN_GO: Final = "can go"
NEVER_FIRED: Final = "never fired"
NEVER_TESTED: Final = "never tested"
NO_OWNER: Final = "nobody owns it"
NO_REASON: Final = "no reason"
_ORDER: Final = (
    EXPIRED, MALFORMED, OWNER_LEFT, EXPIRES_SOON, STALE, CAN_GO, NEVER_FIRED, NEVER_TESTED, NO_OWNER, NO_REASON,
)  # fmt: skip
_WORD = re.compile(r"[^\s.:/,;()\[\]{}=]+")


@frozen
class LastAblation:
    """What was found when the rule was last switched off; `stale` names what changed since, and by which commit."""

    verdict: str
    why: str
    at: datetime
    by: str
    commit: CommitId
    data: str
    stale: tuple[Moved, ...] = ()


@frozen
class ListedRule:
    """One rule. `attention` says what about it needs somebody, the most pressing first.

    `commit`, `author` and `changed` are of the commit that last changed it, None in the work tree alone. `owner`
    is who it says, else its author; `left` when they left. `fired` counts what `rules check` found, `last_fired`
    also knows of alerts that name the rule.
    """

    id: str
    path: str
    text: str
    owner: str | None
    left: datetime | None
    why: str | None
    ticket: tuple[str, ...]
    patches: str | None
    expires: datetime | None
    commit: CommitId | None
    author: str | None
    changed: datetime | None
    fired: FiredSoFar
    last_fired: datetime | None
    alerts: int
    ablation: LastAblation | None
    attention: tuple[str, ...]
    problem: str | None = None


@frozen
class RulesListResult(Result):
    """Rules in the order in which somebody should look at them. `unread` are files of rules that can't be read."""

    schema: ClassVar[str] = "mlver.rules-list/v1"
    rev: CommitId | None
    now: datetime
    rules: tuple[ListedRule, ...]
    unread: tuple[tuple[str, str], ...] = ()
    of: int = 0


def list_rules(
    repo: Repository,
    *,
    rev: str | None = None,
    rules: str | None = None,
    never_fired: bool = False,
    owner_left: bool = False,
    expired: bool = False,
) -> RulesListResult:
    """Return all rules of the work tree, or of `rev`, those that need attention first.

    `never_fired` (or never tested), `owner_left` and `expired` keep those of which that holds. `rules` names one
    file, or PATH#RULE. Raises UsageError for malformed entries of `[people.NAME]`.
    """
    commit = repo.resolve(rev) if rev else None
    snapshot = repo.snapshot(commit) if commit else repo.work_snapshot()
    unread = tuple(_unread(snapshot)) if rules is None else ()
    lister = _Lister(repo, snapshot)
    found = [rule for file in _files(snapshot, rules) for rule in lister.file(file)]
    wanted = [({NEVER_FIRED, NEVER_TESTED}, never_fired), ({OWNER_LEFT}, owner_left), ({EXPIRED}, expired)]
    kept = [rule for rule in found if all(words & {*rule.attention} for words, on in wanted if on)]
    sizes = {rule.path: sum(other.path == rule.path for other in kept) for rule in kept}
    kept.sort(key=lambda rule: (_pressing(rule), sizes[rule.path], rule.path))
    return RulesListResult(commit, repo.now(), tuple(kept), unread, len(found))


def _pressing(rule: ListedRule) -> int:
    return _ORDER.index(rule.attention[0]) if rule.attention else len(_ORDER)


def _files(snapshot: Snapshot, wanted: str | None) -> Iterator[RuleFile]:
    if wanted or any(artifact.kind == RULES_KIND for artifact in snapshot.artifacts.values()):
        yield from rule_files(snapshot, wanted, strict=wanted is not None)


def _unread(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    for path, artifact in snapshot.artifacts.items():
        if artifact.kind == RULES_KIND:
            try:
                snapshot.units(path)
            except Unreadable as reason:
                yield path, str(reason)


class _Lister:
    """What is asked once for all rules: people, facts, alerts."""

    def __init__(self, repo: Repository, snapshot: Snapshot) -> None:
        self._repo, self._snapshot, self._now = repo, snapshot, repo.now()
        self._people: People = people(snapshot.project)
        self._fired: Mapping[tuple[str, str], FiredSoFar] = fired_so_far(firings(repo))
        self._ablations = list(ablations(repo))
        self._outdated = Outdated(repo, snapshot)
        self._alerts = _alerts_by_word(repo)

    def file(self, file: RuleFile) -> Iterator[ListedRule]:
        """Yield the rules of one file."""
        made = self._blame(file)
        for key, rule in file.rules.items():
            yield self._listed(file, key, about(rule), made.get(key))

    def _blame(self, file: RuleFile) -> Mapping[str, CommitId]:
        """Return which commit last changed each rule; a rule that only the work tree has is not there."""
        start = self._snapshot.commit or self._repo.view.head
        if start is None or file.path not in self._repo.snapshot(start):
            return {}
        reader = UnitReader(self._repo, file.path, file.kind.name, self._snapshot.spec(file.path))
        committed = reader.units(start)
        if committed is None:
            return {}
        here = committed.delta(self._snapshot.units(file.path))
        fresh = {*here.added, *here.changed}
        return attribute(self._repo, start, [key for key in file.rules if key not in fresh], unit_tracer(reader))

    def _listed(self, file: RuleFile, key: str, says: About, made: CommitId | None) -> ListedRule:
        commit = self._repo.commit(made) if made else None
        owner = says.owner or (commit.author if commit else None)
        fired = self._fired.get((file.path, key), FiredSoFar())
        alerts = self._alerts.get(key, ())
        expires, problem = self._expires(file, key, says.expires)
        last = max((at for at in (fired.last, *alerts) if at), default=None)
        ablation = self._ablation(file, key)
        left = self._people.left(owner, self._now)
        ticket = (says.ticket,) if says.ticket else (commit.trailers.get("ticket", ()) if commit else ())
        why = says.why or (commit.why if commit else None)
        attention = {
            EXPIRED: expires is not None and expires <= self._now,
            MALFORMED: problem is not None,
            OWNER_LEFT: left is not None,
            EXPIRES_SOON: expires is not None and self._now < expires <= self._now + _SOON,
            STALE: ablation is not None and bool(ablation.stale),
            CAN_GO: ablation is not None and not ablation.stale and ablation.verdict == REMOVABLE,
            NEVER_FIRED: last is None and fired.tables > 0,
            NEVER_TESTED: last is None and not fired.tables,
            NO_OWNER: says.owner is None,
            NO_REASON: says.why is None and not (commit and commit.trailers.get("why")),
        }
        return ListedRule(
            id=key,
            path=file.path,
            text=_text(file, key),
            owner=owner,
            left=left,
            why=why,
            ticket=ticket,
            patches=says.patches,
            expires=expires,
            commit=made,
            author=commit.author if commit else None,
            changed=commit.time if commit else None,
            fired=fired,
            last_fired=last,
            alerts=len(alerts),
            ablation=ablation,
            attention=tuple(word for word in _ORDER if attention[word]),
            problem=problem,
        )

    def _expires(self, file: RuleFile, key: str, text: str | None) -> tuple[datetime | None, str | None]:
        if text is None:
            return None, None
        try:
            return parse_time(text), None
        except UsageError:
            return None, f"{file.where(key)}: expires is no date: {text[:40]!r}"

    def _ablation(self, file: RuleFile, key: str) -> LastAblation | None:
        """Return the newest answer about the rule; one that still holds goes before newer ones that do not."""
        found = [one for one in self._ablations if one.rules == file.path and one.answer(key)]
        if not found:
            return None
        found.reverse()  # of one moment, what was recorded last comes first
        found.sort(key=lambda one: one.at, reverse=True)
        aged = [(one, self._outdated.moved(one.inputs)) for one in found]
        one, stale = next((pair for pair in aged if not pair[1]), aged[0])
        return _last(one, key, stale)


def _last(one: Ablation, key: str, stale: tuple[Moved, ...]) -> LastAblation:
    answer = one.answer(key)
    assert answer is not None
    return LastAblation(answer.verdict, answer.why, one.at, one.by, one.commit, one.data, stale)


def _text(file: RuleFile, key: str) -> str:
    from mlver.kinds.rule_text import rule_text

    return rule_text(key, file.rules[key], said=False)


def _alerts_by_word(repo: Repository) -> Mapping[str, list[datetime]]:
    """Return when alerts fired, by every word of their types: an alert `R2.fired` or `rule:R2` is about R2."""
    found: dict[str, list[datetime]] = {}
    for alert in AlertBook(repo).briefs(placed=False):
        for word in {alert.type, *_WORD.findall(alert.type)}:
            found.setdefault(word, []).append(moment(alert.at))
    return found
