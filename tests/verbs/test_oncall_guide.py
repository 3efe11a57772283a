"""The guide: what fired, what ever helped, what became of that, what came with the release, what to type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlver.errors import UnknownRevision
from mlver.objects.ids import CommitId
from mlver.render.console import to_text
from mlver.render.guide import guide_page
from mlver.verbs.alerts import act_on_alert, add_alert, settle_alerts
from mlver.verbs.guide_result import GuidedAlert, GuideResult
from mlver.verbs.mutes import mute_alerts
from mlver.verbs.oncall_guide import oncall_guide
from mlver.verbs.promote import promote
from mlver.verbs.rollback import rollback
from tests.kit import Bench

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
EVENING = datetime(2024, 4, 21, 20, 40, tzinfo=UTC)
NIGHT = datetime(2024, 4, 22, 2, 0, tzinfo=UTC)
R1 = {"id": "R1", "when": "mean_radius > 20", "then": "refer"}
R9 = {"id": "R9", "missing_at_least": 3, "then": "refer", "owner": "dana", "why": "the scanner (null_fraction)"}


class Night(Bench):
    """A clinic whose rule R9, once added because of an alert, was removed hours before the alert fires again."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.write("rules/rules.json", [R1])
        self.write("checks/bounds.json", {"worst radius": {"min": 0, "max": 45}, "age": {"min": 0, "max": 125}})
        self.write("config/pipeline.json", {"impute": "median", "C": 1.0})
        self.write("data/train.csv", "id,worst radius,age\n1,2,3\n")
        self.commit("v1")
        promote(self.repo, "prod", reason="first")
        for n in range(5):
            self.fire("null_fraction.worst_radius", f"N{n}")
        settle_alerts(self.repo, ["N0", "N1", "N2", "N3"], "ignored")
        self.write("rules/rules.json", [R1, R9])
        self.fixed = self.commit("add R9", by="dana", trailers={"alert": ["N4"]})
        act_on_alert(self.repo, "N4", did="added rule R9")
        self.repo.actor = "ana"
        self.good: CommitId = self.live("v2")
        for n in range(3):
            self.fire("flag_rate", f"F{n}")
            act_on_alert(self.repo, f"F{n}", did="rolled back", at=self.repo.now() + 20 * MINUTE)

    def live(self, reason: str) -> CommitId:
        promote(self.repo, "prod", reason=reason)
        return self.repo.resolve("HEAD")

    def fire(self, type: str, id: str, **words: str) -> None:
        add_alert(self.repo, type, id=id, **words)  # type: ignore[arg-type]

    def go_wrong(self) -> CommitId:
        self.clock.moment = EVENING - 2 * MINUTE
        self.write("config/pipeline.json", {"impute": "-1", "C": 1.0})
        self.commit("simpler", by="ben", trailers={"why": ["one less statistic"]})
        self.clock.moment = EVENING - MINUTE
        self.write("rules/rules.json", [R1])
        self.commit("remove R9", by="eve", trailers={"why": ["0 hits in week 2"]})
        self.clock.moment = NIGHT - MINUTE
        self.repo.actor = "cron"
        bad = self.live("nightly")
        self.clock.moment = NIGHT + 39 * MINUTE
        self.fire("null_fraction.worst_radius", "A87")
        self.fire("flag_rate", "A88", severity="page", summary="clinic C refers too few")
        self.repo.actor = "eve"
        self.clock.moment = NIGHT + 66 * MINUTE
        return bad


@pytest.fixture
def night(tmp_path: Path) -> Night:
    return Night(tmp_path / "clinic")


def by_id(result: GuideResult) -> dict[str, GuidedAlert]:
    return {one.alert.id: one for one in result.alerts}


def page(result: GuideResult) -> str:
    return to_text(guide_page(result), width=80)


