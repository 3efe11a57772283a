"""The clinic's project as files: how it begins, and every edit its people make to it.

    python -m mlver.demo.world DIR week0|week1      lay the project out
    python -m mlver.demo.world DIR EDIT...          make edits: live_w3, impute_-1, drop_R2, ...

Nothing here knows of mlver: it plays the people and the systems that change a project's files.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from mlver.demo import alerts
from mlver.demo.patients import SEED, Patients, bounds, deal, flip_labels
from mlver.errors import UsageError

PIPELINE = {"impute": "median", "C": 1.0, "max_iter": 2000, "seed": 0, "threshold": 0.5}
R1 = {
    "id": "R1",
    "when": {"column": "mean radius", "op": ">", "value": 20},
    "then": "refer",
    "owner": "ana",
    "why": "the clinics' board wants every very large mass seen by a person (TRI-17)",
}
R2 = {
    "id": "R2",
    "when": {"missing_at_least": 3},
    "then": "refer",
    "owner": "dana",
    "why": "clinic C's scanner sometimes sends no 'worst' measurements: null_fraction alert of 2024-02-11 (TRI-31)",
}
FALLBACK = {"kind": "rule", "column": "mean radius", "op": ">", "value": 15}
_BOUND_WHY = "no measurement is negative, none was ever above 4/5 of this"
_LABELS_KNOWN = {"labels_w3_part1": 27, "labels_w3_part2": 54, "labels_w3_part3": 80}

TRAIN, STATIC = "data/train.csv", "data/val/static.csv"
LIVE2, LIVE3, LABELS3 = "data/live/w2.csv", "data/live/w3.csv", "data/labels/w3.csv"
CONFIG, RULES, CHECKS = "config/pipeline.json", "rules/rules.json", "checks/bounds.json"
FALLBACK_MODEL, ALERTS = "models/fallback.json", "alerts/history.jsonl"
CODE = ("triage.py", "train.py", "evaluate.py", "experiments.py")
PROJECT = "mlver.toml"

METRICS = """
[metrics.missed]
direction = "lower"
product = true
owner = "ana"
description = "cancers that nobody was referred for, agreed with the clinics' board"

[metrics.unneeded]
direction = "lower"
product = true
owner = "ana"
description = "healthy patients who were sent to a doctor"

[metrics.recall]
direction = "higher"
unit = "share"
formula = "referred / malignant @1"
"""
STAGES = """
[people.dana]
left = 2024-03-12

[stages.canary]
after = "staging"

[stages.prod]
require = ["accuracy >= 0.95 on data/val/static.csv"]
after = "canary"
second_person = true
automation = ["cron"]
fallback = "models/fallback.json"

