"""`rules check`: on which rows of a table each rule fires, and which rows break a bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, ClassVar

from mlver.frozen import frozen
from mlver.objects.encoding import Plain
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import Result
from mlver.repo.firing_facts import Firing, firing_fact
from mlver.repo.repository import Repository
from mlver.repo.rulebook import RuleFile, rule_files
from mlver.repo.transaction import record_facts
from mlver.verbs.rule_data import DataVersion, Tested, find_data, rules_snapshot

if TYPE_CHECKING:
    from mlver.kinds.predicates.outcome import Outcome, Slices

CONDITION = "condition"
_KEYS = 5  # rows that a fact names


@frozen
class SliceHits:
    """How many of the `rows` of one part of the data fired a rule."""

    slice: str
    hits: int
    rows: int


@frozen
class CheckedRule:
    """One rule on one table.

    `sort` is `condition` (fires where it is true) or `demand` (fires where a row breaks it; `broken` when
    more do than it tolerates). `hits` rows fired it, a `share` of all; `unknown` rows have an empty cell that
    leaves it open. `keys` name the first rows. `untested` says why there is no answer, and then all is 0.
    `silent` is a condition that fires on no row: the table says nothing about it.
    """

    id: str
    path: str
    text: str
    sort: str
    hits: int
    share: float
    unknown: int
    keys: tuple[str, ...]
    broken: bool | None
    untested: str | None
    slices: tuple[SliceHits, ...] = ()
    silent: bool = False


@frozen
class RulesCheckResult(Result):
    """Every rule on one version of some data. `rules_ids` are the files of rules by path and content.

    `broken` says whether any bound or check is.
    """

    schema: ClassVar[str] = "mlver.rules-check/v1"
    data: str
    data_id: BlobId
    commit: CommitId | None
    rows: int
    by: str | None
    rules: tuple[CheckedRule, ...]
    rules_ids: Mapping[str, BlobId] = field(default_factory=dict)
    recorded: bool = False
    broken: bool = False


def check_rules(
    repo: Repository,
    data: str,
    *,
    rules: str | None = None,
    rev: str | None = None,
    by: str | None = None,
    limit: int = 10,
    record: bool = True,
    timeout: float | None = None,
) -> RulesCheckResult:
    """Test every rule (or `rules`: a path, or PATH#RULE) of the work tree or of `rev` on a table.

    `data` is PATH or PATH@REV. `by` counts per value of a column. At most `limit` rows are named per rule.
    The answer is recorded as facts bound to the content of rules and data, unless `record` is false.
    `timeout` limits each condition, in seconds. Raises UsageError naming file, line and rule for a condition
    that is none, Refused for one that reaches beyond the row.
    """
    snapshot = rules_snapshot(repo, rev)
    files = list(rule_files(snapshot, rules))
    table = find_data(repo, data, rev)
    tested = Tested(table, seconds=timeout)
    slices = tested.slices(by) if by else None
    found: list[CheckedRule] = []
    firings: list[Firing] = []
    for file in files:
        outcomes = tested.outcomes(file)
        found += [_checked(tested, file, key, outcome, slices, limit) for key, outcome in outcomes.items()]
        firings.append(_firing(repo, tested, file, outcomes))
    if record:
        now = repo.now()
        facts = [firing_fact(one, commit=table.commit, known=now) for one in firings if one.fired]
        record_facts(repo, f"rules check {data}", facts)
    ids = {file.path: file.id for file in files}
    rows = tested.table.rows
    broken = any(rule.broken for rule in found)
    return RulesCheckResult(table.path, table.id, table.commit, rows, by, tuple(found), ids, record, broken)


def _checked(
    tested: Tested, file: RuleFile, key: str, outcome: Outcome, slices: Slices | None, limit: int
) -> CheckedRule:
    parts: tuple[SliceHits, ...] = ()
    if slices is not None and outcome.why_not is None:
        parts = tuple(SliceHits(n, hits, slices.sizes[n]) for n, hits in slices.count(outcome.positions).items())
    return CheckedRule(
        id=key,
        path=file.path,
        text=file.kind.text(key, file.rules[key]),
        sort=outcome.sort,
        hits=outcome.hits,
        share=outcome.hits / tested.table.rows if tested.table.rows else 0.0,
        unknown=outcome.unknown,
        keys=tested.table.keys(outcome.positions, limit),
        broken=outcome.broken,
        untested=outcome.why_not,
        slices=parts,
        silent=outcome.sort == CONDITION and outcome.why_not is None and not outcome.hits,
    )


def _firing(repo: Repository, tested: Tested, file: RuleFile, outcomes: Mapping[str, Outcome]) -> Firing:
    fired: dict[str, dict[str, Plain]] = {}
    for key, outcome in outcomes.items():
        if outcome.why_not is None:
            fired[key] = {"hits": outcome.hits}
            fired[key] |= {"unknown": outcome.unknown} if outcome.unknown else {}
            fired[key] |= {"keys": list(tested.table.keys(outcome.positions, _KEYS))} if outcome.hits else {}
            fired[key] |= {"broken": outcome.broken} if outcome.broken is not None else {}
    untested = {key: outcome.why_not for key, outcome in outcomes.items() if outcome.why_not is not None}
    data: DataVersion = tested.data
    return Firing(data.path, data.id, tested.table.rows, file.path, file.id, repo.now(), repo.actor, fired, untested)