def test_what_helped_last_time_is_found_and_that_it_is_gone(night: Night) -> None:
    bad = night.go_wrong()
    result = oncall_guide(night.repo)
    assert [one.alert.id for one in result.alerts] == ["A88", "A87"]
    page_, warn = result.alerts
    assert (page_.settled, page_.acted, page_.first, page_.advice) == (3, 3, True, "look first")
    assert page_.to_action is not None and page_.to_action > 0
    assert (warn.settled, warn.acted, warn.first) == (5, 1, False)
    assert (warn.alert.live, warn.now, warn.served_by) == (bad, bad, "cron")
    assert warn.last is not None and (warn.last.alert, warn.last.action.commits) == ("N4", (night.fixed,))
    (fate,) = warn.last.fates
    assert (fate.path, fate.unit, fate.did, fate.now) == ("rules/rules.json", "R9", "added", "removed")
    change = fate.change
    assert change is not None
    assert (change.author, change.why, change.mine, change.time) == ("eve", "0 hits in week 2", True, EVENING)
    text = page(result)
    assert "rules/rules.json#R9 was removed 6 h 27 min ago by eve (you) in" in text
    assert '"0 hits in week 2"' in text
    assert len(text.splitlines()) <= 40 and max(map(len, text.splitlines())) <= 80


def test_what_came_with_the_release_is_told_a_line_a_kind_with_who_did_it(night: Night) -> None:
    bad = night.go_wrong()
    result = oncall_guide(night.repo)
    (release,) = result.releases
    assert (release.good, release.bad, release.live) == (night.good, bad, True)
    assert [(c.kind, c.summary, c.authors) for c in release.changes] == [
        ("rules", "R9 removed", ("eve",)),
        ("config", "impute median → -1", ("ben",)),
    ]
    commands = [command for command, _ in result.next]
    assert commands[:3] == [
        f"mlver diff {night.good.short} prod",
        "mlver rollback prod --dry-run",
        "mlver blame 'rules/rules.json#R9'",
    ]
    assert "mlver alerts ack A88" in commands


def test_who_speaks_of_what_the_alert_names_is_found_by_words(night: Night) -> None:
    night.go_wrong()
    mentions = by_id(oncall_guide(night.repo))["A87"].mentions
    found = {(one.path, one.unit): (one.name, one.now) for one in mentions if one.path}
    assert found == {
        ("checks/bounds.json", "worst radius"): ("worst_radius", "unchanged"),
        ("rules/rules.json", "R9"): ("null_fraction", "removed"),
    }
    (column,) = [one for one in mentions if one.columns_of]
    assert (column.name, column.columns_of) == ("worst radius", ("data/train.csv",))


def test_a_remedy_that_still_stands_is_said_to(night: Night) -> None:
    night.fire("null_fraction.worst_radius", "A5")
    result = oncall_guide(night.repo)
    last = by_id(result)["A5"].last
    assert last is not None and last.undone == () and last.fates[0].now == "unchanged"
    assert "rules/rules.json#R9: unchanged since" in page(result)


def test_a_remedy_that_was_changed_or_came_back_names_the_newest_change(night: Night) -> None:
    night.write("rules/rules.json", [R1])
    night.commit("out", by="eve")
    night.write("rules/rules.json", [R1, R9 | {"missing_at_least": 30}])
    changed = night.commit("in again", by="ben")
    night.live("v3")
    night.fire("null_fraction.worst_radius", "A5")
    last = by_id(oncall_guide(night.repo))["A5"].last
    assert last is not None
    (fate,) = last.undone
    assert fate.now == "changed" and fate.change is not None and fate.change.commit == changed


def test_a_remedy_in_data_speaks_for_the_whole_table(night: Night) -> None:
    night.fire("labels", "L1")
    night.write("data/train.csv", "id,worst radius,age\n1,2,3\n2,3,4\n")
    night.commit("more rows", trailers={"alert": ["L1"]})
    act_on_alert(night.repo, "L1", did="added rows")
    (night.root / "data/train.csv").unlink()
    gone = night.commit("no data", by="ben")
    night.live("v3")
    night.fire("labels", "L2")
    last = by_id(oncall_guide(night.repo))["L2"].last
    assert last is not None
    (fate,) = last.fates
    assert (fate.path, fate.unit, fate.did, fate.now) == ("data/train.csv", None, "changed", "removed")
    assert fate.change is not None and fate.change.commit == gone


