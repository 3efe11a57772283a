"""Incidents: what is worked out, what people add, and that nothing is invented."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mlver.errors import Conflict, UnknownRevision, UsageError
from mlver.verbs.alerts import act_on_alert, add_alert
from mlver.verbs.incident import close_incident, link_incident, list_incidents, note_incident, open_incident
from mlver.verbs.incident_report import report_incident
from mlver.verbs.note import add_note
from tests.verbs.test_slo import Night, at


@pytest.fixture
def night(tmp_path: Path) -> Night:
    """A release served from 02:00 to 03:10; one alert fired on it, and was acted on."""
    night = Night(tmp_path)
    add_alert(night.repo, "flag_rate_drop", id="A0088", at=at("2024-04-22T03:05"), severity="page", stage="prod")
    act_on_alert(night.repo, "A0088", did="rolled back", ticket="INC-1")
    return night


def opened(night: Night, **words: object) -> None:
    open_incident(night.repo, "INC-1", reason="clinic C is not referred", **words)  # type: ignore[arg-type]


def test_the_interval_served_is_found_from_the_alert(night: Night) -> None:
    opened(night, alerts=["A0088"])
    report = report_incident(night.repo, "INC-1")
    (release,) = report.releases
    assert (release.commit, release.stage, release.since, release.until) == (
        night.bad,
        "prod",
        night.since,
        night.until,
    )
    assert (release.ended, release.next, release.ended_reason) == ("rollback", night.v2, "A0088")
    assert report.served_seconds == release.seconds == (night.until - night.since).total_seconds()


def test_an_alert_whose_action_names_the_incident_needs_no_link(night: Night) -> None:
    opened(night)
    report = report_incident(night.repo, "INC-1")
    assert [event.alert for event in report.timeline if event.sort == "alert"] == ["A0088"]
    assert [release.commit for release in report.releases] == [night.bad]


def test_two_alerts_on_one_release_count_its_time_once(night: Night) -> None:
    add_alert(night.repo, "null_fraction", id="A0087", at=at("2024-04-22T02:40"), stage="prod")
    opened(night, alerts=["A0087", "A0088"])
    report = report_incident(night.repo, "INC-1")
    assert len(report.releases) == 1
    assert report.served_seconds == (night.until - night.since).total_seconds()


def test_the_timeline_is_in_order_and_has_what_became_known_later(night: Night) -> None:
    opened(night, alerts=["A0088"], at=at("2024-04-22T03:06"))
    note_incident(night.repo, "INC-1", "clinic C was called", at=at("2024-04-22T03:30"))
    add_note(night.repo, str(night.bad), "misses cancers", mark="bad")
    night.labels_arrive()
    close_incident(night.repo, "INC-1", reason="fixed")
    events = report_incident(night.repo, "INC-1").timeline
    assert [event.at for event in events] == sorted(event.at for event in events)
    told = [(event.sort, event.text) for event in events]
    assert ("incident", "clinic C was called") in told
    assert ("incident", "opened: clinic C is not referred") in told
    assert told[-1] == ("incident", "closed: fixed")
    learned = [text for sort, text in told if sort == "metrics"]
    assert [text.split(": ")[1] for text in learned] == [
        f"recall{{clinic=C}} {value} (n {n}) on data/live/w3.csv" for value, n in (("0", 3), ("0.2", 5), ("0.375", 8))
    ]
    moves = [text for sort, text in told if sort == "move"]
    assert [text.split()[:2] for text in moves] == [["prod", "promoted"], ["prod", "rolled"]]


def test_a_cause_is_told_with_commit_author_and_the_line_it_changed(night: Night) -> None:
    opened(night, alerts=["A0088"])
    link_incident(night.repo, "INC-1", causes=["config/pipeline.json#impute"], text="-1 is a number to the model")
    (cause,) = report_incident(night.repo, "INC-1").causes
    assert (cause.commit, cause.author, cause.by) == (night.bad, "ana", "ana")
    assert cause.lines == ("config/pipeline.json#impute: median → -1",)
    assert cause.said == "-1 is a number to the model"


@pytest.mark.parametrize("text", ["config/pipeline.json#impute@{bad}", "config/pipeline.json@{bad}#impute"])
def test_a_cause_names_its_commit_before_or_behind_the_unit(night: Night, text: str) -> None:
    opened(night)
    link_incident(night.repo, "INC-1", causes=[text.format(bad=night.bad.short)])
    (cause,) = report_incident(night.repo, "INC-1").causes
    assert (cause.commit, cause.part) == (night.bad, "config/pipeline.json#impute")


def test_commits_nobody_judged_are_no_causes(night: Night) -> None:
    opened(night, alerts=["A0088"])
    report = report_incident(night.repo, "INC-1")
    assert report.causes == ()
    assert [story.commit for story in report.came_with] == [night.bad]


@pytest.mark.parametrize("text", ["deadbeef00", "config/pipeline.json#nothing", "config/pipeline.json#impute@{v3}"])
def test_a_cause_that_changed_nothing_is_refused(night: Night, text: str) -> None:
    opened(night)
    night.write("other.txt", "x")
    v3 = night.commit("v3")
    with pytest.raises(UnknownRevision):
        link_incident(night.repo, "INC-1", causes=[text.format(v3=v3.short)])
    assert report_incident(night.repo, "INC-1").causes == ()


def test_commits_that_name_the_ticket_are_found(night: Night) -> None:
    opened(night)
    link_incident(night.repo, "INC-1", tickets=["TRI-61"])
    night.write("config/pipeline.json", {"impute": "mean"})
    fix = night.commit("fix", trailers={"ticket": ["TRI-61"]})
    assert [story.commit for story in report_incident(night.repo, "INC-1").named] == [fix]


def test_the_objective_then_and_now(night: Night) -> None:
    opened(night, alerts=["A0088"])
    assert [(slo.then, slo.now) for slo in report_incident(night.repo, "INC-1").slos] == [("unknown", "unknown")]
    night.labels_arrive()
    (slo,) = report_incident(night.repo, "INC-1").slos
    assert (slo.then, slo.now, slo.commit) == ("unknown", "broken", night.bad)


def test_an_incident_without_anything_invents_nothing(night: Night) -> None:
    open_incident(night.repo, "INC-9", reason="something smells")
    report = report_incident(night.repo, "INC-9")
    assert (report.releases, report.causes, report.came_with, report.served_seconds) == ((), (), (), 0.0)
    assert [event.sort for event in report.timeline] == ["incident"]


def test_a_release_that_serves_still_is_counted_until_now(night: Night) -> None:
    add_alert(night.repo, "psi", id="A0099", stage="prod")
    open_incident(night.repo, "INC-2", reason="drift", alerts=["A0099"])
    (release,) = report_incident(night.repo, "INC-2").releases
    assert (release.commit, release.until, release.ended) == (night.v2, None, None)
    assert release.seconds > 0


def test_follow_ups_are_done_by_number_and_stay_after_closing(night: Night) -> None:
    opened(night)
    link_incident(night.repo, "INC-1", follow_ups=["gate by clinic", "call patients"])
    close_incident(night.repo, "INC-1", reason="over")
    incident = link_incident(night.repo, "INC-1", done=[2]).incident
    assert [one.text for one in incident.open_follow_ups] == ["gate by clinic"]
    with pytest.raises(UnknownRevision, match="no follow-up 3"):
        link_incident(night.repo, "INC-1", done=[3])


def test_opening_twice_closing_twice_and_opening_again(night: Night) -> None:
    opened(night)
    with pytest.raises(Conflict):
        opened(night)
    close_incident(night.repo, "INC-1", reason="over")
    with pytest.raises(Conflict):
        close_incident(night.repo, "INC-1", reason="over")
    opened(night)
    (one,) = list_incidents(night.repo, state="open").incidents
    assert (one.id, one.closed, one.reason) == ("INC-1", None, "clinic C is not referred")


@pytest.mark.parametrize("id", ["", "two words", "x" * 61, "a\nb"])
def test_an_id_is_one_word(night: Night, id: str) -> None:
    with pytest.raises(UsageError):
        open_incident(night.repo, id, reason="why")


def test_what_does_not_exist_cannot_be_linked(night: Night) -> None:
    with pytest.raises(UnknownRevision, match="A0066"):
        opened(night, alerts=["A0066"])
    with pytest.raises(UnknownRevision, match="no incident"):
        note_incident(night.repo, "INC-7", "text")
    opened(night)
    with pytest.raises(UsageError, match="nothing to link"):
        link_incident(night.repo, "INC-1")


def test_the_same_repository_gives_the_same_report(night: Night) -> None:
    opened(night, alerts=["A0088"])
    night.labels_arrive()
    before = report_incident(night.repo, "INC-1").to_dict()
    assert report_incident(night.reopen(), "INC-1").to_dict() == before


def test_a_clock_that_is_behind_does_not_leave_it_closed(night: Night) -> None:
    open_incident(night.repo, "INC-7", reason="x")
    night.clock.moment += timedelta(minutes=5)
    close_incident(night.repo, "INC-7", reason="over")
    night.clock.moment -= timedelta(minutes=3)  # of somebody else's machine
    assert open_incident(night.repo, "INC-7", reason="not over").incident.state == "open"
    assert close_incident(night.repo, "INC-7", reason="now it is").incident.state == "closed"
    earlier = night.clock.moment - timedelta(hours=2)
    assert open_incident(night.repo, "INC-7", reason="again", at=earlier).incident.state == "open"
