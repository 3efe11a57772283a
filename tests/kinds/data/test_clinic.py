"""A clinic's tables, made of the real rows of scikit-learn's breast-cancer set: what a diff of them says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

from mlver.kinds.base import Detail
from mlver.kinds.tables.units import TableUnits
from tests.kinds.data.tables import KIND, change, changed_cells, nothing, read


@pytest.fixture(scope="module")
def patients() -> pd.DataFrame:
    bunch = load_breast_cancer(as_frame=True)
    rng = np.random.default_rng(11)
    frame = bunch.data.iloc[rng.permutation(len(bunch.data))].reset_index()
    label = 1 - bunch.target.iloc[frame.pop("index")].to_numpy()
    frame.insert(0, "patient_id", [f"P{number:04d}" for number in range(len(frame))])
    frame.insert(1, "clinic", rng.choice(list("ABC"), len(frame), p=[0.4, 0.3, 0.3]))
    frame["label"] = label
    return frame


def text(frame: pd.DataFrame, **options: Any) -> TableUnits:
    return read("data/train.csv", frame.to_csv(index=False, **({"float_format": "%.6g"} | options)))


def detail(details: tuple[Detail, ...], title: str) -> Detail | None:
    return next((found for found in details if found.title == title), None)


def flipped(frame: pd.DataFrame, rows: Any) -> pd.DataFrame:
    other = frame.copy()
    other.loc[rows, "label"] = 1 - other.loc[rows, "label"]
    return other


def test_flipped_labels_are_exactly_the_cells_that_differ(patients: pd.DataFrame) -> None:
    history = patients.iloc[:360]
    wrong = history.index[(history.clinic == "C") & (history.index >= 280)]
    delta, comparison = change(text(history), text(flipped(history, wrong)))
    assert list(delta.changed) == history.patient_id[wrong].tolist() and not delta.added and not delta.removed
    assert changed_cells(delta) == {"label": len(wrong)}
    assert comparison.summary == f"{len(wrong)} cells changed in label ({len(wrong)} rows)"
    cells = detail(comparison.details, "cells changed")
    assert cells is not None and cells.rows == (("label", len(wrong)),)
    assert comparison.counts["cells_changed.label"] == len(wrong) and comparison.counts["rows_new"] == 360


def test_other_order_and_other_float_text_are_no_change(patients: pd.DataFrame) -> None:
    history = patients.iloc[:280]
    again = pd.read_csv(pd.io.common.StringIO(history.to_csv(index=False, float_format="%.6g")))
    shuffled = again.sample(frac=1, random_state=1)
    for options in ({"float_format": None}, {"float_format": "%.17g"}, {"float_format": "%.12e"}):
        delta, comparison = change(text(history), text(shuffled, **options))
        assert nothing(delta) and comparison.same_meaning and not comparison.details


def test_new_rows_whose_labels_go_the_other_way_are_pointed_out(patients: pd.DataFrame) -> None:
    history, week = patients.iloc[:280], patients.iloc[280:360]
    clean = change(text(history), text(pd.concat([history, week])))[1]
    assert clean.summary == "+80 rows" and detail(clean.details, "association flipped") is None
    wrong = week.index[week.clinic == "C"]
    warned = change(text(history), text(pd.concat([history, flipped(week, wrong)])))[1]
    found = detail(warned.details, "association flipped")
    assert found is not None
    by_feature = {row[2]: row for row in found.rows if row[:2] == ("label", "clinic=C")}
    _, _, _, old, new, rows = by_feature["mean radius"]
    before, after = history[history.clinic == "C"], flipped(week, wrong).loc[wrong]
    assert old == pytest.approx(np.corrcoef(before.label, before["mean radius"])[0, 1], abs=1e-5)
    assert new == pytest.approx(np.corrcoef(after.label, after["mean radius"])[0, 1], abs=1e-5)
    assert old > 0.5 and new < -0.5 and rows == len(wrong)
    assert {row[1] for row in found.rows} == {"clinic=C"}


def test_labels_flipped_in_place_are_pointed_out_too(patients: pd.DataFrame) -> None:
    wrong = patients.index[(patients.clinic == "B") & (patients.index < 150)]
    comparison = change(text(patients), text(flipped(patients, wrong)))[1]
    found = detail(comparison.details, "association flipped")
    assert found is not None and {row[1] for row in found.rows} >= {"clinic=B"}


def test_a_feature_that_goes_missing_shows_as_drift(patients: pd.DataFrame) -> None:
    week = patients.iloc[280:440].copy()
    week["worst radius"] = week["worst radius"].where(week.index % 3 > 0)
    comparison = change(text(patients.iloc[280:440]), text(week))[1]
    found = detail(comparison.details, "drift")
    assert found is not None
    name, nulls_old, nulls_new, *_ = found.rows[0]
    assert (name, nulls_old) == ("worst radius", 0.0) and nulls_new == pytest.approx(53 / 160)
    assert len(found.rows) == 1


def test_the_states_that_are_gone_are_named() -> None:
    states = [f"S{number:02d}" for number in range(50)]
    old = pd.DataFrame({"id": range(1000), "state": [states[number % 50] for number in range(1000)]})
    new = old.copy()
    new.loc[new.state.isin(states[:10]), "state"] = "Other"
    comparison = change(text(old), text(new))[1]
    found = detail(comparison.details, "categories")
    assert found is not None
    assert found.rows == (
        ("state", "10 of 50 values gone", ", ".join(states[:10])),
        ("state", "1 of 41 values new", "Other"),
    )


def test_the_profile_of_a_version(patients: pd.DataFrame) -> None:
    frame = patients.iloc[:200].copy()
    frame.loc[frame.index[:10], "mean radius"] = np.nan
    said = KIND.summary(text(frame, float_format=None))
    assert (said["rows"], said["columns"], said["key"]) == (200, 33, ["patient_id"])
    radius, clinic = said["profile"]["mean radius"], said["profile"]["clinic"]
    values = frame["mean radius"].dropna()
    assert (radius["count"], radius["nulls"], radius["distinct"]) == (190, 10, values.nunique())
    assert radius["mean"] == pytest.approx(values.mean()) and radius["min"] == values.min()
    assert [radius[name] for name in ("p5", "p50", "p95")] == pytest.approx(values.quantile([0.05, 0.5, 0.95]).tolist())
    assert dict(clinic["top"]) == frame.clinic.value_counts().to_dict()
    assert (clinic["min"], clinic["max"]) == ("A", "C") and "top" not in said["profile"]["patient_id"]
