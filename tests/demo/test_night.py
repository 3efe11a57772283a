"""The night at the clinic, played in full with real commands, and the facts that must come of it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from blake3 import blake3

from mlver.demo.patients import deal
from mlver.demo.player import Player
from mlver.demo.story import NIGHT, play

SEED = 46


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("night") / "clinic"
    folder.mkdir()
    play(Player(folder, pause=False, stream=io.StringIO()), SEED)
    return folder


def ask(folder: Path, *words: str) -> Any:
    """Return the JSON document a command answers with."""
    done = subprocess.run([sys.executable, "-m", "mlver", "--json", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"].startswith("mlver.")
    return document


def units(document: Any, path: str) -> list[Any]:
    return [change for a in document["artifacts"] if a["path"] == path for change in a["changes"]]


def test_the_three_causes_are_found_each_with_its_author_and_reason(clinic: Path) -> None:
    impute = ask(clinic, "blame", "config/pipeline.json@night#impute")["units"][0]
    assert (impute["author"], impute["old"], impute["new"]) == ("ben", "median", "-1")
    assert impute["why"] == "one less statistic to keep up to date"
    gone = ask(clinic, "blame", "rules/rules.json@night", "--deleted")["units"]
    assert [(u["unit"], u["author"], u["change"]) for u in gone] == [("R2", "eve", "removed")]
    assert gone[0]["why"] == "0 hits in week 2, the model handles it"
    week2 = deal(SEED).week2
    patient = week2[week2.clinic == "C"].patient_id.iloc[0]
    label = ask(clinic, "blame", f"data/train.csv@night#{patient}", "--column", "label")["units"][0]
    assert (label["author"], label["ticket"]) == ("temp-07", ["LAB-9"])


def test_one_screen_holds_everything_that_changed_in_tandem(clinic: Path) -> None:
    document = ask(clinic, "diff", "v2", "night")
    changed = {a["path"]: a for a in document["artifacts"]}
    assert [(c["unit"], c["change"]) for c in units(document, "rules/rules.json")] == [("R2", "removed")]
    assert {c["unit"]: (c["old"], c["new"]) for c in units(document, "config/pipeline.json")} == {
        "impute": ("median", "-1"),
        "max_iter": (2000, 3000),
    }
    assert changed["data/train.csv"]["units"] == {"added": 80, "removed": 0, "changed": 0}
    assert changed["models/triage.joblib"]["units"]["changed"] > 0
    flips = [d for d in changed["data/train.csv"]["details"] if d["title"] == "association flipped"]
    assert any(row[:3] == ["label", "clinic=C", "mean radius"] for row in flips[0]["rows"])
    assert {alert["id"] for alert in document["alerts"]} == {"A0087", "A0088"}
    metrics = {(m["name"], m["slice"]): m for m in document["metrics"]}
    assert metrics["accuracy", ""]["verdict"] == "same"
    assert metrics["recall", ""]["verdict"] == "worse"
    assert metrics["recall", ""]["delta"] == pytest.approx(-0.047, abs=1e-9)


def test_the_alert_that_was_ignored_forty_times_leads_to_the_rule_and_to_its_removal(clinic: Path) -> None:
    (kind,) = ask(clinic, "alerts", "stats", "--type", "null_fraction")["types"]
    assert (kind["fired"], kind["acted"]) == (42, 1)
    assert kind["last_action_alert"] == "A0020"
    action = kind["last_action"]
    assert (action["by"], action["did"], action["ticket"]) == ("dana", "added rule R2", "TRI-31")
    history = ask(clinic, "blame", "rules/rules.json@night#R2")["units"]
    assert [(u["change"], u["author"]) for u in history] == [("removed", "eve"), ("added", "dana")]
    assert action["commits"] == [history[1]["commit"]]
    total = ask(clinic, "alerts", "stats")
    assert {t["type"]: (t["acted"], t["fired"]) for t in total["types"]} == {
        "flag_rate_drop.clinic": (4, 4),
        "latency_p99": (2, 9),
        "null_fraction.worst_radius": (1, 42),
        "psi.mean_texture": (0, 33),
    }


def test_alerts_are_bound_to_what_was_live_when_they_fired(clinic: Path) -> None:
    night = ask(clinic, "show", "night")["commit"]["id"]
    found = {a["id"]: a for a in ask(clinic, "alerts", "ls")["alerts"]}
    assert found["A0087"]["live"] == found["A0088"]["live"] == night
    assert found["A0020"]["live"] == ask(clinic, "show", "v1")["commit"]["id"]


def test_the_ledger_knows_every_move_with_who_and_why(clinic: Path) -> None:
    entries = ask(clinic, "deployed", "prod", "--history")["entries"]
    assert [(e["actor"], e["action"], e["reason"]) for e in entries] == [
        ("cleo", "promote", "INC-1 closed"),
        ("eve", "rollback", "A0088, clinic C"),
        ("cron", "promote", "nightly: accuracy >= .95 on the hold-out"),
        ("ana", "promote", "recall .952 on the hold-out"),
        ("ana", "promote", "first release"),
    ]
    then = ask(clinic, "deployed", "prod", "--at", f"{NIGHT}T02:30Z")
    assert then["commit"] == ask(clinic, "show", "night")["commit"]["id"]
    assert (then["since"], then["until"]) == (f"{NIGHT}T02:00:00Z", f"{NIGHT}T03:09:00Z")


def test_rollback_brings_the_whole_bundle_back_byte_for_byte_with_its_predictions(clinic: Path, tmp_path: Path) -> None:
    moved = ask(clinic, "rollback", "prod", "--to", "v2", "--reason", "again")
    release = Path(moved["path"])
    good = tmp_path / "good"
    ask(clinic, "restore", "--rev", "v2", "--to", str(good))
    released = sorted(p.relative_to(release) for p in release.rglob("*") if p.is_file())
    assert Path("models/triage.joblib") in released and Path("rules/rules.json") in released
    for path in released:
        assert blake3((release / path).read_bytes()).digest() == blake3((good / path).read_bytes()).digest()
    answers = [_predictions(folder, clinic / "data/live/w3.csv") for folder in (release, good)]
    assert answers[0] == answers[1]
    ask(clinic, "undo")


def _predictions(folder: Path, data: Path) -> list[int]:
    code = (
        "import sys, json, pandas as pd; sys.path.insert(0, '.'); from triage import decide;"
        "print(json.dumps([int(x) for x in decide(pd.read_csv(sys.argv[1]), ())]))"
    )
    done = subprocess.run([sys.executable, "-B", "-c", code, str(data)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: list[int] = json.loads(done.stdout)
    assert len(found) == len(pd.read_csv(data))
    return found


def test_impact_names_the_interval_that_served_the_bad_release(clinic: Path) -> None:
    document = ask(clinic, "impact", f"prod@{{{NIGHT}T02:30Z}}")
    (served,) = document["served"]
    assert (served["stage"], served["since"], served["until"]) == ("prod", f"{NIGHT}T02:00:00Z", f"{NIGHT}T03:09:00Z")
    assert {"A0087", "A0088"} <= set(document["alerts"])


def test_the_fix_leaves_only_the_good_changes(clinic: Path) -> None:
    document = ask(clinic, "diff", "v2", "v4")
    changed = {a["path"]: a for a in document["artifacts"]}
    assert "rules/rules.json" not in changed
    assert [c["unit"] for c in units(document, "config/pipeline.json")] == ["max_iter"]
    assert changed["data/train.csv"]["units"] == {"added": 80, "removed": 0, "changed": 0}
    fixed = ask(clinic, "diff", "night", "v4", "--", "data/train.csv")["artifacts"][0]
    assert fixed["units"] == {"added": 0, "removed": 0, "changed": 25}
    assert fixed["counts"]["cells_changed"] == 25
    assert all(set(c["old"]) == {"label"} for c in fixed["changes"])


def test_late_labels_change_what_is_known_and_not_the_commit(clinic: Path) -> None:
    def recall(*words: str) -> list[Any]:
        values = ask(clinic, "metrics", "show", "night", "--name", "recall", *words)["values"]
        return [v["value"] for v in values if v["dataset"] == "data/live/w3.csv" and v["slice"] == "clinic=C"]

    assert recall("--history") == [0.0, 0.2, 0.375]
    assert recall() == [0.375]
    assert recall("--as-of", f"{NIGHT}T03:07Z") == []
    assert recall("--as-of", "2024-05-07") == [0.0]
    assert recall("--as-of", "2024-05-09") == [0.2]


def test_the_live_model_leads_back_to_data_config_and_code(clinic: Path) -> None:
    document = ask(clinic, "lineage", "v4")
    ids = {node["id"] for node in document["nodes"]}
    assert all(edge["input"] in ids and edge["output"] in ids for edge in document["edges"])
    model = next(n for n in document["nodes"] if n["path"] == "models/triage.joblib")
    inputs = {e["input"] for e in document["edges"] if e["output"] == model["id"]}
    paths = {n["path"] for n in document["nodes"] if n["id"] in inputs}
    assert {"data/train.csv", "config/pipeline.json", "train.py"} <= paths
    assert model["how"]["source"] == "run"


def test_the_repository_is_sound_afterwards(clinic: Path) -> None:
    document = ask(clinic, "fsck")
    assert document["ok"] and document["problems"] == []
    assert document["commits"] >= 8
