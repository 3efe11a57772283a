"""`suspect`: which rules, commits and rows have to do with some bad predictions, and not with the others.

Every suspect is scored by how many of the bad ones it touches less how many of the others it does: the flagged
outputs of mltrace (S. Shankar and A. Parameswaran, Towards observability for production ML pipelines, 2022),
with the innocent ones counted against it (W. J. Youden, Index for rating diagnostic tests, Cancer 3, 1950).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from mlver.errors import Refused, UnknownRevision, UsageError
from mlver.frozen import frozen
from mlver.kinds.base import MISSING, Unreadable, same
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.repo.history import walk
from mlver.repo.repository import Repository
from mlver.repo.rulebook import RULES_KIND, RuleFile, rule_files
from mlver.repo.snapshot import Snapshot, changed_paths
from mlver.verbs.rule_data import Tested, find_data

COMMIT, RULE, ROW = "commit", "rule", "row"
_SERVED = ("model", "config", "code")  # what every prediction goes through
_ASIDE = ("alerts", "metrics", "file")
_ROWS_READ = 20_000  # changed rows of a table whose slices are looked at


@frozen
class Suspect:
    """One suspect: a `rule`, a `commit` or a `row` of the training data.

    It touches `bad` of the bad predictions and `others` of the rest; `score` is the one share less the other.
    `what` says how. A rule that is not in force any more was `removed` by `commit`.
    """

    sort: str
    name: str
    bad: int
    others: int
    score: float
    what: str
    commit: CommitId | None = None
    author: str | None = None
    time: datetime | None = None
    why: str | None = None


@frozen
class SuspectResult(Result):
    """Suspects, the strongest first, for `ids` among `rows` predictions; changes after `good` up to `bad` count."""

    schema: ClassVar[str] = "mlver.suspect/v1"
    ids: tuple[str, ...]
    data: str
    data_id: BlobId
    rows: int
    good: CommitId
    bad: CommitId
    by: str | None
    suspects: tuple[Suspect, ...]


def suspect(
    repo: Repository, ids: Sequence[str], data: str, *, good: str, bad: str = "HEAD", by: str | None = None
) -> SuspectResult:
    """Rank rules, commits and rows by how many of the predictions `ids` (keys of rows in `data`) they touch.

    A rule touches the rows it fires on; a commit those whose rules it changed fire otherwise, with `by` those in
    the slices (values of that column) whose rows it changed, else all. Raises UnknownRevision naming an id that
    `data` has no row of.
    """
    repo.refresh()
    first, last = repo.resolve(good), repo.resolve(bad)
    case = _Case(repo, Tested(find_data(repo, data, bad)), ids, by)
    found = [*case.rules(first, last), *case.commits(first, last), *case.rows(last)]
    ranked = sorted(found, key=lambda one: (-one.score, -one.bad, one.sort != RULE, one.name))
    table = case.tested
    return SuspectResult(
        ids=tuple(ids),
        data=table.data.path,
        data_id=table.data.id,
        rows=table.table.rows,
        good=first,
        bad=last,
        by=by,
        suspects=tuple(one for one in ranked if one.bad),
    )


class _Case:
    """The predictions in question, and what touches them."""

    def __init__(self, repo: Repository, tested: Tested, ids: Sequence[str], by: str | None) -> None:
        from mlver.kinds.predicates.outcome import positions

        self.tested, self._repo, self._by = tested, repo, by
        names = tested.table.keys(positions(range(tested.table.rows)), tested.table.rows)
        where = {name: n for n, name in enumerate(names)}
        if missing := [id for id in ids if id not in where]:
            hint = f"its rows go by names such as {names[0]}" if names else "it has no rows"
            raise UnknownRevision(f"{tested.data.path} has no row {missing[0]}", hint=hint)
        if not ids:
            raise UsageError("no prediction named", hint="mlver suspect ID... --on DATA --good REV")
        self._bad = {where[id] for id in ids}
        self._ids = set(ids)
        self._fired: dict[tuple[BlobId, str], set[int]] = {}

    def _score(self, touched: Collection[int]) -> tuple[int, int, float]:
        rows = self.tested.table.rows
        bad = len(self._bad & set(touched))
        others = len(touched) - bad
        innocent = rows - len(self._bad)
        return bad, others, bad / len(self._bad) - (others / innocent if innocent else 0.0)

    # -- rules -----------------------------------------------------------------------------------

    def rules(self, first: CommitId, last: CommitId) -> Iterator[Suspect]:
        """Yield the rules in force at either end that fire on any of the bad ones."""
        files = {id: list(_files(self._repo.snapshot(id))) for id in (first, last)}
        now = {(file.path, key) for file in files[last] for key in file.rules}
        seen: set[tuple[str, str]] = set()
        for id in (last, first):
            for file in files[id]:
                for key in file.rules:
                    if (file.path, key) in seen or not (touched := self._fires(file, key)):
                        continue
                    seen.add((file.path, key))
                    what = "fires on them" if (file.path, key) in now else "fired on them, and was removed"
                    yield Suspect(RULE, f"{file.path}#{key}", *self._score(touched), what)

    def _fires(self, file: RuleFile, key: str) -> set[int]:
        """Return the rows on which a rule fires; none when it cannot be tested here."""
        if (file.id, key) not in self._fired:
            alone = replace(file, rules={key: file.rules[key]})
            try:
                self._fired[file.id, key] = set(map(int, self.tested.outcomes(alone)[key].positions))
            except (UsageError, Refused):  # `rules check` says what is wrong with it
                self._fired[file.id, key] = set()
        return self._fired[file.id, key]

    # -- commits ---------------------------------------------------------------------------------

    def commits(self, first: CommitId, last: CommitId) -> Iterator[Suspect]:
        """Yield the commits after `first` up to `last` by what they touch."""
        for id, commit in walk(self._repo, [last], [first]):
            before = commit.parents[0] if commit.parents else None
            touched: set[int] = set()
            said: list[str] = []
            old_tree = self._repo.commit(before).tree if before else None
            for path, old, new in changed_paths(self._repo.store, old_tree, commit.tree):
                kind = (new or old).kind  # type: ignore[union-attr]
                rows, how = self._touched(before, id, path, kind)
                touched |= rows
                said += [how] if how else []
            if touched:
                yield Suspect(
                    COMMIT, id.short, *self._score(touched), "; ".join(said), id, commit.author, commit.time, commit.why
                )

    def _touched(self, before: CommitId | None, id: CommitId, path: str, kind: str) -> tuple[set[int], str]:
        if kind in _ASIDE or path == self.tested.data.path:
            return set(), ""
        everything = set(range(self.tested.table.rows))
        if kind == RULES_KIND:
            return self._decided_otherwise(before, id, path)
        if kind in _SERVED:
            return everything, f"{path}: every prediction goes through it"
        if self._by is None:
            return everything, f"{path}: models learn from it"
        return self._by_slice(before, id, path)

    def _decided_otherwise(self, before: CommitId | None, id: CommitId, path: str) -> tuple[set[int], str]:
        old, new = (_rules_at(self._repo, commit, path) for commit in (before, id))
        names = [
            key
            for key in dict.fromkeys([*(old.rules if old else ()), *(new.rules if new else ())])
            if not same(
                old.rules.get(key, MISSING) if old else MISSING, new.rules.get(key, MISSING) if new else MISSING
            )
        ]
        touched: set[int] = set()
        for key in names:
            sides = [self._fires(file, key) if file and key in file.rules else set[int]() for file in (old, new)]
            touched |= sides[0] ^ sides[1]
        return touched, f"{path}: {', '.join(names)} decides otherwise" if touched else ""

    def _by_slice(self, before: CommitId | None, id: CommitId, path: str) -> tuple[set[int], str]:
        """Return the predictions in the slices whose rows a commit changed."""
        assert self._by is not None
        old, new = (self._repo.snapshot(commit) if commit else None for commit in (before, id))
        slices: set[str] = set()
        try:
            units = [snapshot.units(path) if snapshot and path in snapshot else None for snapshot in (old, new)]
        except Unreadable:
            return set(), ""
        if units[0] is None or units[1] is None:
            return set(range(self.tested.table.rows)), f"{path}: models learn from it"
        delta = units[0].delta(units[1])
        for key in [*delta.added, *delta.changed, *delta.removed][:_ROWS_READ]:
            row = units[1].get(key) if units[1].get(key) is not MISSING else units[0].get(key)
            if isinstance(row, dict) and self._by in row:
                slices.add(str(row[self._by]))
        touched = {n for n, value in enumerate(self._values()) if value in slices}
        named = ", ".join(f"{self._by}={value}" for value in sorted(slices))
        return touched, f"{path}: rows of {named}" if touched else ""

    def _values(self) -> Sequence[str]:
        assert self._by is not None
        return self.tested.slices(self._by).texts

    # -- rows ------------------------------------------------------------------------------------

    def rows(self, last: CommitId) -> Iterator[Suspect]:
        """Yield the rows of other tables that go by the very names of the bad predictions."""
        snapshot = self._repo.snapshot(last)
        for path, artifact in snapshot.artifacts.items():
            if artifact.kind != "data" or path == self.tested.data.path:
                continue
            try:
                units = snapshot.units(path)
            except Unreadable:
                continue
            for id in sorted(self._ids):
                if units.get(id) is not MISSING:
                    yield Suspect(ROW, f"{path}#{id}", 1, 0, 1 / len(self._ids), "goes by the same name")


def _files(snapshot: Snapshot) -> Iterator[RuleFile]:
    try:
        yield from rule_files(snapshot, strict=False)
    except UnknownRevision:  # there are none
        return


def _rules_at(repo: Repository, commit: CommitId | None, path: str) -> RuleFile | None:
    snapshot = repo.snapshot(commit) if commit else None
    if snapshot is None or path not in snapshot:
        return None
    return next(rule_files(snapshot, path, strict=False), None)
