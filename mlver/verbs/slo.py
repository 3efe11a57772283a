"""`slo`: whether what was promised holds, and held: met, broken or unknown, as known now or at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from mlver.errors import UnknownRevision
from mlver.frozen import frozen
from mlver.objects.result import Result
from mlver.repo.conditions import BROKEN
from mlver.repo.repository import Repository
from mlver.repo.slo_policy import Objective, objectives
from mlver.repo.slo_state import SloTenure, slo_now, slo_tenures


@frozen
class SloState:
    """One objective: its conditions, its state, and each commit that is live (or was, at the moment asked about)."""

    name: str
    state: str
    stage: str
    require: tuple[str, ...]
    where: str
    live: tuple[SloTenure, ...]
    owner: str | None = None
    description: str | None = None


@frozen
class SloResult(Result):
    """Every objective, broken ones first. `past` are tenures that are over and were broken, newest first."""

    schema: ClassVar[str] = "mlver.slo/v1"
    slos: tuple[SloState, ...]
    past: tuple[SloTenure, ...]
    as_of: datetime | None = None

    @property
    def broken(self) -> bool:
        """Whether anything that is live breaks an objective."""
        return any(slo.state == BROKEN for slo in self.slos)


@frozen
class SloHistoryResult(Result):
    """All that was ever live and what each objective says of it, newest first."""

    schema: ClassVar[str] = "mlver.slo-history/v1"
    tenures: tuple[SloTenure, ...]
    as_of: datetime | None = None


def check_slos(repo: Repository, names: Sequence[str] = (), *, as_of: datetime | None = None) -> SloResult:
    """Judge what is live by the objectives of mlver.toml; `as_of` answers with what was live and known then.

    Raises UsageError naming file, line and entry of an objective that is malformed, UnknownRevision for a name
    that is none.
    """
    slos, past = [], list[SloTenure]()
    for objective in _wanted(repo, names):
        tenures = slo_tenures(repo, objective, as_of)
        live = tuple(tenure for tenure in tenures if tenure.until is None)
        past += [tenure for tenure in tenures if tenure.until is not None and tenure.state == BROKEN]
        slos.append(_state(objective, live))
    slos.sort(key=lambda slo: ("broken", "unknown", "met").index(slo.state))
    return SloResult(tuple(slos), tuple(sorted(past, key=lambda tenure: tenure.since, reverse=True)), as_of)


def slo_history(repo: Repository, names: Sequence[str] = (), *, as_of: datetime | None = None) -> SloHistoryResult:
    """Judge all that was ever live, as known now or at the moment `as_of`. Raises what `check_slos` does."""
    found = [tenure for objective in _wanted(repo, names) for tenure in slo_tenures(repo, objective, as_of)]
    return SloHistoryResult(tuple(found), as_of)


def _wanted(repo: Repository, names: Sequence[str]) -> list[Objective]:
    known = objectives(repo.project())
    for name in names:
        if name not in [objective.name for objective in known]:
            listed = ", ".join(objective.name for objective in known) or "none"
            raise UnknownRevision(f"mlver.toml has no objective {name!r}", hint=f"known are {listed}")
    return [objective for objective in known if not names or objective.name in names]


def _state(objective: Objective, live: tuple[SloTenure, ...]) -> SloState:
    return SloState(
        name=objective.name,
        state=slo_now(live),
        stage=objective.stage,
        require=tuple(condition.text for condition in objective.require),
        where=objective.where,
        live=live,
        owner=objective.owner,
        description=objective.description,
    )
