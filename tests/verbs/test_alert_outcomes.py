"""What became of alerts: outcomes, histories, being left alone, mutes, and lists of what waits."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlver.errors import NegativeAnswer, UnknownRevision, UsageError
from mlver.objects.time import parse_span
from mlver.repo.alert_book import open_critical
from mlver.repo.alert_policy import AlertPolicy, alert_policy
from mlver.repo.facts import append_facts
from mlver.repo.project import parse_project
from mlver.verbs.alert_show import show_alerts
from mlver.verbs.alert_waiting import waiting_alerts
from mlver.verbs.alerts import (
    act_on_alert,
    add_alert,
    alert_history,
    alert_stats,
    import_alerts,
    list_alerts,
    settle_alerts,
)
from mlver.verbs.mutes import list_mutes, mute_alerts, unmute_alerts
from mlver.verbs.promote import promote
from mlver.verbs.rollback import rollback
from mlver.verbs.status import status
from tests.kit import Bench

DAY = timedelta(days=1)
FIRED = datetime(2024, 4, 2, tzinfo=UTC)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "clinic")
    bench.write("rules/rules.json", [{"id": "R1", "then": "refer"}])
    bench.commit("v1")
    promote(bench.repo, "prod", reason="first")
    return bench


def at(bench: Bench, moment: datetime) -> None:
    bench.clock.moment = moment


def state(bench: Bench, id: str) -> str:
    return list_alerts(bench.repo, ids=[id]).alerts[0].state


def test_outcomes_are_added_and_nothing_is_taken_back(bench: Bench) -> None:
    add_alert(bench.repo, "psi", id="A1")
    add_alert(bench.repo, "psi", id="A2")
    settle_alerts(bench.repo, ["A1", "A2"], "acked", reason="looking")
    bench.repo.actor = "ben"
    settle_alerts(bench.repo, ["A1"], "false-positive", reason="a holiday", ticket="T-1")
    (story,) = show_alerts(bench.repo, ["A1"]).alerts
    assert [(e.what, e.by, e.reason, e.ticket) for e in story.events] == [
        ("fired", "", None, None),
        ("acked", "ana", "looking", None),
        ("false-positive", "ben", "a holiday", "T-1"),
    ]
    assert [e.recorded_by for e in story.events] == ["ana", "ana", "ben"]
    assert (state(bench, "A1"), state(bench, "A2")) == ("false-positive", "acked")
    before = story.events[1].at
    assert [e.what for e in show_alerts(bench.repo, ["A1"], as_of=before).alerts[0].events] == ["fired", "acked"]
    (stats,) = alert_stats(bench.repo).types
    assert (stats.false, stats.acked, stats.open, stats.acted) == (1, 1, 0, 0)


def test_several_alerts_are_settled_together_or_not_at_all(bench: Bench) -> None:
    add_alert(bench.repo, "psi", id="A1")
    operation = bench.repo.state.id
    with pytest.raises(UnknownRevision, match="A7"):
        settle_alerts(bench.repo, ["A1", "A7"], "ignored")
    assert bench.repo.state.id == operation
    with pytest.raises(UsageError, match="not an outcome"):
        settle_alerts(bench.repo, ["A1"], "shrugged")
    with pytest.raises(UsageError, match="had not fired yet"):
        act_on_alert(bench.repo, "A1", at=FIRED - 400 * DAY)


def test_an_alert_left_alone_is_ignored_after_two_weeks_and_marked_so(bench: Bench) -> None:
    at(bench, FIRED)
    add_alert(bench.repo, "psi", id="A1", at=FIRED)
    facts = bench.repo.view.facts
    at(bench, FIRED + 14 * DAY - timedelta(minutes=5))
    assert state(bench, "A1") == "open"
    at(bench, FIRED + 14 * DAY)
    (alert,) = list_alerts(bench.repo, ids=["A1"]).alerts
    assert (alert.state, alert.actions[0].automatic, alert.actions[0].at) == ("ignored", True, FIRED + 14 * DAY)
    assert list_alerts(bench.repo, state="open").alerts == ()
    assert [a.id for a in list_alerts(bench.repo, state="ignored").alerts] == ["A1"]
    (stats,) = alert_stats(bench.repo).types
    assert (stats.ignored, stats.automatic, stats.open) == (1, 1, 0)
    (then,) = alert_stats(bench.repo, as_of=FIRED + 3 * DAY).types
    assert (then.ignored, then.automatic, then.open) == (0, 0, 1)
    assert bench.repo.view.facts == facts, "it is read off the clock, not recorded"
    act_on_alert(bench.repo, "A1", did="looked after all")
    assert state(bench, "A1") == "acted"
    assert [a.automatic for a in list_alerts(bench.repo, ids=["A1"]).alerts[0].actions] == [False]


def test_mlver_toml_says_after_how_long(bench: Bench) -> None:
    at(bench, FIRED)
    for id, type in (("A1", "psi.x"), ("A2", "psi.y"), ("A3", "latency"), ("A4", "null")):
        add_alert(bench.repo, type, id=id, at=FIRED)
    bench.write(
        "mlver.toml",
        '[alerts.default]\nignored_after = "2d"\n[alerts.psi]\nignored_after = "1d"\n'
        '[alerts."psi.y"]\nignored_after = "never"\n[alerts.null]\nignored_after = "5d"\n',
    )
    at(bench, FIRED + 2 * DAY)
    assert [state(bench, id) for id in ("A1", "A2", "A3", "A4")] == ["ignored", "open", "ignored", "open"]
    assert waiting_alerts(bench.repo).open == ("A4", "A2")


def test_an_alert_that_wakes_people_never_ignores_itself(bench: Bench) -> None:
    at(bench, FIRED)
    commit = add_alert(bench.repo, "drop", id="A1", severity="page").alerts[0].live
    at(bench, FIRED + 300 * DAY)
    assert state(bench, "A1") == "open"
    assert commit is not None and [a.id for a in open_critical(bench.repo)[commit]] == ["A1"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[alerts.psi]\nignored_after = "soon"\n', r"mlver\.toml:1: alerts\.psi\.ignored_after: not a length of time"),
        ("[alerts.psi]\nignored_after = 14\n", r"mlver\.toml:1: alerts\.psi\.ignored_after: expected a text"),
        ('[alerts.psi]\nafter = "14d"\n', r"mlver\.toml:1: alerts\.psi: unknown entry 'after'"),
        ("[alerts.null.worst]\nignored_after = '1d'\n", "unknown entry 'worst'"),
    ],
)
def test_a_policy_that_is_malformed_is_named_with_its_line(bench: Bench, text: str, says: str) -> None:
    add_alert(bench.repo, "psi", id="A1")
    bench.write("mlver.toml", text)
    with pytest.raises(UsageError, match=says):
        alert_stats(bench.repo)
    assert state(bench, "A1") == "open", "who looks at an alert at night is not kept from it"


def test_the_longest_name_that_covers_a_type_counts() -> None:
    policy = alert_policy(parse_project(b'[alerts.a]\nignored_after="1d"\n[alerts."a.b"]\nignored_after="2d"\n'))
    found = [policy.ignored_after(name) for name in ("a", "a.c", "a.b", "a.b.c", "ab", "default")]
    assert found == [DAY, DAY, 2 * DAY, 2 * DAY, 14 * DAY, 14 * DAY]
    assert AlertPolicy().ignored_after("x") == 14 * DAY


def test_spans_are_read_strictly() -> None:
    assert [parse_span(text) for text in ("90m", " 2h ", "1w")] == [timedelta(minutes=90), DAY / 12, 7 * DAY]
    for text in ("", "0d", "14", "-2d", "2 fortnights", "9" * 30 + "d"):
        with pytest.raises(UsageError):
            parse_span(text)


def test_what_waits_for_long_is_listed_and_in_status(bench: Bench) -> None:
    at(bench, FIRED)
    add_alert(bench.repo, "psi", id="old", at=FIRED)
    add_alert(bench.repo, "psi", id="new", at=FIRED + 8 * DAY)
    at(bench, FIRED + 9 * DAY)
    assert [a.id for a in list_alerts(bench.repo, state="open", older_than=7 * DAY).alerts] == ["old"]
    result = status(bench.repo)
    assert result.open_alerts == ("new", "old")
    assert [(one.id, one.days) for one in result.old_alerts] == [("old", 9)]


def test_one_alert_that_mattered_among_thousands_is_found(bench: Bench) -> None:
    rows = [{"id": f"N{n}", "type": "null", "at": f"2024-03-{n % 28 + 1:02}", "outcome": "ignored"} for n in range(900)]
    rows[417] |= {"outcome": "acted", "by": "dana", "action": "added rule R2", "ticket": "TRI-31"}
    rows += [{"id": "F1", "type": "flag", "at": "2024-03-01", "outcome": "false-positive", "by": "ben"}]
    file = bench.root.parent / "many.json"
    file.write_text(json.dumps(rows))
    import_alerts(bench.repo, file)
    bench.write("rules/rules.json", [{"id": "R2"}])
    made = bench.commit("R2", trailers={"ticket": ["TRI-31"]})
    (one,) = alert_history(bench.repo, acted=True).actions
    assert (one.alert, one.type_fired, one.type_acted) == ("N417", 900, 1)
    assert (one.action.did, one.action.commits) == ("added rule R2", (made,))
    assert len(alert_history(bench.repo).actions) == 901
    cut = alert_history(bench.repo, type="flag", limit=0)
    assert (cut.actions, cut.more) == ((), True)


def test_stats_since_by_stage_and_how_long_it_took(bench: Bench) -> None:
    at(bench, FIRED)
    for n, stage in enumerate(("prod", "canary", "canary")):
        add_alert(bench.repo, "psi", id=f"A{n}", at=FIRED + n * DAY, stage=stage, severity="page" if n else "warn")
    act_on_alert(bench.repo, "A0", did="x", at=FIRED + timedelta(hours=1))
    act_on_alert(bench.repo, "A2", did="y", at=FIRED + 2 * DAY + timedelta(hours=3))
    (whole,) = alert_stats(bench.repo).types
    assert (whole.to_action, whole.last_action_alert) == (2 * 3600, "A2")
    stages = {s.group: (s.fired, s.acted) for s in alert_stats(bench.repo, by="stage").types}
    assert stages == {"prod": (1, 1), "canary": (2, 1)}
    levels = {s.group: s.fired for s in alert_stats(bench.repo, by="severity").types}
    assert levels == {"warn": 1, "page": 2}
    (late,) = alert_stats(bench.repo, since=FIRED + DAY).types
    assert (late.fired, late.acted, late.last_acted) == (2, 1, FIRED + 2 * DAY + timedelta(hours=3))
    with pytest.raises(UsageError, match="by 'clinic'"):
        alert_stats(bench.repo, by="clinic")


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        ({}, "an end and a reason"),
        ({"reason": "noise"}, "needs an end$"),
        ({"for_": DAY}, "needs a reason$"),
        ({"for_": DAY, "reason": "  "}, "needs a reason$"),
        ({"for_": DAY, "until": FIRED + 900 * DAY, "reason": "x"}, "one end"),
        ({"until": FIRED - DAY, "reason": "x"}, "has passed"),
    ],
)
def test_a_mute_needs_an_end_and_a_reason(bench: Bench, words: dict[str, object], missing: str) -> None:
    before = bench.repo.state.id
    with pytest.raises(UsageError, match=missing):
        mute_alerts(bench.repo, "psi", **words)  # type: ignore[arg-type]
    assert bench.repo.state.id == before


def test_a_mute_hides_from_lists_of_what_waits_and_from_nothing_else(bench: Bench) -> None:
    at(bench, FIRED)
    assert not mute_alerts(bench.repo, "psi", for_=DAY, reason="new scanner").known_type
    live = add_alert(bench.repo, "psi.texture", id="A1", severity="page").alerts[0].live
    add_alert(bench.repo, "psicose", id="A2")
    waiting = waiting_alerts(bench.repo)
    assert (waiting.open, waiting.muted) == (("A2",), ("A1",))
    assert status(bench.repo).muted_alerts == 1
    assert [a.muted for a in list_alerts(bench.repo, state="open").alerts] == [False, True]
    assert alert_stats(bench.repo).fired == 2
    assert live is not None and live in open_critical(bench.repo), "a mute is no verdict: gates still see it"
    at(bench, FIRED + 2 * DAY)
    add_alert(bench.repo, "psi.texture", id="A3")
    assert waiting_alerts(bench.repo).muted == ("A1",), "what fires after the end is heard"


def test_what_a_mute_hid_and_how_close_to_a_rollback(bench: Bench) -> None:
    bench.write("rules/rules.json", [])
    bench.commit("bad")
    at(bench, FIRED)
    promote(bench.repo, "prod", reason="nightly")
    mute_alerts(bench.repo, "psi", for_=2 * DAY, reason="noise", stage="prod")
    for hour in (1, 5, 9, 30):
        at(bench, FIRED + timedelta(hours=hour))
        add_alert(bench.repo, "psi.x", id=f"P{hour}")
    add_alert(bench.repo, "psi.x", id="elsewhere", stage="canary")
    at(bench, FIRED + timedelta(hours=10, minutes=30))
    rollback(bench.repo, "prod", reason="A0088")
    at(bench, FIRED + timedelta(hours=40))
    (report,) = list_mutes(bench.repo).mutes
    assert (report.state, report.hid, report.near_rollback) == ("active", ("P1", "P5", "P9", "P30"), ("P9",))
    (ended,) = unmute_alerts(bench.repo, "psi", reason="enough").mutes
    assert (ended.state, ended.lifted_by, ended.reason) == ("lifted", "ana", "noise")
    add_alert(bench.repo, "psi.x", id="heard")
    assert "heard" not in list_mutes(bench.repo).mutes[0].hid
    with pytest.raises(NegativeAnswer, match="no mute of psi"):
        unmute_alerts(bench.repo, "psi")
    assert list_mutes(bench.repo, active=True).mutes == ()
    assert list_mutes(bench.repo, active=True, as_of=FIRED + DAY).mutes[0].state == "active"


def test_a_mute_that_ran_out_says_so(bench: Bench) -> None:
    at(bench, FIRED)
    mute_alerts(bench.repo, "psi", until=FIRED + DAY, reason="noise", scope="clinic=C")
    add_alert(bench.repo, "psi", id="C", scope="clinic=C")
    add_alert(bench.repo, "psi", id="A", scope="clinic=A")
    at(bench, FIRED + 3 * DAY)
    (report,) = list_mutes(bench.repo).mutes
    assert (report.state, report.hid, report.end) == ("expired", ("C",), FIRED + DAY)


def test_mutes_of_two_machines_merge_as_sets(bench: Bench) -> None:
    at(bench, FIRED)
    base = bench.repo.view.facts
    mute_alerts(bench.repo, "psi", for_=2 * DAY, reason="here")
    bench.repo.actor = "ben"
    at(bench, FIRED + DAY)
    unmute_alerts(bench.repo, "psi")
    facts = list(bench.repo.facts.of("mute", "unmute"))
    for order in (facts, facts[::-1]):
        bench.repo.__dict__["_facts"] = None
        head = append_facts(bench.repo.store, base, order)
        object.__setattr__(bench.repo.state.operation.view, "facts", head)
        (report,) = list_mutes(bench.repo).mutes
        assert (report.state, report.lifted_by) == ("lifted", "ben")


def test_a_long_id_may_be_cut_short(bench: Bench) -> None:
    long = [f"6998dfea089988b9@2024-04-0{day}T00:00:00Z" for day in (2, 3)]
    for id in long:
        add_alert(bench.repo, "psi", id=id, at=FIRED)
    add_alert(bench.repo, "psi", id="A0001", at=FIRED)
    settle_alerts(bench.repo, ["6998dfea089988b9@2024-04-02…", long[0]], "acked")
    assert [state(bench, id) for id in long] == ["acked", "open"]
    (story,) = show_alerts(bench.repo, [long[0][:27]]).alerts
    assert (story.alert.id, [event.what for event in story.events]) == (long[0], ["fired", "acked"])
    with pytest.raises(UnknownRevision, match="2 alerts begin with '6998dfea089988b9'") as caught:
        settle_alerts(bench.repo, ["6998dfea089988b9"], "acked")
    assert long[1] in (caught.value.hint or "")
    for other in ("A000", "6998", "6998dfea089988b9@2025", ""):
        with pytest.raises(UnknownRevision, match="no alert"):
            settle_alerts(bench.repo, [other], "acked")


def test_a_state_that_is_none_is_named(bench: Bench) -> None:
    add_alert(bench.repo, "psi", id="A1")
    assert list_alerts(bench.repo, state="acted").alerts == ()
    with pytest.raises(UsageError, match="no alert is in the state 'opne'") as caught:
        list_alerts(bench.repo, state="opne")
    assert (caught.value.hint or "").startswith("states are open, acted, ")
