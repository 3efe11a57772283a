"""`rules backtest`: what a proposed bound or condition would have said of every past version of the data.

A version of the data has a time in which it was the current one, from the commit that brought it to the one that
brought the next. It was a bad one when an alert that somebody acted on fired in that time or is bound to a commit
that holds it, or when such a commit is marked bad.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from mlver.errors import NegativeAnswer, Refused, UsageError
from mlver.frozen import frozen
from mlver.index.facts import moment
from mlver.kinds.base import Value
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.repo.alert_book import AlertBook
from mlver.repo.note_facts import BAD, marks
from mlver.repo.past import Past
from mlver.repo.project import matches
from mlver.repo.repository import Repository
from mlver.verbs.rule_data import DataVersion, Tested

_FIELDS_HINT = "write --set 'mean radius.max=20,25,30' or --where 'age > 125'"


@frozen
class Proposal:
    """A rule to try: its name for people, and the rule as a file would write it."""

    name: str
    rule: Value
    column: str = ""


@frozen
class TestedVersion:
    """One version of the data under one proposal. `until` None: it is the current one.

    `hits` rows of `rows` fire (break the bound); None and `untested` when it could not be tested. `bad` says why
    the version was a bad one, empty when nothing is known against it.
    """

    path: str
    id: BlobId
    commit: CommitId
    since: datetime
    until: datetime | None
    rows: int
    hits: int | None
    bad: tuple[str, ...]
    untested: str | None = None

    @property
    def share(self) -> float:
        """The share of its rows that fire."""
        return (self.hits or 0) / self.rows if self.rows else 0.0


@frozen
class Backtest:
    """One proposal over all versions.

    It `fired` on that many; `true` of them were bad, `false` not known to be; `missed` were bad and it was silent.
    """

    name: str
    versions: tuple[TestedVersion, ...]
    fired: int
    true: int
    false: int
    missed: int


@frozen
class RulesBacktestResult(Result):
    """Proposals in the order they were given. `at_least` is the share of rows from which a version counts as fired."""

    schema: ClassVar[str] = "mlver.rules-backtest/v1"
    data: str
    at_least: float
    backtests: tuple[Backtest, ...]


def backtest_rules(
    repo: Repository,
    data: str,
    *,
    settings: Mapping[str, Sequence[Value]] | None = None,
    where: Sequence[str] = (),
    at_least: float = 0.0,
    timeout: float | None = None,
) -> RulesBacktestResult:
    """Try bounds (`{"mean radius.max": [20, 25]}`, one proposal a value) and conditions on all past versions of data.

    `data` is a path or a glob; every version that a branch, tag or stage leads to counts once. A version is fired on
    when more than the share `at_least` of its rows is (0: one row is enough). Raises UsageError for a proposal that
    makes no sense, Refused for a condition that reaches beyond the row, NegativeAnswer when there is no such data.
    """
    proposals = [*_bounds(settings or {}), *(Proposal(text, {"when": text}) for text in where)]
    if not proposals:
        raise UsageError("no bound and no condition to try", hint=_FIELDS_HINT)
    if not 0 <= at_least < 1:
        raise UsageError("the share of rows must be at least 0 and below 1")
    versions = list(_versions(repo, data))
    if not versions:
        raise NegativeAnswer(f"no version of {data} in the history", hint="mlver log")
    judged = _Judge(repo, versions)
    columns: dict[str, list[TestedVersion]] = {proposal.name: [] for proposal in proposals}
    for version in versions:
        for name, tested in _tested(repo, version, proposals, judged.bad(version), timeout):
            columns[name].append(tested)
    found = tuple(_backtest(name, rows, at_least) for name, rows in columns.items())
    if all(row.untested for one in found for row in one.versions):
        raise NegativeAnswer(f"no version of {data} could be tested: {found[0].versions[0].untested}")
    return RulesBacktestResult(data, at_least, found)


def _bounds(settings: Mapping[str, Sequence[Value]]) -> Iterator[Proposal]:
    for name, values in settings.items():
        column, dot, field = name.rpartition(".")
        if not dot or not column or not values:
            raise UsageError(f"not a bound: {name}", hint=_FIELDS_HINT)
        for value in values:
            yield Proposal(f"{name} = {value}", {field: value}, column)


@frozen
class _Version:
    path: str
    id: BlobId
    commit: CommitId
    since: datetime
    until: datetime | None
    holders: frozenset[CommitId]


def _versions(repo: Repository, pattern: str) -> Iterator[_Version]:
    """Yield every version of every matching table, oldest first, with the commits that hold none newer.

    Files of one pattern are one series: last week's file is no longer the current one when this week's has come.
    """
    found: dict[tuple[str, BlobId], list[CommitId]] = {}
    held: dict[CommitId, list[tuple[str, BlobId]]] = {}
    for id in Past(repo).commits():
        for path, artifact in repo.snapshot(id).artifacts.items():
            if artifact.kind == "data" and matches(path, pattern):
                found.setdefault((path, artifact.id), []).append(id)
                held.setdefault(id, []).append((path, artifact.id))
    since = {version: repo.commit(commits[0]).time for version, commits in found.items()}
    newest = {id: max(since[version] for version in versions) for id, versions in held.items()}
    for (path, blob), commits in found.items():
        began = since[path, blob]
        until = min((time for time in since.values() if time > began), default=None)
        current = frozenset(id for id in commits if newest[id] == began)
        yield _Version(path, blob, commits[0], began, until, current)


class _Judge:
    """Which versions were bad ones."""

    def __init__(self, repo: Repository, versions: Sequence[_Version]) -> None:
        self._marks = {commit for commit, mark in marks(repo).items() if mark == BAD} if repo.view.facts else set()
        acted = [alert for alert in AlertBook(repo).briefs() if alert.acted_at is not None]
        self._alerts = sorted(acted, key=lambda alert: alert.at)
        first = min(version.since for version in versions)
        self._alerts = [alert for alert in self._alerts if moment(alert.at) >= first]

    def bad(self, version: _Version) -> tuple[str, ...]:
        """Return why a version was a bad one."""
        marked = [f"{commit.short} is marked bad" for commit in version.holders & self._marks]
        alerts = []
        for alert in self._alerts:
            bound = alert.live is not None and any(alert.live == commit.hex() for commit in version.holders)
            at = moment(alert.at)
            if bound or (version.since <= at and (version.until is None or at < version.until)):
                alerts.append(f"{alert.id} {alert.type}")
        return (*sorted(marked), *alerts)


def _tested(
    repo: Repository, version: _Version, proposals: Sequence[Proposal], bad: tuple[str, ...], timeout: float | None
) -> Iterator[tuple[str, TestedVersion]]:
    from mlver.kinds.predicates.outcome import Forbidden, Malformed, NoColumn

    data = DataVersion(version.path, version.id, version.commit, repo.snapshot(version.commit))
    about = (version.path, version.id, version.commit, version.since, version.until)
    try:
        tested = Tested(data, seconds=timeout)
    except UsageError as error:
        for proposal in proposals:
            yield proposal.name, TestedVersion(*about, 0, None, bad, error.message)
        return
    with tested.table.open() as opened:
        for proposal in proposals:
            try:
                column = _close(proposal.column, tested.table.columns)
                outcome = opened.test(column, proposal.rule)
            except NoColumn as reason:
                yield proposal.name, TestedVersion(*about, tested.table.rows, None, bad, str(reason))
                continue
            except Malformed as reason:
                raise UsageError(f"{proposal.name}: {reason}", hint=_FIELDS_HINT) from None
            except Forbidden as reason:
                raise Refused(f"{proposal.name}: {reason}") from None
            hits = None if outcome.why_not else outcome.hits
            yield proposal.name, TestedVersion(*about, tested.table.rows, hits, bad, outcome.why_not)


def _close(name: str, columns: Sequence[str]) -> str:
    """Return the column that a name means: `mean_radius` is `mean radius` when there is no other."""
    if name in columns:
        return name
    folded = [column for column in columns if _folded(column) == _folded(name)]
    return folded[0] if len(folded) == 1 else name


def _folded(name: str) -> str:
    return name.casefold().replace(" ", "_").replace("-", "_")


def _backtest(name: str, rows: Sequence[TestedVersion], at_least: float) -> Backtest:
    known = [row for row in rows if row.hits is not None]
    fired = [bool(row.hits) and row.share > at_least for row in known]
    true = sum(bool(row.bad) for row, on in zip(known, fired, strict=True) if on)
    missed = sum(bool(row.bad) for row, on in zip(known, fired, strict=True) if not on)
    return Backtest(name, tuple(rows), sum(fired), true, sum(fired) - true, missed)
