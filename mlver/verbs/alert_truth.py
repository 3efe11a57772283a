"""Whether alerts were right: each held against what the metrics now say of the release it fired on.

A *drop* is a stretch of time in which a stage served a commit that broke what was asked of it, by the
metrics as they are now known (`repo/slo_state.py` says which tell of serving). An alert is

    true     when somebody acted on it, or when its release had a drop
    false    when nobody did, and the release had none or somebody said that the alert was false
    unknown  when nobody did, and no metric of the release is known

Precision is true of true and false. Recall is the share of drops that had an alert of the type before
anybody knew of the drop; an action alone makes no drop, or every type would find what it found itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches

from mlver.errors import UsageError
from mlver.frozen import frozen
from mlver.index.alerts import AlertRow
from mlver.index.facts import micros, moment
from mlver.repo.alert_facts import FALSE
from mlver.repo.conditions import BROKEN, MET, UNKNOWN, parse_condition
from mlver.repo.intervals import wilson
from mlver.repo.ledger import ledger_of
from mlver.repo.metric_facts import metric_values
from mlver.repo.metric_policy import metric_policy
from mlver.repo.repository import Repository
from mlver.repo.slo_policy import Objective, objectives
from mlver.repo.slo_state import SloTenure, slo_tenures

_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


@frozen
class TypeTruth:
    """How often a type of alert was right. `by_action` and `by_metric` say on what evidence (both may hold).

    `precision` and `recall` are None when nothing is known to reckon with; `low` and `high` bound the
    precision (Wilson, 95 %).
    """

    true: int
    false: int
    unknown: int
    by_action: int
    by_metric: int
    precision: float | None
    low: float
    high: float
    drops: int
    caught: int
    recall: float | None


class Truth:
    """What is known of releases, by the condition of a drop, now or at the moment `as_of`."""

    def __init__(self, repo: Repository, against: str, as_of: datetime | None = None) -> None:
        wanted, self.says = _objectives(repo, against)
        self._tenures: dict[tuple[str, str], list[SloTenure]] = {}
        for objective in wanted:
            for tenure in slo_tenures(repo, objective, as_of):
                self._tenures.setdefault((tenure.stage, tenure.commit.hex()), []).append(tenure)

    def drops(self, since: datetime | None = None) -> list[SloTenure]:
        """Return the drops, oldest first, that lasted into the time after `since`; one for each stretch of time."""
        found = {
            (one.stage, one.scope, one.since): one
            for tenures in self._tenures.values()
            for one in tenures
            if one.state == BROKEN and (since is None or one.until is None or one.until >= since)
        }
        return sorted(found.values(), key=lambda one: one.since)

    def of(self, rows: Sequence[AlertRow]) -> TypeTruth:
        """Return how often the alerts of one type were right, and how many of the drops since its first they found."""
        judged: Counter[str] = Counter()
        by_action = by_metric = 0
        for row in rows:
            state = self._state(row)
            by_action += row.acted_at is not None
            by_metric += state == BROKEN
            if row.acted_at is not None or state == BROKEN:
                judged["true"] += 1
            else:
                judged["false" if state == MET or row.outcome == FALSE else "unknown"] += 1
        sure = judged["true"] + judged["false"]
        precision = judged["true"] / sure if sure else None
        low, high = wilson(precision or 0.0, sure)
        drops = self.drops(moment(min(row.at for row in rows)))
        caught = sum(_warned(drop, rows) for drop in drops)
        return TypeTruth(
            true=judged["true"],
            false=judged["false"],
            unknown=judged["unknown"],
            by_action=by_action,
            by_metric=by_metric,
            precision=precision,
            low=low,
            high=high,
            drops=len(drops),
            caught=caught,
            recall=caught / len(drops) if drops else None,
        )

    def _state(self, row: AlertRow) -> str:
        """Return `broken`, `met` or `unknown`: what is known of the release that the alert fired on."""
        tenures = self._tenures.get((row.stage or "", row.live or ""), ())
        states = {one.state for one in tenures if _serves(one, row)}
        return next((state for state in (BROKEN, MET) if state in states), UNKNOWN)


def _serves(tenure: SloTenure, row: AlertRow) -> bool:
    return micros(tenure.since) <= row.at and (tenure.until is None or row.at < micros(tenure.until))


def _warned(drop: SloTenure, rows: Sequence[AlertRow]) -> bool:
    """Whether one of the alerts fired on the drop before anybody knew of it."""
    commit, known = drop.commit.hex(), micros(drop.learned or drop.since)
    return any(row.live == commit and row.stage == drop.stage and row.at < known and _serves(drop, row) for row in rows)


def _objectives(repo: Repository, against: str) -> tuple[list[Objective], tuple[str, ...]]:
    """Return what a release has to keep so as not to have dropped, and what a drop is in words."""
    if not any(sign in against for sign in "<>=!"):
        return _promised(repo, against)
    condition = parse_condition(against, "--against")
    if condition.needs_baseline:
        raise UsageError(f"{condition.text!r} compares with a baseline, and a release in use has none")
    _check_known(repo, condition.name)
    kept = replace(condition, op=_OPPOSITE[condition.op])
    stages = dict.fromkeys(entry.stage for entry in ledger_of(repo))
    return [Objective(against, (kept,), stage) for stage in stages], (condition.text,)


def _check_known(repo: Repository, name: str) -> None:
    """Raise UsageError for a metric nobody defined, or measured of a release: it would look as if nothing dropped."""
    known = set(metric_policy(repo.project()).metrics)
    commits = {entry.live.commit for entry in ledger_of(repo)}
    known |= {value.name for commit in commits for value in metric_values(repo, commit, files=True)}
    if known and name not in known:
        close = get_close_matches(name, known, n=3) or sorted(known)[:8]
        raise UsageError(f"no release has a value of {name!r}, nor is it defined", hint=f"there are {', '.join(close)}")


def _promised(repo: Repository, name: str) -> tuple[list[Objective], tuple[str, ...]]:
    """Return the SLO of this name, or what all SLOs say of the metric of this name."""
    found: list[Objective] = []
    for objective in objectives(repo.project()):
        named = objective.name == name
        kept = tuple(one for one in objective.require if named or one.name == name)
        found += [replace(objective, require=kept)] if kept else []
    if not found:
        hint = f"say what a drop is: --against '{name} < 0.9'"
        raise UsageError(f"no SLO is named {name!r}, nor speaks of such a metric", hint=hint)
    return found, tuple(dict.fromkeys(f"not {one.text}" for objective in found for one in objective.require))
