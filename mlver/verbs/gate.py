"""Gates: whether a commit has what a stage asks for, requirement by requirement. What is not known does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.kinds.base import Value
from mlver.objects.commit import Derivation, Environment
from mlver.objects.ids import BlobId, CommitId
from mlver.objects.result import jsonable
from mlver.objects.state import Live
from mlver.repo.conditions import BROKEN, MET, UNKNOWN, Condition, Verdict, judge
from mlver.repo.ledger import ledger_of, live_at
from mlver.repo.metric_facts import MetricValue, metric_values
from mlver.repo.persons import is_meant, name_of, same_person
from mlver.repo.repository import Repository
from mlver.repo.serving import Difference, differing_packages
from mlver.repo.signing import KEY, SIGNED, UNCHECKED, Judge
from mlver.repo.snapshot import Snapshot
from mlver.repo.stage_policy import StagePolicy
from mlver.repo.staleness import stale_in
from mlver.repo.steps import ASSUMED, MODEL
from mlver.repo.tenures import Health
from mlver.verbs.gate_leakage import judge_leakage
from mlver.verbs.gate_models import judge_models
from mlver.verbs.lineage import lineage

ORDER = "order"


@frozen
class GateRow:
    """One requirement of a stage, and whether a commit has it: `met`, `broken` or `unknown`, and why.

    `name` is `metric`, `order`, `percent`, `approver`, `second person`, `alerts`, `lineage`, `fresh`, `leakage`,
    `signed`, `signature`, `environment` or `models`. A condition on a metric also says what was compared: of which
    slice, on which version of which dataset, with which limit.
    """

    name: str
    requirement: str
    state: str
    why: str = ""
    metric: str | None = None
    slice: str | None = None
    value: float | None = None
    limit: float | None = None
    baseline: float | None = None
    n: int | None = None
    dataset: str | None = None
    dataset_id: BlobId | None = None

    def plain(self) -> dict[str, Value]:
        """Return what is said, as the ledger keeps it."""
        found = {field.name: jsonable(getattr(self, field.name)) for field in fields(self)}
        return {name: value for name, value in found.items() if value not in (None, "")}


@frozen
class Asked:
    """The question: may `actor` make `commit` live on the stage of `policy` for `scope`, at `percent` of the traffic.

    `today` is the snapshot whose mlver.toml the policy is from: metrics count when they were measured on the
    datasets as they are there.
    """

    policy: StagePolicy
    commit: CommitId
    scope: str
    percent: int
    actor: str
    today: Snapshot


def gate(repo: Repository, asked: Asked) -> tuple[GateRow, ...]:
    """Return a row for everything the stage asks for; none when it asks for nothing. Changes nothing."""
    policy = asked.policy
    rows = [*_conditions(repo, asked)]
    checks: list[tuple[bool, Callable[[Repository, Asked], GateRow]]] = [
        (policy.after is not None, _order),
        (bool(policy.percents), _percent),
        (bool(policy.approvers), _approver),
        (policy.second_person, _second_person),
        (policy.no_open_alerts, _alerts),
        (policy.lineage, _lineage),
        (policy.fresh, _fresh),
        (policy.no_leakage, _leakage),
        (policy.signed, _signed),
        (policy.require_signed, _signable),
        (policy.environment is not None, _environment),
        (bool(policy.models), _models),
    ]
    return (*rows, *(check(repo, asked) for wanted, check in checks if wanted))


def live_now(repo: Repository, stage: str, scope: str) -> Live | None:
    """Return what a stage serves a scope now: what a new commit is compared with."""
    return live_at(repo.view.stages.get(stage, {}), scope)


# -- metrics -------------------------------------------------------------------------------------


def _conditions(repo: Repository, asked: Asked) -> Iterator[GateRow]:
    if not asked.policy.require:
        return
    live = live_now(repo, asked.policy.stage, asked.scope)
    baseline = metric_values(repo, live.commit, files=True) if live else []
    known = metric_values(repo, asked.commit, files=True)
    fresh = [value for value in known if not _outdated(value, asked.today)]
    for condition in asked.policy.require:
        if condition.needs_baseline and live is None:
            yield GateRow("metric", condition.text, MET, f"nothing is live on {asked.policy.stage} to compare with")
            continue
        for verdict in judge(condition, fresh, baseline):
            yield _row(verdict, condition, known, asked.today)


def _outdated(value: MetricValue, today: Snapshot) -> bool:
    """Whether a value was measured on a dataset that has changed since."""
    path = value.dataset
    return path is not None and path in today and value.dataset_id not in (None, today[path].id)


def _row(verdict: Verdict, condition: Condition, known: list[MetricValue], today: Snapshot) -> GateRow:
    why = verdict.why
    if verdict.state == UNKNOWN and verdict.dataset is None:
        older = [value for value in known if condition.covers(value) and _outdated(value, today)]
        if older:
            why = f"measured on an older version of {older[0].dataset}"
    return GateRow(
        name="metric",
        requirement=verdict.condition,
        state=verdict.state,
        why=why,
        metric=verdict.metric,
        slice=verdict.slice or None,
        value=verdict.value,
        limit=verdict.limit,
        baseline=verdict.baseline,
        n=verdict.n,
        dataset=verdict.dataset,
        dataset_id=verdict.dataset_id,
    )


# -- people and order ----------------------------------------------------------------------------


def _order(repo: Repository, asked: Asked) -> GateRow:
    before = asked.policy.after
    row = GateRow(ORDER, f"was live on {before}", MET)
    if any(entry.live.commit == asked.commit for entry in ledger_of(repo, before)):
        return row
    return replace(row, state=BROKEN, why=f"never live on {before}")


def _percent(repo: Repository, asked: Asked) -> GateRow:
    """The shares of the traffic rise step by step; going down is always allowed."""
    steps = asked.policy.percents
    row = GateRow("percent", f"{', '.join(map(str, steps))} % in turn", MET)
    if asked.percent not in steps:
        return replace(row, state=BROKEN, why=f"{asked.percent} % is no step")
    own = repo.view.stages.get(asked.policy.stage, {}).get(asked.scope)
    reached = own.percent if own is not None and own.commit == asked.commit else 0
    allowed = next((step for step in steps if step > reached), steps[-1])
    if asked.percent <= max(reached, allowed):
        return row
    return replace(row, state=BROKEN, why=f"{allowed} % comes before {asked.percent} %")


def _approver(repo: Repository, asked: Asked) -> GateRow:
    people = asked.policy.approvers
    row = GateRow("approver", f"approved by {' or '.join(map(name_of, people))}", MET)
    if any(is_meant(person, asked.actor) for person in (*people, *asked.policy.automation)):
        return row
    return replace(row, state=BROKEN, why=f"{name_of(asked.actor)} is not one of them")


def _second_person(repo: Repository, asked: Asked) -> GateRow:
    row = GateRow("second person", "approved by somebody other than the author", MET)
    author = repo.commit(asked.commit).author
    if not same_person(asked.actor, author):
        return row
    if any(is_meant(name, asked.actor) for name in asked.policy.automation):
        return replace(row, why=f"{name_of(asked.actor)} is automation")
    return replace(row, state=BROKEN, why=f"{name_of(asked.actor)} wrote {asked.commit.short}")


def _signed(repo: Repository, asked: Asked) -> GateRow:
    """Whether the commit is signed; says by whom."""
    row = GateRow("signed", "the commit is signed", MET)
    seal = Judge(repo).commit(asked.commit)
    if seal.state == SIGNED:
        return replace(row, why=f"by {seal.by}")
    if seal.state == UNCHECKED:
        return replace(row, state=UNKNOWN, why=seal.why)
    return replace(row, state=BROKEN, why=seal.why or f"{asked.commit.short} carries no signature")


def _signable(repo: Repository, asked: Asked) -> GateRow:
    """Whether the promotion will be signed: it is made only after everything asked for holds."""
    row = GateRow("signature", "whoever promotes signs it", MET)
    return row if repo.settings.get(KEY) else replace(row, state=BROKEN, why="signing.key names no key to sign with")


# -- what is known of the commit -----------------------------------------------------------------


def _alerts(repo: Repository, asked: Asked) -> GateRow:
    row = GateRow("alerts", "no open critical alert, not marked bad", MET)
    fault = Health(repo, None).fault(asked.commit)
    return replace(row, state=BROKEN, why=fault) if fault else row


def _lineage(repo: Repository, asked: Asked) -> GateRow:
    row = GateRow("lineage", "how every model was made is recorded", MET)
    known = lineage(repo, str(asked.commit))
    if found := [node for node in known.nodes if node.kind == MODEL and node.how and node.how["source"] == ASSUMED]:
        return replace(row, state=BROKEN, why=f"nobody recorded how {found[0].path} was made")
    if gone := [node for node in known.nodes if node.commit is None]:
        return replace(row, state=BROKEN, why=f"{gone[0].path} went into it and was never committed")
    return row


def _fresh(repo: Repository, asked: Asked) -> GateRow:
    row = GateRow("fresh", "no model is older than its inputs", MET)
    snapshot = repo.snapshot(asked.commit)
    stale = stale_in(repo, snapshot, repo.commit(asked.commit).derivations)
    models = [(path, why) for path, why in stale.items() if snapshot[path].kind == MODEL]
    if not models:
        return row
    path, why = models[0]
    return replace(row, state=BROKEN, why=f"{path} was made before {', '.join(why[:3])} changed")


def _leakage(repo: Repository, asked: Asked) -> GateRow:
    """What judges are the datasets the requirements name, else those of the metrics they speak of."""
    conditions = asked.policy.require
    known = metric_values(repo, asked.commit, files=True)
    judges = {condition.dataset for condition in conditions if condition.dataset}
    judges |= {v.dataset for v in known if v.dataset and any(condition.covers(v) for condition in conditions)}
    state, why = judge_leakage(repo, str(asked.commit), judges, asked.today)
    return GateRow("leakage", "models saw nothing of the data that judges them", state, why)


def _environment(repo: Repository, asked: Asked) -> GateRow:
    path = asked.policy.environment
    assert path is not None
    row = GateRow("environment", f"trained with the versions of {path}", MET)
    snapshot = repo.snapshot(asked.commit)
    if path not in snapshot:
        return replace(row, state=UNKNOWN, why=f"{asked.commit.short} holds no {path}")
    try:
        wrong = differing_packages(snapshot, path, trained_with(repo, asked.commit, snapshot))
    except UsageError as error:
        return replace(row, state=UNKNOWN, why=error.message)
    return replace(row, state=BROKEN, why=_differences(wrong)) if wrong else row


def _models(repo: Repository, asked: Asked) -> GateRow:
    state, why = judge_models(repo, asked.commit, asked.policy)
    return GateRow("models", f"models are {' or '.join(asked.policy.models)}", state, why)


def trained_with(repo: Repository, commit: CommitId, snapshot: Snapshot) -> Mapping[str, str]:
    """Return package -> version of what the commit's models were trained with, else of what committed them."""
    known = repo.commit(commit)
    made = [id for path, id in known.derivations.items() if path in snapshot and snapshot[path].kind == MODEL]
    where = next((repo.store.get_object(Derivation, id).environment for id in made), None) or known.environment
    return repo.store.get_object(Environment, where).packages if where else {}


def _differences(found: tuple[Difference, ...]) -> str:
    told = [f"{one.package} {one.trained}, serves {one.serves}" for one in found[:3]]
    return "; ".join([*told, *([f"{len(found) - 3} more"] if len(found) > 3 else [])])
