"""Alerts against what the metrics say later: true, false, unknown; drops found in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlver.errors import UsageError
from mlver.objects.ids import CommitId
from mlver.verbs.alert_stats import AlertTypeStats
from mlver.verbs.alerts import act_on_alert, add_alert, alert_stats, settle_alerts
from mlver.verbs.metrics import add_metrics
from mlver.verbs.promote import promote
from tests.kit import Bench

HOUR = timedelta(hours=1)
GOOD, BAD, BACK, LABELS = (datetime(2024, 4, day, tzinfo=UTC) for day in (10, 20, 22, 30))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """prod served `good`, then `bad` for two days, then `good` again; labels came on 30 April."""
    bench = Bench(tmp_path / "clinic")
    bench.write("rules/rules.json", [{"id": "R1"}])
    bench.write("data/val.csv", "id,x\n1,2\n")
    good = bench.commit("good")
    add_metrics(bench.repo, "HEAD", {"recall{clinic=C}": 0.5}, dataset="data/val.csv")
    bench.clock.moment = GOOD
    promote(bench.repo, "prod", reason="first")
    bench.write("rules/rules.json", [])
    bench.commit("bad")
    bench.clock.moment = BAD
    promote(bench.repo, "prod", reason="nightly")
    bench.clock.moment = BACK
    promote(bench.repo, "prod", str(good), reason="back")
    return bench


def labels(bench: Bench) -> None:
    bench.clock.moment = LABELS
    for rev, value in (("HEAD~1", 0.97), ("HEAD", 0.4)):
        add_metrics(bench.repo, rev, {"recall{clinic=C}": value}, n=20)


def fire(bench: Bench, type: str, at: datetime, **words: str) -> None:
    add_alert(bench.repo, type, id=f"{type}@{at:%d%H}", at=at, **words)


def against(
    bench: Bench, what: str = "recall{clinic=C} < 0.9", as_of: datetime | None = None
) -> dict[str, AlertTypeStats]:
    return {stats.type: stats for stats in alert_stats(bench.repo, against=what, as_of=as_of).types}


def counts(stats: AlertTypeStats) -> tuple[int, int, int]:
    assert stats.against is not None
    return stats.against.true, stats.against.false, stats.against.unknown


def test_an_alert_is_true_when_its_release_dropped_by_what_is_known_now(bench: Bench) -> None:
    fire(bench, "flag", BAD + HOUR)
    fire(bench, "psi", GOOD + HOUR)
    fire(bench, "psi", BAD + 2 * HOUR)
    fire(bench, "psi", BACK + HOUR)
    before = against(bench)
    assert counts(before["flag"]) == (0, 0, 1), "validation data of the release itself says nothing of serving"
    assert before["flag"].against is not None and before["flag"].against.precision is None
    labels(bench)
    after = against(bench)
    assert (counts(after["flag"]), counts(after["psi"])) == ((1, 0, 0), (1, 2, 0))
    psi = after["psi"].against
    assert psi is not None and psi.precision == pytest.approx(1 / 3) and psi.low < 1 / 3 < psi.high
    assert counts(against(bench, as_of=LABELS - HOUR)["psi"]) == (0, 0, 3), "what was known then"


def test_who_acted_had_a_reason_and_who_said_false_too(bench: Bench) -> None:
    for hour in (1, 2, 3):
        fire(bench, "psi", BAD + hour * HOUR)
    bench.clock.moment = BACK
    act_on_alert(bench.repo, "psi@2001", did="rolled back")
    settle_alerts(bench.repo, ["psi@2002"], "false-positive")
    (stats,) = against(bench).values()
    assert counts(stats) == (1, 1, 1)
    assert stats.against is not None
    assert (stats.against.by_action, stats.against.by_metric, stats.against.drops) == (1, 0, 0)
    labels(bench)
    (stats,) = against(bench).values()
    assert counts(stats) == (3, 0, 0), "a release that dropped did so whatever was said of the alert"
    assert stats.against is not None and (stats.against.by_action, stats.against.by_metric) == (1, 3)


def test_recall_counts_drops_that_had_an_alert_before_anybody_knew(bench: Bench) -> None:
    fire(bench, "early", BAD + HOUR)
    fire(bench, "elsewhere", BAD + HOUR, stage="canary")
    fire(bench, "before", GOOD + HOUR)
    fire(bench, "after", LABELS + 24 * HOUR)
    labels(bench)
    found = {name: stats.against for name, stats in against(bench).items()}
    told = {name: (one.caught, one.drops) for name, one in found.items() if one}
    assert told == {"early": (1, 1), "elsewhere": (0, 1), "before": (0, 1), "after": (0, 0)}
    assert found["early"] is not None and found["early"].recall == 1.0
    assert found["after"] is not None and found["after"].recall is None
    assert alert_stats(bench.repo, against="recall{clinic=C} < 0.9").drops == 1


def test_a_metric_by_name_means_what_the_slo_promises(bench: Bench) -> None:
    fire(bench, "flag", BAD + HOUR)
    fire(bench, "flag", GOOD + HOUR)
    labels(bench)
    with pytest.raises(UsageError, match="no SLO is named 'recall'") as caught:
        against(bench, "recall")
    assert "--against 'recall < 0.9'" in str(caught.value.hint)
    bench.write("mlver.toml", '[slo.triage]\nrequire = ["recall{clinic=C} >= 0.9", "latency <= 2"]\n')
    for name in ("recall", "triage"):
        result = alert_stats(bench.repo, against=name)
        assert counts(result.types[0])[0] == 1
        assert "not recall{clinic=C} >= 0.9" in result.against
    assert counts(against(bench, "recall")["flag"]) == (1, 1, 0)


def test_what_is_no_condition_is_refused(bench: Bench) -> None:
    fire(bench, "flag", BAD)
    with pytest.raises(UsageError, match="not a condition"):
        against(bench, "recall << 0.9")
    with pytest.raises(UsageError, match="baseline"):
        against(bench, "delta(recall) < 0")


def test_the_two_stretches_of_one_commit_are_two_drops(bench: Bench) -> None:
    bad: CommitId = bench.repo.resolve("HEAD")
    bench.clock.moment = BACK + 24 * HOUR
    promote(bench.repo, "prod", str(bad), reason="again")
    fire(bench, "flag", BAD + HOUR)
    labels(bench)
    stats = against(bench)["flag"].against
    assert stats is not None and (stats.caught, stats.drops, stats.recall) == (1, 2, 0.5)


def test_a_metric_that_no_release_has_is_named(bench: Bench) -> None:
    fire(bench, "flag", BAD + HOUR)
    labels(bench)
    with pytest.raises(UsageError, match="no release has a value of 'recal'") as caught:
        against(bench, "recal{clinic=C} < 0.9")
    assert caught.value.hint == "there are recall"
    bench.write("mlver.toml", '[metrics.latency]\ndirection = "lower"\n')
    assert alert_stats(bench.repo, against="latency > 2").drops == 0, "it is defined, and may be measured yet"
