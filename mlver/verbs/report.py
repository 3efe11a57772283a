"""`report`: product metrics by release, stages, curves, alerts, objectives and incidents, in one page for people."""

from __future__ import annotations

from datetime import datetime

from mlver.errors import MlverError, UnknownRevision, UsageError
from mlver.objects.ids import CommitId
from mlver.repo.incident_facts import OPEN, incidents
from mlver.repo.ledger import LedgerEntry, ledger_of
from mlver.repo.repository import Repository
from mlver.repo.slo_state import SloTenure
from mlver.repo.standing import standing
from mlver.repo.tenures import ROLLBACK
from mlver.verbs.alert_stats import AlertTypeStats, alert_stats
from mlver.verbs.alert_waiting import waiting_alerts
from mlver.verbs.common import MetricDelta
from mlver.verbs.metrics import diff_metrics
from mlver.verbs.report_measures import curves_of, measures_of, rows_of
from mlver.verbs.report_result import Release, ReportResult
from mlver.verbs.slo import check_slos, slo_history

_REGRESSIONS = 8


def report(
    repo: Repository, *, stage: str | None = None, since: datetime | None = None, at: datetime | None = None
) -> ReportResult:
    """Return what a page on a stage says (the one settings name, if None), as of `at` or the last operation.

    `since` leaves out releases and alerts that were over by then. Raises UsageError when `since` lies behind `at`,
    UnknownRevision for a stage there never was.
    """
    with standing(repo, at) as moment:
        if since is not None and since > moment:
            raise UsageError("nothing has happened since then", hint="--since 30d")
        if stage is not None and not ledger_of(repo, stage):
            known = ", ".join(sorted(repo.view.stages)) or "none"
            raise UnknownRevision(f"no stage {stage!r}", hint=f"stages are {known}")
        return _report(repo, stage or str(repo.settings.get("stage.default")), since, moment)


def _report(repo: Repository, stage: str, since: datetime | None, at: datetime) -> ReportResult:
    releases = tuple(_releases(repo, since, at))
    own = [release for release in releases if release.stage == stage]
    problems: list[str] = []
    measures, marked, problem = measures_of(repo, own, at)
    problems += [problem] if problem else []
    slos, states, slo_problem = _slos(repo, since, at)
    alerts, alert_problem = _alerts(repo, since, at)
    regressions, compared = _regressions(repo, own, at)
    return ReportResult(
        at=at,
        since=since,
        stage=stage,
        releases=releases,
        measures=measures,
        marked=marked,
        rows=rows_of(repo, own, measures, at),
        curves=curves_of(repo, own, measures, at),
        slos=slos,
        slo_states=states,
        alerts=alerts,
        open_alerts=len(waiting_alerts(repo, as_of=at).open),
        incidents=tuple(one for one in incidents(repo, at).values() if _recent(one.state, one.closed, since)),
        regressions=regressions,
        compared=compared,
        problems=tuple(dict.fromkeys([*problems, *filter(None, (slo_problem, alert_problem))])),
    )


def _recent(state: str, closed: datetime | None, since: datetime | None) -> bool:
    return state == OPEN or since is None or closed is None or closed > since


def _releases(repo: Repository, since: datetime | None, at: datetime) -> list[Release]:
    ledger = [entry for entry in ledger_of(repo) if entry.since <= at]
    found = []
    for entry in ledger:
        until = entry.until if entry.until is not None and entry.until <= at else None
        if since is None or until is None or until > since:
            found.append(_release(repo, entry, until, ledger))
    return found


def _release(repo: Repository, entry: LedgerEntry, until: datetime | None, ledger: list[LedgerEntry]) -> Release:
    live = entry.live
    slot = (entry.stage, entry.scope, until)
    after = next((o for o in ledger if (o.stage, o.scope, o.since) == slot and o is not entry), None) if until else None
    rolled_back = after is not None and after.live.action == ROLLBACK and after.live.commit != live.commit
    subject = repo.commit(live.commit).subject
    return Release(
        entry.stage, entry.scope, live.commit, subject, entry.since, until, live.actor, live.reason, live.action,
        rolled_back, live.percent,
    )  # fmt: skip


def _slos(
    repo: Repository, since: datetime | None, at: datetime
) -> tuple[tuple[SloTenure, ...], tuple[tuple[str, str], ...], str | None]:
    try:
        tenures = slo_history(repo, as_of=at).tenures
        states = tuple(sorted((slo.name, slo.state) for slo in check_slos(repo, as_of=at).slos))
    except UsageError as error:
        return (), (), error.message
    kept = [tenure for tenure in tenures if since is None or tenure.until is None or tenure.until > since]
    return tuple(kept), states, None


def _alerts(repo: Repository, since: datetime | None, at: datetime) -> tuple[tuple[AlertTypeStats, ...], str | None]:
    try:
        return alert_stats(repo, since=since, as_of=at).types, None
    except UsageError as error:
        return (), error.message


def _regressions(
    repo: Repository, releases: list[Release], at: datetime
) -> tuple[tuple[MetricDelta, ...], tuple[CommitId, CommitId] | None]:
    """Return what is worse in what serves now than in the release before it that was not rolled back from."""
    live = [release for release in releases if release.until is None]
    if not live:
        return (), None
    now = live[-1]
    before = [one for one in releases if one.commit != now.commit and not one.rolled_back and one.since < now.since]
    if not before:
        return (), None
    pair = (before[-1].commit, now.commit)
    try:
        deltas = diff_metrics(repo, str(pair[0]), str(pair[1]), as_of=at).metrics
    except MlverError:  # a metrics file that cannot be read: `metrics diff` says which
        return (), pair
    return tuple(delta for delta in deltas if delta.verdict == "worse")[:_REGRESSIONS], pair