def test_a_remedy_that_came_after_the_release_is_no_part_of_it(night: Night) -> None:
    night.fire("labels", "L1")
    night.write("rules/rules.json", [R1, R9, {"id": "R10", "then": "refer"}])
    night.commit("add R10", trailers={"alert": ["L1"]})
    act_on_alert(night.repo, "L1", did="added R10")
    night.fire("labels", "L2")
    result = oncall_guide(night.repo)
    last = by_id(result)["L2"].last
    assert last is not None
    assert [(fate.unit, fate.now, fate.change) for fate in last.fates] == [("R10", "elsewhere", None)]
    assert last.undone == () and "rules/rules.json#R10: not in this release" in page(result)


def test_after_a_rollback_the_guide_says_what_is_live_now(night: Night) -> None:
    bad = night.go_wrong()
    rollback(night.repo, "prod", reason="A88")
    result = oncall_guide(night.repo)
    assert {one.now for one in result.alerts} == {night.good}
    (release,) = result.releases
    assert (release.live, release.good, release.bad) == (False, night.good, bad)
    assert not any("rollback" in command for command, _ in result.next)
    assert "is live" in page(result)


def test_muted_settled_and_surplus_alerts_are_not_told(night: Night) -> None:
    night.go_wrong()
    mute_alerts(night.repo, "psi", for_=DAY, reason="new scanner")
    night.fire("psi.texture", "P1")
    night.fire("latency", "L1")
    settle_alerts(night.repo, ["A88"], "resolved")
    result = oncall_guide(night.repo, limit=1)
    assert ([one.alert.id for one in result.alerts], result.more) == (["L1"], 1)
    assert [(one.type, one.count, one.reason) for one in result.muted] == [("psi.texture", 1, "new scanner")]
    text = page(result)
    assert "1 more alert waits:" in text and "muted until" in text and "nothing is known of this type yet" in text
    settle_alerts(night.repo, ["A87"], "acked")
    assert by_id(oncall_guide(night.repo))["A87"].alert.state == "acked", "seen is not settled"


def test_it_answers_for_alerts_asked_for_and_with_nothing_at_all(night: Night, tmp_path: Path) -> None:
    assert [one.alert.id for one in oncall_guide(night.repo, ["N4", "F1"]).alerts] == ["N4", "F1"]
    with pytest.raises(UnknownRevision, match="N44"):
        oncall_guide(night.repo, ["N44"])
    empty = Bench(tmp_path / "empty")
    assert page(oncall_guide(empty.repo)) == "no alert waits for anybody\n"
    add_alert(empty.repo, "psi", id="A1")
    text = page(oncall_guide(empty.repo))
    assert "nothing was live on prod" in text and "mlver alerts ack A1" in text


def test_a_scope_of_its_own_is_rolled_back_alone(night: Night) -> None:
    night.clock.moment = NIGHT
    night.write("rules/rules.json", [])
    bad = night.commit("no rules")
    promote(night.repo, "prod", scope="clinic=C", reason="trial")
    night.fire("flag_rate", "A1", scope="clinic=C")
    night.fire("flag_rate", "A2", scope="clinic=A")
    result = oncall_guide(night.repo)
    assert {one.alert.id: one.now for one in result.alerts} == {"A1": bad, "A2": night.good}
    assert ("mlver rollback prod --scope clinic=C --dry-run") in [command for command, _ in result.next]


def test_of_two_mutes_the_one_that_lasts_is_told(night: Night) -> None:
    mute_alerts(night.repo, "psi", for_=DAY, reason="new scanner")
    mute_alerts(night.repo, "psi", for_=3 * DAY, reason="again")
    night.fire("psi.texture", "A3")
    (muted,) = oncall_guide(night.repo).muted
    assert muted.reason == "again" and muted.until > night.repo.now() + 2 * DAY
