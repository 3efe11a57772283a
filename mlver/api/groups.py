"""Groups of verbs, each named as on the command line: `repo.metrics`, `repo.alerts`, `repo.notes`."""

from __future__ import annotations

from mlver.api.bound import Bound, method
from mlver.verbs import alert_show as alert_show_verbs
from mlver.verbs import alerts as alert_verbs
from mlver.verbs import (
    exp_best,
    exp_describe,
    exp_frontier,
    exp_list,
    exp_run,
    exp_stats,
    metric_grid,
    metric_groups,
    metric_list,
    metric_log,
    rules_ablate,
    rules_backtest,
    rules_check,
    rules_leakage,
    rules_list,
    rules_replay,
)
from mlver.verbs import fallback as fallback_verbs
from mlver.verbs import incident as incident_verbs
from mlver.verbs import metrics as metric_verbs
from mlver.verbs import mutes as mute_verbs
from mlver.verbs import note as note_verbs
from mlver.verbs import remote as remote_verbs
from mlver.verbs import slo as slo_verbs
from mlver.verbs.backfill import backfill_metrics
from mlver.verbs.incident_report import report_incident


class Metrics(Bound):
    """`repo.metrics`: values learned about commits."""

    add = method(metric_verbs.add_metrics)
    show = method(metric_verbs.show_metrics)
    diff = method(metric_verbs.diff_metrics)
    groups = method(metric_groups.group_metrics)
    ls = method(metric_list.list_metrics)
    define = method(metric_list.define_metric)
    log = method(metric_log.log_metric)
    matrix = method(metric_grid.metrics_matrix)
    age = method(metric_grid.metrics_age)
    backfill = method(backfill_metrics)


class Slo(Bound):
    """`repo.slo`: whether what was promised holds, and held."""

    check = method(slo_verbs.check_slos)
    history = method(slo_verbs.slo_history)


class Alerts(Bound):
    """`repo.alerts`: what fired, and what was done about it."""

    add = method(alert_verbs.add_alert)
    import_ = method(alert_verbs.import_alerts)
    ls = method(alert_verbs.list_alerts)
    show = method(alert_show_verbs.show_alerts)
    act = method(alert_verbs.act_on_alert)
    settle = method(alert_verbs.settle_alerts)
    history = method(alert_verbs.alert_history)
    stats = method(alert_verbs.alert_stats)
    mute = method(mute_verbs.mute_alerts)
    unmute = method(mute_verbs.unmute_alerts)
    mutes = method(mute_verbs.list_mutes)


class Rules(Bound):
    """`repo.rules`: which rules there are, which fire, which can go."""

    list = method(rules_list.list_rules)
    check = method(rules_check.check_rules)
    replay = method(rules_replay.replay_rules)
    ablate = method(rules_ablate.ablate_rules)
    ablations = method(rules_ablate.ablations_of)
    backtest = method(rules_backtest.backtest_rules)
    leakage = method(rules_leakage.find_leakage)


class Experiments(Bound):
    """`repo.experiments`: what varied and what came of it."""

    list = method(exp_list.list_experiments)
    tree = method(exp_list.list_ideas)
    describe = method(exp_describe.describe_experiment)
    verdict = method(exp_describe.give_verdict)
    best = method(exp_best.best_experiments)
    frontier = method(exp_frontier.frontier)
    stats = method(exp_stats.experiment_stats)
    run = method(exp_run.run_experiment)


class Notes(Bound):
    """`repo.notes`: what people wrote about commits, artifacts and units."""

    add = method(note_verbs.add_note)
    ls = method(note_verbs.list_notes)


class Fallbacks(Bound):
    """`repo.fallbacks`: what serves when nothing else may."""

    show = method(fallback_verbs.fallbacks)
    drill = method(fallback_verbs.drill)


class Incidents(Bound):
    """`repo.incidents`: what went wrong, and the reports on it."""

    open = method(incident_verbs.open_incident)
    note = method(incident_verbs.note_incident)
    link = method(incident_verbs.link_incident)
    close = method(incident_verbs.close_incident)
    list = method(incident_verbs.list_incidents)
    report = method(report_incident)


class Remotes(Bound):
    """`repo.remotes`: other repositories by name."""

    add = method(remote_verbs.add_remote)
    ls = method(remote_verbs.list_remotes)
    rm = method(remote_verbs.remove_remote)