[slo.triage]
stage = "prod"
require = ["recall >= 0.9", "recall{clinic=C} >= 0.9"]
"""
GATE = 'require = ["accuracy >= 0.95 on data/val/static.csv"]'
GATE_BY_SLICE = """require = [
  "accuracy >= 0.85 on data/val/static.csv",
  "recall{clinic=*} >= 0.85 on data/val/static.csv",
  "recall{missing=3+} >= 0.9 on data/val/static.csv",
]"""


def lay_out(folder: Path, start: str = "week1", seed: int = SEED, *, code: bool = True) -> None:
    """Write the project as it stood at the beginning (`week0`) or after the first week (`week1`).

    `week0` knows the history and rule R1 alone. `week1` has the first week in its training data, rule
    R2, week 2's live data and the alerts of two months. `code` adds the scripts that train and evaluate.
    """
    if start not in ("week0", "week1"):
        raise UsageError(f"no such start: {start!r}", hint="week0 or week1")
    patients = deal(seed)
    _write_table(folder / STATIC, patients.static)
    _write_table(folder / TRAIN, patients.history)
    _write_json(folder / CONFIG, PIPELINE)
    _write_json(folder / RULES, [R1])
    _write_json(folder / FALLBACK_MODEL, FALLBACK)
    checks = {
        name: {"min": low, "max": high, "owner": "dana", "why": _BOUND_WHY} for name, (low, high) in bounds().items()
    }
    _write_json(folder / CHECKS, checks)
    _write_text(folder / PROJECT, METRICS.lstrip())
    if code:
        for name in CODE:
            shutil.copyfile(Path(__file__).parent / "project" / name, folder / name)
    if start == "week1":
        for name in ("add_R2", "train_w1", "live_w2", "alert_history"):
            EDITS[name](folder, patients)


def edit(folder: Path, name: str, seed: int = SEED) -> None:
    """Make one of `EDITS` to the project in `folder`; UsageError for an unknown name."""
    if name not in EDITS:
        raise UsageError(f"no such edit: {name!r}", hint="one of " + ", ".join(EDITS))
    EDITS[name](folder, deal(seed))


def _train_w1(folder: Path, patients: Patients) -> None:
    _write_table(folder / TRAIN, pd.concat([patients.history, patients.week1]))


def _labels_w2_flipped(folder: Path, patients: Patients) -> None:
    wrong = flip_labels(patients.week2, "C")
    _write_table(folder / TRAIN, pd.concat([patients.history, patients.week1, wrong]))


def _labels_w2_fixed(folder: Path, patients: Patients) -> None:
    _write_table(folder / TRAIN, pd.concat([patients.history, patients.week1, patients.week2]))


def _live(path: str, week: str) -> Callable[[Path, Patients], None]:
    def write(folder: Path, patients: Patients) -> None:
        _write_table(folder / path, getattr(patients, week).drop(columns="label"))

    return write


def _labels_w3(known: int) -> Callable[[Path, Patients], None]:
    def write(folder: Path, patients: Patients) -> None:
        _write_table(folder / LABELS3, patients.week3[["patient_id", "label"]].head(known))

    return write


def _configure(key: str, value: object) -> Callable[[Path, Patients], None]:
    def write(folder: Path, _: Patients) -> None:
        _write_json(folder / CONFIG, _read_json(folder / CONFIG) | {key: value})

    return write


def _set_r2(present: bool) -> Callable[[Path, Patients], None]:
    def write(folder: Path, _: Patients) -> None:
        others = [rule for rule in _read_json(folder / RULES) if rule["id"] != R2["id"]]
        _write_json(folder / RULES, [*others, R2] if present else others)

    return write


def _add_stages(folder: Path, _: Patients) -> None:
    _write_text(folder / PROJECT, METRICS.lstrip() + STAGES)


def _gate_by_slice(folder: Path, _: Patients) -> None:
    text = (folder / PROJECT).read_text(encoding="utf-8")
    _write_text(folder / PROJECT, text.replace(GATE, GATE_BY_SLICE))


def _val_missing(folder: Path, patients: Patients) -> None:
    """Add the patients that came without measurements in week 3, who were all examined at once, to the hold-out."""
    week3 = patients.week3
    blank = week3[week3.isna().sum(axis=1) >= 3]  # those rule R2 is for
    _write_table(folder / STATIC, pd.concat([patients.static, blank]))


def _alert_history(folder: Path, _: Patients) -> None:
    lines = [json.dumps(alert) + "\n" for alert in alerts.history()]
    _write_text(folder / ALERTS, "".join(lines))


def _reformat(folder: Path, _: Patients) -> None:
    """Other row order, other float text, the same rows: no change of meaning."""
    table = pd.read_csv(folder / TRAIN).sample(frac=1, random_state=1)
    table.to_csv(folder / TRAIN, index=False, lineterminator="\n")


EDITS: dict[str, Callable[[Path, Patients], None]] = {
    "add_R2": _set_r2(True),
    "drop_R2": _set_r2(False),
    "train_w1": _train_w1,
    "live_w2": _live(LIVE2, "week2"),
    "live_w3": _live(LIVE3, "week3"),
    "alert_history": _alert_history,
    "stages": _add_stages,
    "gate_by_slice": _gate_by_slice,
    "val_missing": _val_missing,
    "labels_w2_flipped": _labels_w2_flipped,
    "labels_w2_fixed": _labels_w2_fixed,
    "impute_-1": _configure("impute", "-1"),
    "impute_median": _configure("impute", "median"),
    "max_iter_3000": _configure("max_iter", 3000),
    **{name: _labels_w3(known) for name, known in _LABELS_KNOWN.items()},
    "reformat": _reformat,
}


def _write_table(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")


def _write_json(path: Path, value: object) -> None:
    _write_text(path, json.dumps(value, indent=1) + "\n")


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def main(arguments: list[str]) -> int:
    """Run `world.py DIR ACTION...`; returns the exit code."""
    if len(arguments) < 2:
        print(f"usage: python -m mlver.demo.world DIR week0|week1|{'|'.join(EDITS)} ...", file=sys.stderr)
        return 2
    folder, *actions = Path(arguments[0]), *arguments[1:]
    try:
        for action in actions:
            if action in ("week0", "week1"):
                lay_out(folder, action)
            else:
                edit(folder, action)
    except UsageError as error:
        print(f"error: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
