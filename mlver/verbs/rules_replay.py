"""`rules replay`: whose decision is another under other rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from mlver.frozen import frozen
from mlver.kinds.base import Value, same, short_json
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.repo.repository import Repository
from mlver.repo.rulebook import RuleFile, rule_files
from mlver.repo.snapshot import Snapshot
from mlver.verbs.rule_data import DataVersion, Tested, find_data
from mlver.verbs.rules_check import SliceHits

if TYPE_CHECKING:
    from mlver.kinds.predicates.outcome import Outcome, Slices

WORK_TREE: Final = "."
_ACTIONS: Final = ("then", "action", "do", "effect")
_NOTHING: Final = "nothing"


@frozen
class RuleReplay:
    """One rule in both versions: `hits` then and now (None: not there, or not tested), and rows that differ.

    `change` is `added`, `removed`, `changed` or `same`; `untested` says why there is no answer.
    """

    id: str
    path: str
    change: str
    old_hits: int | None
    new_hits: int | None
    starts: int
    stops: int
    untested: str | None = None


@frozen
class Flip:
    """Rows whose decision went from `old` to `new`: how many, in which slices, and what names the first."""

    old: str
    new: str
    rows: int
    keys: tuple[str, ...]
    slices: tuple[SliceHits, ...] = ()


@frozen
class RulesReplayResult(Result):
    """Two versions of the rules on one table. `flips` are the decisions that differ, the most frequent first.

    `flipped` rows are decided otherwise, in all.
    """

    schema: ClassVar[str] = "mlver.rules-replay/v1"
    old: CommitId | None
    new: CommitId | None
    data: str
    data_id: BlobId
    rows: int
    by: str | None
    flips: tuple[Flip, ...]
    rules: tuple[RuleReplay, ...]
    flipped: int = 0


def replay_rules(
    repo: Repository,
    old: str,
    new: str,
    data: str,
    *,
    rules: str | None = None,
    by: str | None = None,
    limit: int = 10,
    timeout: float | None = None,
) -> RulesReplayResult:
    """Decide every row of a table by two versions of the rules, and return those whose decision differs.

    `old` and `new` are revisions, `.` the work tree. A row's decision is what the rules that fire on it say to
    do (`then`, `action`), or their ids; of a file with the option `order` the first that fires decides. Bounds
    and checks decide nothing. `rules` names one file or PATH#RULE. Errors are those of `check_rules`.
    """
    versions = [_snapshot(repo, word) for word in (old, new)]
    table = _data(repo, data, new)
    tested = Tested(table, seconds=timeout)
    sides = [_Side(tested, snapshot, rules) for snapshot in versions]
    slices = tested.slices(by) if by else None
    flips = tuple(_flips(tested, sides[0], sides[1], slices, limit))
    return RulesReplayResult(
        old=versions[0].commit,
        new=versions[1].commit,
        data=table.path,
        data_id=table.id,
        rows=tested.table.rows,
        by=by,
        flips=flips,
        rules=tuple(_rules(*sides)),
        flipped=sum(flip.rows for flip in flips),
    )


def _snapshot(repo: Repository, word: str) -> Snapshot:
    return repo.work_snapshot() if word == WORK_TREE else repo.snapshot(repo.resolve(word))


def _data(repo: Repository, data: str, new: str) -> DataVersion:
    return find_data(repo, data, None if new == WORK_TREE else new)


class _Side:
    """One version of the rules over the table."""

    def __init__(self, tested: Tested, snapshot: Snapshot, wanted: str | None) -> None:
        self.values: dict[tuple[str, str], Value] = {}
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        self._said: dict[int, dict[str, list[str]]] = {}  # row -> file -> what to do
        path = (wanted or "").partition("#")[0]
        files: Sequence[RuleFile] = list(rule_files(snapshot, wanted)) if not path or path in snapshot else []
        for file in files:
            self._take(file, tested.outcomes(file))

    def _take(self, file: RuleFile, outcomes: Mapping[str, Outcome]) -> None:
        first = file.snapshot.spec(file.path).options.get("order") is True
        for key, outcome in outcomes.items():
            self.values[file.path, key] = file.rules[key]
            self.outcomes[file.path, key] = outcome
            if outcome.sort != "condition":
                continue
            action = _action(key, file.rules[key])
            for row in outcome.positions.tolist():
                said = self._said.setdefault(row, {}).setdefault(file.path, [])
                if action not in said and not (first and said):
                    said.append(action)

    def decisions(self) -> dict[int, str]:
        """Return what is decided about every row on which a rule fires."""
        return {
            row: ", ".join(sorted({word for words in said.values() for word in words}))
            for row, said in self._said.items()
        }


def _action(key: str, rule: Value) -> str:
    found = (
        next((rule[name] for name in _ACTIONS if rule.get(name) is not None), key) if isinstance(rule, dict) else key
    )
    return short_json(found, 60)


def _flips(tested: Tested, old: _Side, new: _Side, slices: Slices | None, limit: int) -> list[Flip]:
    from mlver.kinds.predicates.outcome import positions

    before, after = old.decisions(), new.decisions()
    groups: dict[tuple[str, str], list[int]] = {}
    for row in sorted(before.keys() | after.keys()):
        pair = (before.get(row, _NOTHING), after.get(row, _NOTHING))
        if pair[0] != pair[1]:
            groups.setdefault(pair, []).append(row)
    found = []
    for (was, now), rows in groups.items():
        places = positions(rows)
        parts = slices.count(places) if slices else {}
        sizes = slices.sizes if slices else {}
        hits = tuple(SliceHits(name, count, sizes[name]) for name, count in parts.items())
        found.append(Flip(was, now, len(rows), tested.table.keys(places, limit), hits))
    return sorted(found, key=lambda flip: -flip.rows)


def _rules(old: _Side, new: _Side) -> list[RuleReplay]:
    found = []
    for path, key in dict.fromkeys([*old.outcomes, *new.outcomes]):
        a, b = old.outcomes.get((path, key)), new.outcomes.get((path, key))
        if a is None or b is None:
            change = "added" if a is None else "removed"
        else:
            change = "same" if same(old.values[path, key], new.values[path, key]) else "changed"
        why = next((one.why_not for one in (b, a) if one is not None and one.why_not), None)
        rows = [set(one.positions.tolist()) if one is not None else set() for one in (a, b)]
        found.append(
            RuleReplay(
                id=key,
                path=path,
                change=change,
                old_hits=_hits(a),
                new_hits=_hits(b),
                starts=len(rows[1] - rows[0]),
                stops=len(rows[0] - rows[1]),
                untested=why,
            )
        )
    return sorted(found, key=lambda one: (-(one.starts + one.stops), one.change == "same"))


def _hits(outcome: Outcome | None) -> int | None:
    return outcome.hits if outcome is not None and outcome.why_not is None else None
