"""Profiles and drift against scipy and hand-made figures."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, pearsonr
from sklearn.datasets import load_diabetes, load_wine

from mlver.kinds.tables.association import correlations
from mlver.kinds.tables.drift import drifts, ks, psi, psi_of_counts
from mlver.kinds.tables.profile import column_profile
from mlver.kinds.tables.units import TableUnits
from tests.kinds.data.tables import change

VALUES = st.lists(st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6)), min_size=3, max_size=40)


@given(VALUES, VALUES)
def test_ks_is_what_scipy_says(old: list[float], new: list[float]) -> None:
    expected = ks_2samp(old, new, method="asymp").statistic
    assert ks(np.array(old), np.array(new)) == pytest.approx(expected, abs=1e-12)


def test_psi_of_known_shares() -> None:
    assert psi_of_counts([50, 50], [50, 50]) == 0
    assert psi_of_counts([50, 50], [80, 20]) == pytest.approx(0.3 * math.log(1.6) - 0.3 * math.log(0.4))
    values = np.arange(1000.0)
    assert psi(values, values) == 0
    # All of the new values fall into the last of ten bins; each empty one counts as half a value.
    half = 0.5 / 1000
    assert psi(values, values + 1000) == pytest.approx(9 * (half - 0.1) * math.log(half / 0.1) + 0.9 * math.log(10))


def test_psi_grows_with_a_shift_and_survives_ties() -> None:
    values = load_diabetes().data[:, 2]
    shifted = [psi(values, values + step * values.std()) for step in (0, 0.1, 0.5, 1)]
    assert shifted == sorted(shifted) and shifted[0] == 0 and shifted[3] > 0.25
    zeros = np.zeros(100)
    assert psi(zeros, zeros) == 0 and psi(zeros, np.ones(100)) > 0.25 and math.isfinite(psi(zeros, np.ones(100)))


def test_correlation_is_what_scipy_says_where_both_values_are_there() -> None:
    data = load_wine()
    label = (data.target == 0).astype(float)
    features = data.data.T.copy()
    features[0, ::7] = np.nan
    label[::11] = np.nan
    there = np.isfinite(features[0]) & np.isfinite(label)
    found = correlations(label, np.vstack([features[:2], np.ones_like(label)]))
    assert found[0] == pytest.approx(pearsonr(features[0][there], label[there]).statistic)
    assert found[2] == 0


def pair_of(old: pa.Table, new: pa.Table) -> TableUnits:
    delta, _ = change(TableUnits(old, ("id",)), TableUnits(new, ("id",)))
    assert delta.pair is not None
    return delta.pair


def test_a_second_sample_of_the_same_values_is_no_drift() -> None:
    rng = np.random.default_rng(3)
    noisy = 0
    for _ in range(20):
        old, new = rng.normal(size=300), rng.normal(size=80)
        tables = pa.table({"id": range(300), "x": old}), pa.table({"id": range(300, 380), "x": new})
        noisy += len(drifts(pair_of(*tables)))
    assert noisy <= 2


def test_the_most_moved_column_comes_first() -> None:
    rng = np.random.default_rng(4)
    x, y, z = rng.normal(size=(3, 500))
    word = rng.choice(["a", "b"], 500)
    old = pa.table({"id": range(500), "x": x, "y": y, "z": z, "on": z > 0, "word": word})
    new = pa.table({"id": range(500), "x": x + 1, "y": y + 3, "z": z, "on": z > 1, "word": np.full(500, "a")})
    found = drifts(pair_of(old, new))
    assert [drift.column for drift in found][:2] == ["y", "word"] and "z" not in {drift.column for drift in found}
    assert {drift.column for drift in found} == {"x", "y", "on", "word"}
    first = found[0]
    assert first.mean_new == pytest.approx(first.mean_old + 3) and first.ks == pytest.approx(
        ks_2samp(y, y + 3).statistic
    )


def test_profiles_count_nan_apart_and_are_json() -> None:
    said = column_profile(pa.chunked_array([[1.0, math.nan], pa.array([None, 3.0, 3.0], pa.float64())]))
    assert (said["count"], said["nulls"], said["nan"]) == (4, 1, 1)
    assert (said["mean"], said["min"], said["max"]) == (pytest.approx(7 / 3), 1, 3)
    for array in (
        pa.array([math.nan]), pa.array([], pa.string()), pa.nulls(3), pa.array([[1], None]), pa.array([b"a"]),
        pa.array([True, False, None]), pa.array(["x", "y"] * 60).dictionary_encode(), pa.array([1, 2], pa.date32()),
        pa.array(["1.10", "2.25"]).cast(pa.decimal128(5, 2)), pa.array([1, 2], pa.duration("s")),
        pa.array([math.inf, 1.0]), pa.array([1], pa.timestamp("us", "UTC")), pa.array([np.float16(1.5)]),
    ):  # fmt: skip
        json.dumps(column_profile(array))
    assert column_profile(pa.array(["x", "y", "x"] * 9))["top"] == [["x", 18], ["y", 9]]
    assert column_profile(pa.array([True, False, True, True]))["mean"] == 0.75
