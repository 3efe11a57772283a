"""The alerts of the night at the clinic, up to the page at 03:07 and up to the labels in May; another seed as well."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlver.demo import alerts, world
from mlver.objects.ids import CommitId
from mlver.render.console import to_text
from mlver.render.guide import guide_page
from mlver.repo.repository import Repository
from mlver.verbs.alerts import AlertTypeStats, act_on_alert, add_alert, alert_history, alert_stats, import_alerts
from mlver.verbs.commit import commit
from mlver.verbs.metrics import add_metrics
from mlver.verbs.oncall_guide import oncall_guide
from mlver.verbs.promote import promote

SEEDS = (46, 7)


class Played:
    """The story without its training: the same edits, commits, promotions and alerts, by the same people."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed, self.now = seed, datetime(2024, 2, 5, 10, tzinfo=UTC)
        world.lay_out(folder, "week0", seed)
        self.folder = folder
        self.repo = Repository.init(folder, actor="ana", clock=lambda: self.now)[0]

    def at(self, moment: str, who: str) -> None:
        self.now, self.repo.actor = datetime.fromisoformat(f"2024-{moment}+00:00"), who

    def commit(self, *edits: str, why: str = "", **trailers: str) -> CommitId:
        for name in edits:
            world.edit(self.folder, name, self.seed)
        given: dict[str, list[str]] = {name: [text] for name, text in trailers.items()} | (
            {"why": [why]} if why else {}
        )
        made = commit(self.repo, None, trailers=given).commit
        assert made is not None
        return made

    def until_the_night(self) -> None:
        self.commit()
        promote(self.repo, "prod", reason="first release")
        self.at("02-11T04:40", "dana")
        self.added = self.commit("add_R2", alert="A0020", ticket="TRI-31")
        self.at("04-01T14:00", "cleo")
        self.v2 = self.commit("train_w1", "live_w2", "alert_history")
        self.at("04-01T16:00", "ana")
        promote(self.repo, "prod", reason="good")
        self.imported = import_alerts(self.repo, self.folder / "alerts/history.jsonl")

    def the_night(self) -> None:
        for moment, who, edit, why in (
            ("04-19T11:00", "temp-07", "labels_w2_flipped", "week 2"),
            ("04-20T15:00", "ben", "impute_-1", "one less statistic"),
            ("04-20T17:00", "cleo", "max_iter_3000", "converges"),
            ("04-21T20:40", "eve", "drop_R2", "0 hits in week 2"),
        ):
            self.at(moment, who)
            self.bad = self.commit(edit, why=why)
        self.at("04-22T02:00", "cron")
        promote(self.repo, "prod", reason="nightly")
        self.at("04-22T02:40", "monitor")
        add_alert(self.repo, "null_fraction.worst_radius", id="A0087")
        self.at("04-22T03:05", "monitor")
        add_alert(self.repo, "flag_rate_drop.clinic", id="A0088", severity="page", summary="clinic C: .36 to .115")
        self.at("04-22T03:07", "eve")


@pytest.fixture(scope="module", params=SEEDS)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    played = Played(tmp_path_factory.mktemp("clinic"), request.param)
    played.until_the_night()
    return played


def by_type(found: tuple[AlertTypeStats, ...]) -> dict[str, AlertTypeStats]:
    return {stats.type: stats for stats in found}


def test_the_alerts_of_two_months_are_counted_by_what_came_of_them(played: Played) -> None:
    assert played.imported.added == 86
    stats = alert_stats(played.repo, as_of=datetime(2024, 4, 2, tzinfo=UTC))
    assert (stats.fired, stats.acted) == (86, 6)
    assert {name: (one.acted, one.fired) for name, one in by_type(stats.types).items()} == {
        "flag_rate_drop.clinic": (3, 3),
        "latency_p99": (2, 9),
        "null_fraction.worst_radius": (1, 41),
        "psi.mean_texture": (0, 33),
    }
    null = by_type(stats.types)["null_fraction.worst_radius"]
    assert null.last_action is not None and null.last_action.commits == (played.added,)
    acted = alert_history(played.repo, acted=True).actions
    assert {one.alert for one in acted} == {a["id"] for a in alerts.history() if a["outcome"] == "acted"}


def test_the_guide_leads_from_the_page_to_the_rule_that_was_removed(played: Played) -> None:
    played.the_night()
    guide = oncall_guide(played.repo)
    drop, null = guide.alerts
    assert (drop.alert.id, null.alert.id) == ("A0088", "A0087")
    assert drop.alert.live == null.alert.live == played.bad
    assert (drop.acted, drop.settled, drop.advice) == (3, 3, "look first")
    assert (null.acted, null.settled) == (1, 41)
    assert null.last is not None and (null.last.alert, null.last.action.by) == ("A0020", "dana")
    (fate,) = null.last.undone
    assert (fate.path, fate.unit, fate.now) == (world.RULES, "R2", "removed")
    assert fate.change is not None
    assert (fate.change.commit, fate.change.author, fate.change.mine) == (played.bad, "eve", True)
    assert {(m.path, m.unit) for m in null.mentions} >= {(world.CHECKS, "worst radius"), (world.RULES, "R2")}
    (release,) = guide.releases
    assert release.good == played.v2
    said = {change.kind: (change.summary, change.authors) for change in release.changes}
    assert said["rules"] == ("R2 removed", ("eve",))
    assert said["config"] == ("impute median → -1, max_iter 2000 → 3000", ("ben", "cleo"))
    assert "+80 rows" in said["data"][0] and said["data"][1] == ("temp-07",)
    text = to_text(guide_page(guide), width=80)
    assert "was removed 6 h 27 min ago by eve (you)" in text
    assert len(text.splitlines()) <= 40 and max(map(len, text.splitlines())) <= 80


def test_when_the_labels_are_in_the_drop_was_real_and_its_alerts_true(played: Played) -> None:
    act_on_alert(played.repo, "A0088", did="rolled back", ticket="INC-1")
    promote(played.repo, "prod", str(played.v2), reason="back")
    played.at("05-13T12:00", "cleo")
    add_metrics(played.repo, str(played.bad), {"recall{clinic=C}": 0.375}, n=8)
    add_metrics(played.repo, str(played.v2), {"recall{clinic=C}": 1.0}, n=8)
    result = alert_stats(played.repo, against="recall{clinic=C} < 0.9")
    assert result.drops == 1
    truth: dict[str, Any] = {stats.type: stats.against for stats in result.types}
    fired = {stats.type: stats.fired for stats in result.types}
    flags, psi, null = (truth[n] for n in ("flag_rate_drop.clinic", "psi.mean_texture", "null_fraction.worst_radius"))
    assert (flags.true, fired["flag_rate_drop.clinic"], flags.by_action, flags.by_metric) == (4, 4, 4, 1)
    assert (psi.true, psi.false + psi.unknown, psi.caught, psi.drops) == (0, 33, 0, 1)
    assert (null.true, null.by_action, null.by_metric, null.recall) == (2, 1, 1, 1.0)
    then = alert_stats(played.repo, against="recall{clinic=C} < 0.9", as_of=datetime(2024, 4, 22, 4, tzinfo=UTC))
    assert then.drops == 0, "nobody could know that night"
