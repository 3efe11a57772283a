"""The facts the story rests on: every change alone looks harmless, together they miss cancers."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlver.demo import alerts, patients, world
from mlver.errors import UsageError
from tests.demo.conftest import Clinic

STATIC, LIVE = world.STATIC, world.LIVE3
BAD = ("labels_w2_flipped", "impute_-1", "max_iter_3000", "drop_R2")

# edits since v2 -> static accuracy; on week 3: accuracy, recall, clinic C's recall, missed cancers,
# unneeded referrals, clinic C's flag rate (which needs no labels)
RELEASES = {
    "v2": ((), 0.958, 0.863, 0.969, 1.0, 1, 10, 0.654),
    "labels flipped": (("labels_w2_flipped",), 0.958, 0.838, 0.875, 1.0, 4, 9, 0.654),
    "impute -1": (("impute_-1",), 0.958, 0.863, 0.969, 1.0, 1, 10, 0.654),
    "no R2": (("drop_R2",), 0.958, 0.975, 0.969, 1.0, 1, 1, 0.308),
    "bad": (BAD, 0.958, 0.887, 0.719, 0.375, 9, 0, 0.115),
    "v4": (("labels_w2_fixed", "max_iter_3000"), 0.950, 0.887, 1.0, 1.0, 0, 9, 0.654),
    "v4, no R2": (("labels_w2_fixed", "max_iter_3000", "drop_R2"), 0.950, 1.0, 1.0, 1.0, 0, 0, 0.308),
}


@pytest.mark.parametrize("name", RELEASES)
def test_each_release_measures_as_the_story_says(clinic: Clinic, name: str) -> None:
    edits, static, accuracy, recall, recall_c, missed, unneeded, flag_rate_c = RELEASES[name]
    clinic.edit(*edits)
    clinic.train()
    live = clinic.measure(LIVE)
    at_c = live["clinic=C"]
    assert clinic.measure(STATIC)["accuracy"] == static
    assert (live["accuracy"], live["recall"], at_c["recall"]) == (accuracy, recall, recall_c)
    assert (live["missed"], live["unneeded"], at_c["flag_rate"]) == (missed, unneeded, flag_rate_c)


def test_the_old_rules_with_the_bad_model_save_clinic_c_but_not_the_others(clinic: Clinic) -> None:
    clinic.edit(*BAD)
    clinic.train()
    clinic.edit("add_R2")
    live = clinic.measure(LIVE)
    assert (live["clinic=C"]["missed"], live["missed"]) == (0, 4)


def test_rule_r2_is_safe_to_remove_only_while_gaps_are_filled_by_the_median(clinic: Clinic) -> None:
    clinic.edit("labels_w2_fixed", "max_iter_3000")
    clinic.train()
    assert clinic.measure(LIVE, without=("R2",))["missed"] == 0
    clinic.edit("impute_-1")
    clinic.train()
    assert clinic.measure(LIVE)["missed"] == 0
    assert clinic.measure(LIVE, without=("R2",))["missed"] == 5


def test_week_2_says_nothing_about_rule_r2(clinic: Clinic) -> None:
    clinic.train()
    assert clinic.measure(world.LIVE2) == clinic.measure(world.LIVE2, without=("R2",))


def test_labels_of_week_3_arrive_late_and_in_parts(clinic: Clinic) -> None:
    clinic.edit(*BAD)
    clinic.train()
    (clinic.folder / world.LABELS3).unlink()
    assert clinic.measure(LIVE)["clinic=C"] == {"patients": 26, "flag_rate": 0.115}
    read = {}
    for part in ("labels_w3_part1", "labels_w3_part2", "labels_w3_part3"):
        clinic.edit(part)
        live = clinic.measure(LIVE)
        at_c = live["clinic=C"]
        read[live["labelled"]] = (at_c["missed"], at_c["malignant"], at_c["recall"])
    assert read == {27: (3, 3, 0.0), 54: (4, 5, 0.2), 80: (5, 8, 0.375)}


def test_the_patients_missed_at_clinic_c_are_known_by_name(clinic: Clinic, scripts: dict) -> None:
    clinic.edit(*BAD)
    clinic.train()
    truth = patients.deal().truth()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(clinic.folder)
        table = scripts["triage"].pd.read_csv(LIVE)
        refer = scripts["triage"].decide(table)
    missed = table[(refer == 0) & (truth.loc[table["patient_id"]].to_numpy() == 1) & (table["clinic"] == "C")]
    assert list(missed["patient_id"]) == ["P0481", "P0486", "P0500", "P0524", "P0543"]


def test_the_annotator_flipped_25_labels_of_clinic_c_and_nothing_else(clinic: Clinic) -> None:
    def rows() -> dict[str, dict[str, str]]:
        with (clinic.folder / world.TRAIN).open(newline="") as stream:
            return {row["patient_id"]: row for row in csv.DictReader(stream)}

    clinic.edit("labels_w2_flipped")
    wrong = rows()
    clinic.edit("labels_w2_fixed")
    right = rows()
    changed = {key: name for key in right for name in right[key] if right[key][name] != wrong[key][name]}
    assert len(right) == len(wrong) == 360
    assert set(changed.values()) == {"label"}
    assert len(changed) == 25
    assert {right[key]["clinic"] for key in changed} == {"C"}
    assert "P0404" in changed


def test_edits_of_one_file_leave_its_other_keys_alone(clinic: Clinic) -> None:
    clinic.edit("impute_-1", "max_iter_3000", "impute_median")
    settings = json.loads((clinic.folder / world.CONFIG).read_text())
    assert settings == world.PIPELINE | {"max_iter": 3000}
    clinic.edit("drop_R2", "add_R2")
    assert [rule["id"] for rule in json.loads((clinic.folder / world.RULES).read_text())] == ["R1", "R2"]


def test_the_patients_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_breast_cancer

    from mlver.demo.patients import _source, measurements

    theirs = load_breast_cancer(as_frame=True).frame
    assert measurements() == list(theirs.columns[:-1])
    assert (_source().to_numpy() == theirs.to_numpy()).all()


def test_week_0_knows_the_history_and_rule_r1_alone(new_clinic: Callable[[str], Clinic]) -> None:
    clinic = new_clinic("week0")
    files = {path.relative_to(clinic.folder).as_posix() for path in clinic.folder.rglob("*") if path.is_file()}
    assert files == {
        world.STATIC, world.TRAIN, world.CONFIG, world.RULES, world.CHECKS, world.FALLBACK_MODEL, world.PROJECT,
        *world.CODE,
    }  # fmt: skip
    assert len((clinic.folder / world.TRAIN).read_text().splitlines()) == 201
    assert [rule["id"] for rule in json.loads((clinic.folder / world.RULES).read_text())] == ["R1"]


def test_the_first_edits_lead_from_week_0_to_week_1(new_clinic: Callable[[str], Clinic]) -> None:
    early, late = new_clinic("week0"), new_clinic("week1")
    early.edit("add_R2", "train_w1", "live_w2", "alert_history")

    def content(clinic: Clinic) -> dict[str, bytes]:
        files = (path for path in clinic.folder.rglob("*") if path.is_file())
        return {path.relative_to(clinic.folder).as_posix(): path.read_bytes() for path in files}

    assert content(early) == content(late)


def test_training_twice_gives_the_same_bytes(clinic: Clinic) -> None:
    clinic.train()
    first = (clinic.folder / "models/triage.joblib").read_bytes()
    clinic.train()
    assert (clinic.folder / "models/triage.joblib").read_bytes() == first


def test_another_seed_deals_other_patients() -> None:
    mine, other = patients.deal(46), patients.deal(7)
    assert list(mine.static["label"]) != list(other.static["label"])
    assert [len(mine.static), len(mine.history), len(mine.week3)] == [120, 200, 80]


def test_the_scanner_of_clinic_c_loses_its_worst_block_in_week_3() -> None:
    week = patients.deal().week3
    gaps = week[week.isna().any(axis=1)]
    assert (len(gaps), len(week), int((week["clinic"] == "C").sum())) == (16, 80, 26)
    assert set(gaps["clinic"]) == {"C"}
    assert {name.split()[0] for name in gaps.columns[gaps.isna().any()]} == {"worst"}


def test_86_alerts_fired_and_6_were_acted_on() -> None:
    history = alerts.history()
    by_type: dict[str, list[bool]] = {}
    for alert in history:
        by_type.setdefault(alert["type"], []).append(alert["outcome"] == "acted")
    assert {name: (sum(acted), len(acted)) for name, acted in by_type.items()} == {
        "null_fraction.worst_radius": (1, 41),
        "psi.mean_texture": (0, 33),
        "latency_p99": (2, 9),
        "flag_rate_drop.clinic": (3, 3),
    }
    assert len({alert["id"] for alert in history}) == 86
    assert [alert["at"] for alert in history] == sorted(alert["at"] for alert in history)
    (added,) = [alert for alert in history if alert.get("action") == "added rule R2"]
    assert (added["id"], added["by"], added["at"]) == ("A0020", "dana", "2024-02-11T04:10:00")


def test_an_unknown_edit_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such edit: 'drop_R9'"):
        world.edit(tmp_path, "drop_R9")


def test_the_scripts_run_as_a_user_runs_them(new_clinic: Callable[[str], Clinic]) -> None:
    clinic = new_clinic("week1")

    def run(*arguments: str) -> str:
        done = subprocess.run([sys.executable, *arguments], cwd=clinic.folder, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert run("train.py") == "trained on 280 patients, impute median -> models/triage.joblib\n"
    run("evaluate.py", STATIC, "--out", "metrics/static.json")
    written = json.loads((clinic.folder / "metrics/static.json").read_text())
    assert (written["accuracy"], written["recall"]) == (0.958, 0.952)
