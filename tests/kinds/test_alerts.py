"""Alerts: one unit per alert, from every form they come in."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from mlver.kinds.alerts import AlertsKind, parse_alerts
from mlver.kinds.base import Unreadable
from tests.kinds.byte_source import as_dict, diff, source, units

ALERTS = AlertsKind()
A19 = {
    "id": "A0019",
    "type": "null_fraction.worst_radius",
    "at": "2024-02-10T04:03:00",
    "severity": "warn",
    "outcome": "ignored",
}
A20 = {
    "id": "A0020", "type": "null_fraction.worst_radius", "at": "2024-02-11T04:10:00", "severity": "warn",
    "outcome": "acted", "by": "dana", "action": "added rule R2", "ticket": "TRI-31",
}  # fmt: skip
A88 = {"id": "A0088", "type": "flag_rate_drop.clinic", "at": "2024-04-22T03:05:00", "severity": "page", "clinic": "C"}
WEBHOOK = {
    "version": "4", "status": "firing",
    "alerts": [{
        "status": "firing", "annotations": {"summary": "slow"},
        "labels": {"alertname": "HighLatency", "severity": "page"},
        "startsAt": "2024-04-22T03:05:00.000Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "c1d2",
    }],
}  # fmt: skip


def lines(*alerts: Any) -> str:
    return "".join(json.dumps(alert) + "\n" for alert in alerts)


def table(*alerts: dict[str, Any]) -> str:
    columns = list({name: None for alert in alerts for name in alert})
    out = io.StringIO()
    writer = csv.DictWriter(out, columns)
    writer.writeheader()
    writer.writerows(alerts)
    return out.getvalue()


def test_every_form_holds_the_same_alerts() -> None:
    expected = {"A0019": A19, "A0020": A20, "A0088": A88}
    assert as_dict(units(ALERTS, "alerts/history.jsonl", lines(A19, A20, A88))) == expected
    assert as_dict(units(ALERTS, "alerts/history.csv", table(A19, A20, A88))) == expected
    assert as_dict(units(ALERTS, "alerts/history.json", json.dumps([A19, A20, A88]))) == expected
    by_id = {alert["id"]: {key: value for key, value in alert.items() if key != "id"} for alert in (A19, A20, A88)}
    assert as_dict(units(ALERTS, "alerts/history.yaml", json.dumps(by_id))) == expected


def test_new_alerts_are_counted_by_type() -> None:
    acted = A19 | {"outcome": "acted"}
    delta, comparison = diff(ALERTS, "a.jsonl", lines(A19), lines(A88, A20, acted))
    assert (set(delta.added), delta.changed) == ({"A0088", "A0020"}, ["A0019"])
    assert comparison.summary == "+2 ~1 alerts (2 null_fraction.worst_radius, 1 flag_rate_drop.clinic)"
    assert comparison.details[0].rows == (("null_fraction.worst_radius", 1, 0, 1), ("flag_rate_drop.clinic", 1, 0, 0))


def test_the_order_of_alerts_and_their_fields_never_counts() -> None:
    _, comparison = diff(ALERTS, "a.jsonl", lines(A19, A20), lines(dict(reversed(A20.items())), A19))
    assert comparison.same_meaning


def test_an_alert_reads_as_a_line() -> None:
    assert ALERTS.text("A0020", A20) == (
        "2024-02-11T04:10:00 null_fraction.worst_radius warn: acted, dana, added rule R2, TRI-31"
    )


def test_a_history_is_summed_up() -> None:
    assert ALERTS.summary(units(ALERTS, "a.jsonl", lines(A19, A20, A88))) == {
        "alerts": 3, "acted": 1, "types": {"null_fraction.worst_radius": 2, "flag_rate_drop.clinic": 1},
    }  # fmt: skip


def test_alerts_to_import_keep_every_field_and_have_one_form_of_time() -> None:
    found = parse_alerts(source("a.jsonl", lines(A20, A88 | {"at": "2024-04-22T05:05:00+02:00"})))
    assert found == [A20 | {"at": "2024-02-11T04:10:00Z"}, A88 | {"at": "2024-04-22T03:05:00Z"}]
    for moment in (1713755100, 1713755100.0, 1713755100000):
        assert parse_alerts(source("a.json", json.dumps([A88 | {"at": moment}])))[0]["at"] == "2024-04-22T03:05:00Z"


def test_a_log_of_webhooks_holds_the_alerts_of_all_and_one_that_was_resolved_once() -> None:
    resolved = json.loads(json.dumps(WEBHOOK))
    resolved["status"] = "resolved"
    resolved["alerts"][0] |= {"status": "resolved", "endsAt": "2024-04-22T04:05:00.000Z"}
    lines = json.dumps(WEBHOOK) + "\n" + json.dumps(resolved) + "\n"
    for path, text in (("alerts/hooks.jsonl", lines), ("alerts/hooks.json", json.dumps([WEBHOOK, resolved]))):
        (alert,) = parse_alerts(source(path, text))
        assert [event["status"] for event in alert["events"]] == ["firing", "resolved"]


def test_the_stage_of_an_alert_may_be_a_label() -> None:
    labelled = json.loads(json.dumps(WEBHOOK))
    labelled["alerts"][0]["labels"] |= {"stage": "canary", "scope": "clinic=C"}
    (alert,) = parse_alerts(source("alerts/hook.json", json.dumps(labelled)))
    assert (alert["stage"], alert["scope"]) == ("canary", "clinic=C")


def test_an_alertmanager_webhook_is_read() -> None:
    (alert,) = parse_alerts(source("alerts/hook.json", json.dumps(WEBHOOK)))
    assert alert["id"] == "c1d2@2024-04-22T03:05:00.000Z"
    assert (alert["type"], alert["severity"], alert["at"]) == ("HighLatency", "page", "2024-04-22T03:05:00Z")
    assert alert["annotations"] == {"summary": "slow"}


def test_alerts_without_ids_get_one_that_lasts() -> None:
    fired = {"type": "psi", "at": "2024-01-01", "clinic": "C"}
    (first,) = units(ALERTS, "a.json", json.dumps([fired])).keys()
    (later,) = units(
        ALERTS, "a.json", json.dumps([fired | {"outcome": "acted", "note": "x", "status": "resolved"}])
    ).keys()
    assert first == later
    both = units(ALERTS, "a.json", json.dumps([fired, fired | {"clinic": "B"}]))
    assert len(both) == 2


def test_events_of_one_alert_are_one_unit() -> None:
    fired, resolved = {"id": 7, "type": "psi", "at": "2024-01-01"}, {"id": 7, "type": "psi", "outcome": "ignored"}
    found = units(ALERTS, "a.jsonl", lines(fired, resolved, fired))
    assert found.get("7")["outcome"] == "ignored"
    assert found.get("7")["at"] == "2024-01-01"
    assert len(found.get("7")["events"]) == 2


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("a.jsonl", lines(A19, {"id": "A1", "at": "2024-01-01"}), "a.jsonl: line 2: alert A1 has no type"),
        ("a.jsonl", lines(A19) + "\n" + lines({"id": "A1", "type": "t"}), "a.jsonl: line 3: alert A1 has no time"),
        ("a.csv", "id,type,at\nA1,t,yesterday\n", "a.csv: line 2: alert A1 has no time mlver reads: 'yesterday'"),
        ("a.json", json.dumps([A19, A20 | {"at": True}]), "a.json: alert 2: alert A0020 has no time mlver reads"),
        ("a.json", json.dumps([A19 | {"at": 1e300}]), "a.json: alert 1: alert A0019 has no time mlver reads"),
        ("a.jsonl", lines(A19, 3), "a.jsonl: line 2: not an alert but int"),
        ("a.json", '{"a": 1}', "a.json: not a list of alerts"),
        ("a.jsonl", lines(A19)[:-5], "a.jsonl: line 1: not JSON: "),
    ],
)
def test_an_alert_that_cannot_be_imported_is_named_by_file_and_line(path: str, text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        parse_alerts(source(path, text))
    assert str(refusal.value).startswith(reason)


def test_a_bad_time_is_still_a_unit() -> None:
    assert units(ALERTS, "a.jsonl", lines(A19 | {"at": "soon"})).get("A0019")["at"] == "soon"


def test_an_empty_history_has_no_alerts() -> None:
    for path, text in (
        ("a.jsonl", ""),
        ("a.csv", "id,type\n"),
        ("a.json", "[]"),
        ("a.yaml", ""),
        ("a.json", '{"alerts": []}'),
    ):
        assert len(units(ALERTS, path, text)) == 0
