"""Alerts: bound to what was live, imported once, folded from facts, counted by type."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlver.errors import UnknownRevision, UsageError
from mlver.objects.ids import CommitId
from mlver.repo.alert_book import AlertBook, open_critical
from mlver.repo.facts import append_facts
from mlver.verbs.alert_stats import wilson
from mlver.verbs.alerts import act_on_alert, add_alert, alert_stats, import_alerts, list_alerts
from mlver.verbs.config import set_config
from mlver.verbs.oncall_guide import oncall_guide
from mlver.verbs.promote import promote
from mlver.verbs.undo import undo
from tests.kit import Bench

NIGHT = datetime(2024, 4, 22, 2, 0, tzinfo=UTC)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "clinic")
    bench.write("rules/rules.json", [{"id": "R1", "then": "refer"}])
    bench.commit("v1")
    return bench


@pytest.fixture
def releases(bench: Bench) -> tuple[CommitId, CommitId]:
    """Two commits: the first live for everyone from 1 April, the second for clinic C from 20 April."""
    good = bench.repo.resolve("HEAD")
    bench.clock.moment = datetime(2024, 4, 1, tzinfo=UTC)
    promote(bench.repo, "prod", reason="first")
    bench.write("rules/rules.json", [])
    bad = bench.commit("v2")
    bench.clock.moment = datetime(2024, 4, 20, tzinfo=UTC)
    promote(bench.repo, "prod", scope="clinic=C", reason="trial")
    return good, bad


def history(bench: Bench, alerts: list[dict[str, str]], name: str = "history.jsonl") -> Path:
    path = bench.root.parent / name
    path.write_text("".join(json.dumps(alert) + "\n" for alert in alerts))
    return path


PAST = [
    {"id": "A1", "type": "null_fraction.worst", "at": "2024-02-11T04:10:00", "severity": "warn",
     "outcome": "acted", "by": "dana", "action": "added rule R2", "ticket": "TRI-31"},
    {"id": "A2", "type": "null_fraction.worst", "at": "2024-04-02T00:00:00", "severity": "warn", "outcome": "ignored"},
    {"id": "A3", "type": "flag_rate_drop", "at": "2024-04-03T00:00:00", "severity": "page", "scanner": "C-2"},
]  # fmt: skip


def test_an_alert_is_bound_to_what_was_live_when_it_fired(bench: Bench, releases: tuple[CommitId, CommitId]) -> None:
    good, bad = releases
    before = add_alert(bench.repo, "psi", at=datetime(2024, 3, 1, tzinfo=UTC)).alerts[0]
    everyone = add_alert(bench.repo, "psi", at=NIGHT).alerts[0]
    clinic = add_alert(bench.repo, "psi", at=NIGHT, scope="clinic=C").alerts[0]
    other = add_alert(bench.repo, "psi", at=NIGHT, scope="clinic=A").alerts[0]
    dev = add_alert(bench.repo, "psi", at=NIGHT, stage="dev").alerts[0]
    assert [a.live for a in (before, everyone, clinic, other, dev)] == [None, good, bad, good, None]
    assert (clinic.stage, clinic.scope, clinic.state) == ("prod", "clinic=C", "open")


def test_an_alert_that_names_no_stage_is_of_the_default_one(bench: Bench, releases: tuple[CommitId, CommitId]) -> None:
    promote(bench.repo, "canary", reason="v2")
    set_config(bench.repo, "stage.default", "canary")
    repo = bench.reopen()
    when = repo.now()
    added = add_alert(repo, "psi", at=when).alerts[0]
    assert (added.stage, added.live) == ("canary", releases[1])
    file = history(bench, [{"id": "A7", "type": "psi", "at": when.isoformat()}])
    assert import_alerts(repo, file).alerts[0].live == releases[1]
    assert import_alerts(repo, history(bench, PAST), stage="prod").alerts[0].stage == "prod"


def test_a_later_move_does_not_rebind_an_alert(bench: Bench, releases: tuple[CommitId, CommitId]) -> None:
    add_alert(bench.repo, "psi", id="A9", at=NIGHT, scope="clinic=C")
    bench.clock.moment = NIGHT + timedelta(hours=1)
    promote(bench.repo, "prod", str(releases[0]), scope="clinic=C", reason="back")
    assert list_alerts(bench.reopen(), ids=["A9"]).alerts[0].live == releases[1]


def test_import_reads_alerts_with_their_outcomes_and_again_adds_nothing(bench: Bench) -> None:
    file = history(bench, PAST)
    first = import_alerts(bench.repo, file)
    assert (first.added, first.known_before) == (3, 0)
    assert [(a.id, a.state) for a in first.alerts] == [("A3", "open"), ("A2", "ignored"), ("A1", "acted")]
    acted = first.alerts[-1].actions[0]
    assert (acted.by, acted.did, acted.ticket) == ("dana", "added rule R2", "TRI-31")
    assert first.alerts[1].actions[0].by == ""
    operation = bench.repo.state.id
    again = import_alerts(bench.repo, file)
    assert (again.added, again.known_before) == (0, 3)
    assert bench.repo.state.id == operation
    assert undo(bench.repo) and list_alerts(bench.reopen()).alerts == ()


def test_what_became_of_an_alert_may_come_with_a_later_export(bench: Bench) -> None:
    import_alerts(bench.repo, history(bench, PAST))
    later = [*PAST[:2], PAST[2] | {"outcome": "false_positive", "by": "ana"}]
    result = import_alerts(bench.repo, history(bench, later))
    assert (result.added, result.alerts[0].state) == (0, "false-positive")
    assert [len(a.actions) for a in result.alerts] == [1, 1, 1]


def test_a_malformed_file_is_named_with_its_line_and_nothing_is_recorded(bench: Bench) -> None:
    before = bench.repo.state.id
    file = history(bench, [PAST[0], {"id": "A7", "type": "psi", "at": "yesterday-ish"}])
    with pytest.raises(UsageError, match=r"history\.jsonl.*line 2.*A7"):
        import_alerts(bench.repo, file)
    with pytest.raises(UsageError, match="no such file"):
        import_alerts(bench.repo, bench.root / "nothing.jsonl")
    assert bench.reopen().state.id == before


def test_fields_of_the_file_say_stage_and_scope(bench: Bench, releases: tuple[CommitId, CommitId]) -> None:
    at = NIGHT.isoformat()
    file = history(bench, [{"id": "A1", "type": "psi", "at": at, "stage": "prod", "scope": "clinic=C"}])
    assert import_alerts(bench.repo, file, stage="dev").alerts[0].live == releases[1]


def test_alertmanagers_webhook_is_read(bench: Bench) -> None:
    alerts = [
        {"status": "resolved", "labels": {"alertname": "psi", "severity": "critical"}, "fingerprint": "f1",
         "startsAt": "2024-04-22T02:40:00Z", "endsAt": "2024-04-22T03:00:00Z", "annotations": {"summary": "drifts"}},
        {"status": "firing", "labels": {"alertname": "psi"}, "fingerprint": "f2", "startsAt": "2024-04-22T02:50:00Z"},
    ]  # fmt: skip
    file = bench.root.parent / "hook.json"
    file.write_text(json.dumps({"alerts": alerts}))
    newest, oldest = import_alerts(bench.repo, file).alerts
    assert (newest.state, oldest.state, oldest.summary) == ("open", "resolved", "drifts")
    assert oldest.actions[0].at == datetime(2024, 4, 22, 3, 0, tzinfo=UTC)


def test_alerts_of_committed_files_are_listed_and_can_be_acted_on(bench: Bench) -> None:
    bench.write("alerts/history.jsonl", "".join(json.dumps(alert) + "\n" for alert in PAST))
    bench.commit("alerts")
    assert [a.id for a in list_alerts(bench.repo).alerts] == ["A3", "A2", "A1"]
    act_on_alert(bench.repo, "A3", did="fixed the feed")
    (acted,) = list_alerts(bench.reopen(), ids=["A3"]).alerts
    assert (acted.state, acted.actions[0].did, acted.actions[0].by) == ("acted", "fixed the feed", "ana")
    assert AlertBook(bench.repo, files=False).records().keys() == {"A3"}
    imported = import_alerts(bench.repo, bench.root / "alerts/history.jsonl")
    assert (imported.added, imported.known_before) == (2, 1)
    assert alert_stats(bench.repo).fired == 3
    early = alert_stats(bench.repo, as_of=bench.repo.commit(bench.repo.resolve("HEAD~1")).time)
    assert early.fired == 0


def test_an_action_is_linked_to_the_commits_that_name_alert_or_ticket(bench: Bench) -> None:
    unrelated = bench.repo.resolve("HEAD")
    bench.write("rules/rules.json", [{"id": "R9"}])
    bench.commit("too early", trailers={"ticket": ["TRI-31"]})
    add_alert(bench.repo, "null_fraction", id="A20")
    bench.write("rules/rules.json", [{"id": "R1"}, {"id": "R2"}])
    by_ticket = bench.commit("R2", trailers={"ticket": ["TRI-31"]})
    bench.write("rules/rules.json", [{"id": "R1"}, {"id": "R2", "more": 1}])
    by_alert = bench.commit("R2 again", trailers={"alert": ["A20"]})
    act_on_alert(bench.repo, "A20", outcome="acked")
    act_on_alert(bench.repo, "A20", did="added rule R2", ticket="TRI-31", commit=str(unrelated))
    (alert,) = list_alerts(bench.repo, ids=["A20"]).alerts
    assert [action.commits for action in alert.actions] == [(), (unrelated, by_ticket, by_alert)]
    (stats,) = alert_stats(bench.repo).types
    assert stats.last_action_alert == "A20"
    assert stats.last_action is not None and stats.last_action.commits == (unrelated, by_ticket, by_alert)


def test_an_unknown_alert_names_what_comes_close(bench: Bench) -> None:
    add_alert(bench.repo, "psi", id="A0088")
    with pytest.raises(UnknownRevision, match="A0089") as caught:
        act_on_alert(bench.repo, "A0089")
    assert "A0088" in str(caught.value.hint)
    with pytest.raises(UsageError, match="outcome"):
        act_on_alert(bench.repo, "A0088", outcome="shrugged")


def test_an_id_means_one_alert(bench: Bench) -> None:
    assert add_alert(bench.repo, "psi", id="A1", at=NIGHT).added == 1
    assert add_alert(bench.repo, "psi", id="A1", at=NIGHT).added == 0
    with pytest.raises(UsageError, match="A1 is known already: psi"):
        add_alert(bench.repo, "latency", id="A1", at=NIGHT)
    made = add_alert(bench.repo, "latency", at=NIGHT)
    assert add_alert(bench.repo, "latency", at=NIGHT).alerts == made.alerts


def test_alerts_are_filtered_by_type_state_and_time(bench: Bench) -> None:
    import_alerts(bench.repo, history(bench, PAST))
    day = datetime(2024, 4, 2, tzinfo=UTC)

    def ids(**words: object) -> list[str]:
        return [alert.id for alert in list_alerts(bench.repo, **words).alerts]  # type: ignore[arg-type]

    assert ids(type="null_fraction") == ["A2", "A1"]
    assert ids(state="open") == ["A3"]
    assert ids(state="ignore") == ["A2"]
    assert ids(since=day) == ["A3", "A2"]
    assert ids(until=day) == ["A2", "A1"]
    assert ids(limit=1) == ["A3"]
    assert ids(ids=["A1"]) == ["A1"]


def test_stats_put_first_what_was_worth_looking_at(bench: Bench) -> None:
    rows = [
        {"id": f"N{n}", "type": "null_fraction", "at": f"2024-03-{n:02}", "outcome": "ignored"} for n in range(1, 28)
    ]
    rows += [{"id": f"P{n}", "type": "psi", "at": f"2024-03-{n:02}"} for n in range(1, 4)]
    rows += [{"id": "N40", "type": "null_fraction", "at": "2024-02-11", "action": "added rule R2", "by": "dana"}]
    rows += [{"id": f"F{n}", "type": "flag_rate", "at": f"2024-03-{n:02}", "action": f"{n}"} for n in range(1, 4)]
    import_alerts(bench.repo, history(bench, rows))
    stats = alert_stats(bench.repo)
    assert [(s.type, s.fired, s.acted, s.open) for s in stats.types] == [
        ("flag_rate", 3, 3, 0),
        ("null_fraction", 28, 1, 0),
        ("psi", 3, 0, 0),
    ]
    assert (stats.types[2].ignored, stats.types[2].automatic) == (3, 3), "left alone for a month"
    assert (stats.fired, stats.acted) == (34, 4)
    first = stats.types[0]
    assert first.last_action is not None
    assert (first.last_action.did, first.last_action_alert, first.high) == ("3", "F3", 1.0)
    assert stats.types[1].last_fired == datetime(2024, 3, 27, tzinfo=UTC)
    assert [s.type for s in alert_stats(bench.repo, type="psi").types] == ["psi"]


def test_stats_as_of_a_moment_know_only_what_was_known(bench: Bench) -> None:
    add_alert(bench.repo, "psi", id="A1")
    then = bench.clock.moment
    act_on_alert(bench.repo, "A1", did="restarted")
    assert [(s.acted, s.open) for s in alert_stats(bench.repo, as_of=then).types] == [(0, 1)]
    assert [(s.acted, s.open) for s in alert_stats(bench.repo).types] == [(1, 0)]


def test_open_critical_alerts_are_found_by_the_commit_they_speak_against(
    bench: Bench, releases: tuple[CommitId, CommitId]
) -> None:
    add_alert(bench.repo, "psi", id="warn", at=NIGHT)
    add_alert(bench.repo, "flag_rate", id="page", at=NIGHT, severity="page", scope="clinic=C")
    add_alert(bench.repo, "flag_rate", id="early", at=datetime(2024, 1, 1, tzinfo=UTC), severity="page")
    act_on_alert(bench.repo, "page", outcome="acked")
    assert {c: [a.id for a in alerts] for c, alerts in open_critical(bench.repo).items()} == {releases[1]: ["page"]}
    act_on_alert(bench.repo, "page", did="rolled back")
    assert open_critical(bench.repo) == {}


def test_the_fact_logs_of_two_machines_merge_as_sets(bench: Bench) -> None:
    file = history(bench, PAST)
    base = bench.repo.view.facts
    import_alerts(bench.repo, file)
    here = list(bench.repo.facts.of())
    undo(bench.repo)
    bench.repo.actor = "ben"
    import_alerts(bench.repo, file)
    act_on_alert(bench.repo, "A3", did="looked")
    there = list(bench.repo.facts.of())
    for facts in (here + there, there + here):
        bench.repo.__dict__["_facts"] = None
        head = append_facts(bench.repo.store, base, facts)
        state = bench.repo.state
        object.__setattr__(state.operation.view, "facts", head)
        alerts = AlertBook(bench.repo, files=False).records()
        assert {id: [a.outcome for a in alert.actions] for id, alert in alerts.items()} == {
            "A1": ["acted"], "A2": ["ignored"], "A3": ["acted"],
        }  # fmt: skip


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_holds_the_share(pair: tuple[int, int]) -> None:
    hits, trials = pair
    low, high = wilson(hits, trials)
    assert 0 <= low <= hits / trials <= high <= 1
    assert high - low < 1


def test_wilsons_interval_is_that_of_the_literature() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29
    known = {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0, 0.1611), (1, 29): (0.0061, 0.1718)}
    for (hits, trials), bounds in known.items():
        assert wilson(hits, trials) == pytest.approx(bounds, abs=5e-5)


def test_a_state_nobody_knows_settles_nothing(bench: Bench) -> None:
    fired = {"labels": {"alertname": "psi", "severity": "page"}, "startsAt": "2024-04-22T02:50:00Z"}
    words = ("suppressed", "Escalated", "", "firing", "RESOLVED", "closed")
    alerts = [{**fired, "fingerprint": f"f{n}", "status": word} for n, word in enumerate(words)]
    file = bench.root.parent / "hook.json"
    file.write_text(json.dumps({"version": "4", "alerts": alerts}))
    import_alerts(bench.repo, file)
    states = {alert.id[:2]: alert.state for alert in list_alerts(bench.repo).alerts}
    assert states == {"f0": "open", "f1": "open", "f2": "open", "f3": "open", "f4": "resolved", "f5": "resolved"}


def test_a_severity_that_is_empty_is_refused(bench: Bench) -> None:
    with pytest.raises(UsageError, match="severity is empty"):
        add_alert(bench.repo, "psi", severity=" ")
    assert add_alert(bench.repo, "psi", severity="Page ").alerts[0].severity == "page"


def test_a_file_of_alerts_that_is_malformed_is_named_and_not_taken_for_silence(bench: Bench) -> None:
    bench.write("alerts/good.json", [{"id": "A1", "type": "drift", "at": "2024-04-22T02:00Z"}])
    bench.write("alerts/week.json", "[{")
    bench.commit("exported")
    listed = list_alerts(bench.repo)
    assert [alert.id for alert in listed.alerts] == ["A1"]
    (said,) = listed.unread
    assert said.startswith("alerts/week.json: no alert was read: line 1: not JSON")
    assert oncall_guide(bench.repo).unread == (said,)
    bench.write("alerts/week.json", [])
    bench.commit("exported again")
    assert list_alerts(bench.repo).unread == ()
