"""Thirteen questions the study put to engineers, each answered about the clinic by one command."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlver.demo.night import NIGHT
from tests.demo.whole import Whole


def commit(night: Whole, rev: str) -> str:
    found: str = night.ask(f"show {rev}")["commit"]["id"]
    return found


def test_validation_data_changed_once_and_it_is_said_why(night: Whole) -> None:
    found = night.ask("log main --kind data -- data/val")["commits"]
    assert [(c["author"], c["message"]) for c in found] == [
        ("ana", "validation: patients without measurements; a gate by slice"),
        ("ana", "v1: the history, rule R1"),
    ]
    assert found[0]["trailers"]["ticket"] == ["INC-1"]


def test_who_measured_on_which_version_of_the_validation_data(night: Whole) -> None:
    found = night.ask("metrics show --by author,dataset")
    groups = {(g["by"]["author"], g["by"]["dataset"]): g for g in found["groups"]}
    assert groups["cron", "data/val/static.csv v1"]["commits"] == 1
    assert groups["ana", "data/val/static.csv v2"]["commits"] == 4, "v1, v2, night and v4 were measured again"
    assert ("ana", "data/val/static.csv v1") not in groups
    (differ,) = [text for text in found["differ"] if text.startswith("data/val/static.csv")]
    assert differ == "data/val/static.csv: ana v2, cleo v1, cron v1", "who compares these compares two examinations"


def test_whether_an_idea_was_good_and_what_it_cost(night: Whole) -> None:
    found = night.ask("exp describe exp/features")
    (varied,) = found["variation"]["varied"]
    assert (varied["kind"], varied["paths"]) == ("config", ["config/pipeline.json"])
    assert {"data", "rules", "code"} <= set(found["variation"]["fixed"])
    assert (found["outcome"], found["base"]) == ("mixed", commit(night, "v2"))
    assert ("missed", "clinic=B", 0, 1) in {(w["name"], w["slice"], w["old"], w["new"]) for w in found["worse"]}


def test_what_fraction_of_ideas_are_good(night: Whole) -> None:
    found = night.ask("exp stats --idea features")
    listed = night.said("exp list")[0]["experiments"]
    assert found["experiments"] == len(listed) == 12
    assert found["share_won"] == pytest.approx(found["won"] / 12)
    assert found["promoted"] == 0, "none of the twelve ever went live"
    assert sum(week["experiments"] for week in found["weeks"]) == 12
    assert [week["monday"][:10] for week in found["weeks"]] == ["2024-04-08", "2024-04-15"]


def test_how_releases_were_let_through(night: Whole) -> None:
    found = [e for e in night.ask("deployed prod --history")["entries"] if e["action"] == "promote"]
    assert [entry["actor"] for entry in found] == ["ana", "cron", "ana", "ana"]
    asked = [{row["name"]: row["state"] for row in entry["evidence"].get("gate", [])} for entry in found]
    assert asked[0] == {"metric": "met", "order": "met", "second person": "met"}
    assert asked[1]["order"] == "broken", "the night's job left out the canary"
    assert found[1]["evidence"]["override"] == "skip" and found[1]["reason"] == "nightly retraining"
    assert asked[3] == {}, "in February nobody asked for anything"


def test_which_automatic_checks_a_release_has_to_pass_today(night: Whole) -> None:
    found = night.ask("check v4 --against prod")
    rows = {(row["requirement"], row["slice"]): row["state"] for row in found["rows"]}
    assert found["state"] == "met" and set(rows.values()) == {"met"}
    assert ("recall{missing=3+} >= 0.9 on data/val/static.csv", "missing=3+") in rows
    assert ("was live on canary", None) in rows
    assert found["used"][0]["dataset"] == "data/val/static.csv" and found["used"][0]["times"] >= 1


def test_when_a_metric_was_refreshed_and_by_what(night: Whole) -> None:
    found = [r for r in night.ask("metrics log 'recall{clinic=C}'")["values"] if r["value"]["served"]]
    assert [(r["value"]["value"], r["value"]["known"][:10]) for r in found] == [
        (0.375, "2024-05-13"),
        (0.2, "2024-05-08"),
        (0.0, "2024-05-06"),
    ]
    assert [round(r["delay"] / 86400) for r in found] == [21, 16, 14]
    assert len({r["value"]["inputs"]["data/labels/w3.csv"] for r in found}) == 3, "three versions of the labels"
    assert all(r["value"]["command"].startswith("python evaluate.py") for r in found)


def test_the_provenance_of_what_is_live(night: Whole) -> None:
    found = night.ask("lineage prod")
    nodes = {node["path"]: node for node in found["nodes"]}
    model = nodes["models/triage.joblib"]
    assert found["commit"] == commit(night, "v4")
    assert (model["how"]["source"], model["how"]["command"]) == ("run", ["python", "train.py"])
    from_what = {edge["input"] for edge in found["edges"] if edge["output"] == model["id"]}
    paths = ("config/pipeline.json", "data/train.csv", "train.py", "triage.py")
    assert from_what == {nodes[path]["id"] for path in paths}
    assert {"rules/rules.json", "checks/bounds.json"} <= set(nodes)
    assert nodes["data/train.csv"]["why"] == "0 meant benign at clinic C"


def test_how_bugs_were_heard_of(night: Whole) -> None:
    found = night.ask("alerts history --acted")["actions"]
    assert found[0]["alert"] == "A0088" and found[0]["action"]["did"] == "rolled back prod to v2"
    assert {entry["type"] for entry in found} == {
        "flag_rate_drop.clinic",
        "latency_p99",
        "null_fraction.worst_radius",
    }, "psi.mean_texture fired 33 times and never led to anything"
    first = found[-1]
    assert (first["alert"], first["action"]["by"], first["action"]["ticket"]) == ("A0020", "dana", "TRI-31")
    assert first["action"]["commits"] == [night.said("commit")[1]["commit"]]


def test_the_records_of_a_moment_lie_on_disk_as_they_were(night: Whole, tmp_path: Path) -> None:
    then = tmp_path / "then"
    night.ask(f"restore --rev 'prod@{{{NIGHT}T02:30Z}}' --to {then}")
    stored = {artifact["path"]: artifact["size"] for artifact in night.ask("show night")["artifacts"]}
    lying = {path.relative_to(then).as_posix(): path.stat().st_size for path in then.rglob("*") if path.is_file()}
    assert lying == stored and {"data/train.csv", "train.py", "config/pipeline.json"} <= set(lying)
    assert '"R2"' not in (then / "rules/rules.json").read_text()
    assert len(night.missed(then, clinic="C")) == 5, "and it still misses whom it missed"


def test_what_was_done_under_a_ticket(night: Whole) -> None:
    (rule,) = night.ask("log --ticket TRI-31")["commits"]
    assert (rule["author"], rule["message"], rule["trailers"]["alert"]) == ("dana", "add rule R2", ["A0020"])
    fixes = night.ask("log main --ticket INC-1")["commits"]
    assert [c["author"] for c in fixes] == ["ana", "cleo", "cleo", "cleo"]


def test_how_people_reacted(night: Whole) -> None:
    found = night.ask("incident show INC-1")
    (release,) = found["releases"]
    assert (release["commit"], release["ended"], release["ended_by"]) == (commit(night, "night"), "rollback", "eve")
    assert found["served_seconds"] == 69 * 60
    links = [event for event in found["incident"]["events"] if event["about"] == "cause"]
    assert len({event["commit"] for event in links}) == 3
    assert found["incident"]["state"] == "closed"


def test_when_it_is_time_to_train_again(night: Whole) -> None:
    rows = night.ask("metrics age 'recall{clinic=C}' --on data/live/w3.csv")["rows"]
    cells = {row["commit"]: (row["days"], row["cell"]["state"], row["cell"]["value"]) for row in rows}
    days, state, value = cells[commit(night, "night")]
    assert (state, value) == ("value", 0.375) and 0 <= days < 1, "it failed on data as young as the model"
    days, state, value = cells[commit(night, "v2")]
    assert (state, value) == ("not evaluated", None) and days > 20, "what nobody measured is no number"


def test_offline_and_in_production_stand_side_by_side(night: Whole) -> None:
    found = night.ask("metrics matrix recall --revs night")
    columns = [(column["dataset"], column["version"]) for column in found["columns"]]
    values = dict(zip(columns, (cell["value"] for cell in found["rows"][0]["cells"]), strict=True))
    assert values["data/val/static.csv", "v1"] == 0.905
    assert values["data/live/w3.csv", "v1"] == 0.719


def test_a_row_of_the_hold_out_leads_back_to_the_incident_it_came_from(night: Whole) -> None:
    added = night.ask("diff v4 main -- data/val/static.csv")["artifacts"][0]["changes"]
    patients = [change["unit"] for change in added if change["change"] == "added"]
    assert set(patients) <= set(night.patients.week3.patient_id)
    (unit,) = night.ask(f"blame 'data/val/static.csv@main#{patients[0]}'")["units"]
    assert (unit["author"], unit["ticket"]) == ("ana", ["INC-1"])
