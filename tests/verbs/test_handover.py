"""Handovers: what changed in the window, as known at its end, and where the next one begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.errors import UsageError
from mlver.verbs.alerts import add_alert
from mlver.verbs.handover import handover
from mlver.verbs.incident import link_incident, open_incident
from tests.verbs.test_slo import Night, at


@pytest.fixture
def night(tmp_path: Path) -> Night:
    night = Night(tmp_path)
    add_alert(night.repo, "psi", id="A1", at=at("2024-04-10T08:00"))
    add_alert(night.repo, "flag_rate", id="A2", severity="page", at=at("2024-04-22T03:05"))
    return night


def test_moves_alerts_and_what_serves(night: Night) -> None:
    night.clock.moment = at("2024-04-22T09:00")
    told = handover(night.repo, since=at("2024-04-20"))
    assert [event.text.split(" to ")[0] for event in told.moves] == ["prod promoted", "prod rolled back"]
    assert [(one.id, one.old) for one in told.waiting] == [("A2", False), ("A1", True)]
    assert [one.commit for one in told.live] == [night.v2]
    assert [one.message for one in told.commits] == ["nightly"]
    assert any("A2 (page) waits" in text for text in told.watch)


def test_the_next_one_begins_where_a_recorded_one_ended(night: Night) -> None:
    night.clock.moment = at("2024-04-23T09:00")
    first = handover(night.repo, record=True, to="ben", text="labels are due")
    assert first.last is None
    second = handover(night.repo)
    assert second.since == first.until
    assert second.last is not None
    assert (second.last.to, second.last.text) == ("ben", "labels are due")
    assert second.moves == ()


def test_without_recording_nothing_is_written(night: Night) -> None:
    before = night.repo.state.id
    handover(night.repo)
    night.repo.refresh()
    assert night.repo.state.id == before


def test_objectives_then_and_now_and_what_was_learned(night: Night) -> None:
    night.clock.moment = at("2024-05-05T09:00")
    night.labels_arrive()
    night.measure(night.v2, {"recall{clinic=C}": 0.5}, "data/live/w3.csv", n=8)
    told = handover(night.repo, since=at("2024-05-07"))
    (slo,) = told.slos
    assert (slo.then, slo.now) == ("unknown", "broken")
    values = {(one.commit, one.slice): (one.before, one.value) for one in told.learned}
    assert values[night.bad, "clinic=C"] == (0.0, 0.375)
    assert any(text.startswith("objective triage is broken") for text in told.watch)


def test_a_window_in_the_past_tells_what_was_known_then(night: Night) -> None:
    night.clock.moment = at("2024-05-14T09:00")
    open_incident(night.repo, "INC-1", reason="late")
    link_incident(night.repo, "INC-1", follow_ups=["call"])
    night.clock.moment = at("2024-04-22T02:30")
    told = handover(night.repo, since=at("2024-04-20"))
    assert (told.incidents, told.follow_ups) == ((), ())
    assert [one.commit for one in told.live] == [night.bad]


def test_rules_that_came_and_went(night: Night) -> None:
    night.write("rules/rules.json", [{"id": "R1", "then": "refer"}])
    night.commit("R1")
    night.clock.moment = at("2024-05-01T09:00")
    night.write("rules/rules.json", [{"id": "R2", "then": "refer"}])
    night.commit("R2 for R1", by="eve", trailers={"why": ["better"]})
    told = handover(night.repo, since=at("2024-04-30"))
    assert {(one.rule, one.change, one.author, one.why) for one in told.rules} == {
        ("R1", "removed", "eve", "better"),
        ("R2", "added", "eve", "better"),
    }


def test_a_window_that_has_not_begun_is_refused(night: Night) -> None:
    with pytest.raises(UsageError, match="future"):
        handover(night.repo, since=at("2030-01-01"))


def test_malformed_objectives_keep_nobody_from_the_rest(night: Night) -> None:
    night.write("mlver.toml", '[slo.triage]\nrequire = ["recall >> 1"]\n')
    told = handover(night.repo, since=at("2024-04-20"))
    assert len(told.problems) == 1
    assert "mlver.toml" in told.problems[0]
    assert told.moves
