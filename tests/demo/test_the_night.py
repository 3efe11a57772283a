"""Steps 15 to 21 of the night at the clinic: paged, back within minutes, and the causes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

import mlver
from mlver.demo.night import LABELS3, LIVE3, NIGHT
from tests.demo.whole import AT_THE_PAGE, Whole


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): blake3(path.read_bytes()).hexdigest() for path in files}


def units(document: Any, path: str) -> list[Any]:
    return [change for a in document["artifacts"] if a["path"] == path for change in a["changes"]]


def test_the_guide_puts_the_alert_that_mattered_first_and_explains_the_other(night: Whole) -> None:
    first, second = night.said("oncall guide")[0]["alerts"]
    assert (first["alert"]["id"], first["acted"], first["settled"], first["advice"]) == ("A0088", 3, 3, "look first")
    assert (second["alert"]["id"], second["acted"], second["settled"]) == ("A0087", 1, 41)
    last = second["last"]
    assert (last["alert"], last["action"]["by"], last["action"]["did"]) == ("A0020", "dana", "added rule R2")
    (fate,) = last["fates"]
    removal = next(d for d in night.said("commit") if d["message"] == "remove rule R2")
    assert (fate["unit"], fate["did"], fate["now"]) == ("R2", "added", "removed")
    change = fate["change"]
    assert (change["commit"], change["author"], change["mine"]) == (removal["commit"], "eve", True)
    assert change["time"] == "2024-04-21T20:40:00Z", "six hours and 27 minutes before the page"


def test_one_screen_holds_everything_that_came_with_the_release(night: Whole) -> None:
    document = night.said("diff prod@{1} prod")[0]
    changed = {a["path"]: a for a in document["artifacts"]}
    assert [(c["unit"], c["change"]) for c in units(document, "rules/rules.json")] == [("R2", "removed")]
    assert {c["unit"]: (c["old"], c["new"]) for c in units(document, "config/pipeline.json")} == {
        "impute": ("median", "-1"),
        "max_iter": (2000, 3000),
    }
    assert changed["data/train.csv"]["units"] == {"added": 80, "removed": 0, "changed": 0}
    assert changed["models/triage.joblib"]["units"]["changed"] > 0
    assert {alert["id"] for alert in document["alerts"]} == {"A0087", "A0088"}
    metrics = {(m["name"], m["slice"]): m for m in document["metrics"]}
    assert (metrics["accuracy", ""]["verdict"], metrics["recall", ""]["verdict"]) == ("same", "worse")
    assert metrics["recall", ""]["delta"] == pytest.approx(-0.047, abs=1e-9)
    (slo,) = night.said("status")[1]["slos"]
    assert slo["state"] == "unknown", "no label of week 3 is in"


def test_the_preview_lists_what_would_come_back_and_moves_nothing(night: Whole) -> None:
    preview = night.said("rollback prod --dry-run")[0]
    assert preview["dry_run"] and preview["changed"]
    kinds = {artifact["kind"] for artifact in preview["diff"]["artifacts"]}
    assert kinds >= {"rules", "config", "data", "model"}


def test_rollback_brings_the_whole_bundle_back_byte_for_byte(night: Whole, tmp_path: Path) -> None:
    back, again = night.said("rollback prod --reason")[0], night.said("rollback prod")[-1]
    v2 = night.ask("show v2")["commit"]["id"]
    assert (back["new"], back["changed"], back["actor"]) == (v2, True, "eve")
    assert (again["new"], again["changed"]) == (v2, False)
    copy = night.copy(tmp_path / "copy", asleep=True)
    release = Path(night.ask('rollback prod --reason "A0088"', folder=copy, MLVER_DATE=AT_THE_PAGE)["path"])
    night.ask(f"restore --rev v2 --to {tmp_path / 'good'}")
    good = digests(tmp_path / "good")
    served = digests(release)
    assert served.items() <= good.items()
    assert {"models/triage.joblib", "rules/rules.json", "config/pipeline.json", "triage.py"} <= set(served)
    assert night.answers_of(release) == night.answers_of(tmp_path / "good")
    assert night.missed(release) and len(night.missed(release)) == 1


def test_the_ledger_keeps_every_move(night: Whole) -> None:
    entries = night.ask("deployed prod --history")["entries"]
    assert [(e["actor"], e["action"]) for e in entries] == [
        ("ana", "promote"), ("eve", "rollback"), ("cron", "promote"), ("ana", "promote"), ("ana", "promote"),
    ]  # fmt: skip
    assert entries[1]["reason"] == "A0088, clinic C"


def test_one_clinic_can_go_back_alone(night: Whole, tmp_path: Path) -> None:
    copy = night.copy(tmp_path / "copy", asleep=True)
    night.ask('rollback prod --scope clinic=C --to v2 --reason "C alone"', folder=copy, MLVER_DATE=AT_THE_PAGE)
    live = {c: night.ask(f"deployed prod --scope clinic={c}", folder=copy)["commit"] for c in "ABC"}
    ids = {name: night.ask(f"show {name}")["commit"]["id"] for name in ("v2", "night")}
    assert live == {"A": ids["night"], "B": ids["night"], "C": ids["v2"]}


def test_rules_alone_stop_the_harm_at_one_clinic_and_not_elsewhere(night: Whole, tmp_path: Path) -> None:
    copy = night.copy(tmp_path / "copy", asleep=True)
    night.ask(f"restore --rev night --to {tmp_path / 'bad'}")
    only = night.ask('rollback prod --to v2 --only rules --reason "R2"', folder=copy, MLVER_DATE=AT_THE_PAGE)
    partly = Path(only["path"])
    assert len(night.missed(tmp_path / "bad")) == 9 and len(night.missed(tmp_path / "bad", "C")) == 5
    assert night.missed(partly, "C") == set()
    assert len(night.missed(partly)) == 4, "the flipped labels are in the model: parts belong together"


def test_the_fallback_was_tried_and_what_it_is_worth_is_kept(night: Whole) -> None:
    drill = night.said("fallback drill")[0]["drill"]
    assert (drill["values"]["recall"], drill["values"]["recall{clinic=C}"]) == (0.844, 1.0)
    (stage,) = night.ask("fallback show")["stages"]
    assert stage["drill"]["values"] == drill["values"]


def test_a_rollback_killed_anywhere_leaves_the_old_or_the_new_release_whole(night: Whole, tmp_path: Path) -> None:
    copy = night.copy(tmp_path / "copy", asleep=True)
    ids = {name: night.ask(f"show {name}")["commit"]["id"] for name in ("v2", "night")}
    whole = {}
    for name, id in ids.items():
        night.ask(f"restore --rev {name} --to {tmp_path / name}")
        whole[id] = digests(tmp_path / name)
    chance, landed = random.Random(19), set()
    environment = {**os.environ, "MLVER_AUTHOR": "eve", "MLVER_DATE": AT_THE_PAGE}
    command = [sys.executable, "-m", "mlver", "-q", "rollback", "prod", "--to", "v2", "--reason", "A0088"]
    for _ in range(20):
        process = subprocess.Popen(command, cwd=copy, env=environment, stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.02, 0.35))
        process.send_signal(signal.SIGKILL)
        process.wait()
        with mlver.Repo.open(copy, author="eve") as repo:
            repo.status()  # rolls forward what was recorded and not yet carried out
            live = repo.deployed("prod")
            assert live.commit.hex() in whole, live
            served = digests(Path(live.path))
            assert served.items() <= whole[live.commit.hex()].items() and served
            landed.add(live.commit.hex())
            assert repo.fsck().ok
            if live.commit.hex() == ids["v2"]:
                repo.promote("prod", "night", reason="once more", skip=True)
    assert landed, "every one of them was read"


def test_impact_names_who_served_it_and_for_how_long(night: Whole) -> None:
    document = night.said("impact")[0]
    (served,) = document["served"]
    assert (served["stage"], served["since"], served["until"]) == ("prod", f"{NIGHT}T02:00:00Z", f"{NIGHT}T03:09:00Z")
    assert {a["path"] for a in document["affected"]} == {"models/triage.joblib", "metrics/static.json"}
    assert {"A0087", "A0088"} <= set(document["alerts"])


def test_bisect_as_committed_finds_the_retraining(night: Whole) -> None:
    found = night.said("bisect")[0]
    assert (found["mode"], len(found["trials"]) <= 4) == ("as committed", True)
    assert [f["commit"] for f in found["found"]] == [night.ask("show night")["commit"]["id"]]


def test_bisect_of_rebuilt_models_finds_the_rule(night: Whole) -> None:
    found = night.said("bisect")[1]
    removal = next(d for d in night.said("commit") if d["message"] == "remove rule R2")
    assert found["mode"] == "rebuilt"
    assert [f["commit"] for f in found["found"]] == [removal["commit"]]
    values = [trial["value"] for trial in found["trials"]]
    assert set(values) == {0.654, 0.115}, "good is good and bad is bad: labels are not needed to see it"


@pytest.mark.skipif(not os.environ.get("MLVER_EXPLORE"), reason="half a minute of training: MLVER_EXPLORE=1 runs it")
def test_isolate_names_the_guilty_pair(night: Whole) -> None:
    found = night.ask(
        f"bisect --isolate --rebuild --good v2 --bad night --metric 'recall{{clinic=C}} >= 0.9' --on {LIVE3} "
        f"--with {LABELS3} -- python evaluate.py {{data}}"
    )
    assert ["impute", "R2"] in [[change["unit"] for change in pair] for pair in found["guilty"]]
    alone = {(s["change"]["path"], s["change"]["unit"]): s["alone"] for s in found["swaps"] if s["alone"]}
    assert set(alone.values()) == {"good"}, "each alone looks harmless"
