"""What is said of two versions of a model."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest

from mlver.kinds.base import Units
from tests.kinds.model import making
from tests.kinds.model.making import KIND, compared, joblib_bytes, read, values


def moved(old: Any, new: Any) -> tuple[Any, ...]:
    _, comparison = compared(pickle.dumps({"w": old}), pickle.dumps({"w": new}))
    (row,) = comparison.details[0].rows
    return row


def test_a_retrained_model_says_how_far_its_arrays_moved() -> None:
    old, new = making.pipeline(), making.pipeline(c=0.3, rows=400)
    delta, comparison = compared(joblib_bytes(old), joblib_bytes(new))
    # C and the number of samples seen
    assert comparison.summary.startswith("LogisticRegression: 2 parameters changed, 6 of 8 arrays moved (max ")
    assert {"steps.clf.C", "steps.scaler.n_samples_seen_", "steps.clf.coef_"} <= set(delta.changed)
    (table,) = comparison.details
    rows = {row[0]: row for row in table.rows}
    before, after = old.named_steps["clf"].coef_, new.named_steps["clf"].coef_
    _, shape, l2, relative, largest, unchanged = rows["steps.clf.coef_"]
    assert shape == "1x30"
    assert l2 == pytest.approx(np.linalg.norm(after - before))
    assert relative == pytest.approx(np.linalg.norm(after - before) / np.linalg.norm(before))
    assert largest == pytest.approx(np.abs(after - before).max())
    assert unchanged == 0
    order = [row[3] for row in table.rows]
    assert order == sorted(order, reverse=True)
    assert comparison.counts["arrays_moved"] == 6
    assert not comparison.same_meaning


def test_other_bytes_of_the_same_model_are_said_to_be_that() -> None:
    made = making.bundle()
    delta, comparison = compared(joblib_bytes(made, ("gzip", 3)), pickle.dumps(made, 2))
    assert not delta
    assert comparison.same_meaning
    assert comparison.summary == "byte-different, same model"


def test_one_parameter_alone_is_said_without_arrays() -> None:
    old, new = making.pipeline(), making.pipeline()
    new.named_steps["clf"].verbose = 1
    _, comparison = compared(joblib_bytes(old), joblib_bytes(new))
    assert comparison.summary == "LogisticRegression: 1 parameter changed"
    assert comparison.details == ()


def test_another_class_and_other_steps_are_said() -> None:
    _, comparison = compared(joblib_bytes(making.forest()), joblib_bytes(making.clusters()))
    assert comparison.summary.startswith("RandomForestClassifier → KMeans: ")
    old, new = making.pipeline(), making.pipeline()
    new.steps.reverse()
    delta, _ = compared(joblib_bytes(old), joblib_bytes(new))
    assert delta.changed == ["steps"]


def test_a_model_that_comes_or_goes_is_described() -> None:
    units = read(joblib_bytes(making.pipeline()))
    nothing = Units({})
    added = KIND.compare(None, units, nothing.delta(units))
    assert added.summary.startswith("new: Pipeline(StandardScaler, LogisticRegression), ")
    assert added.summary.endswith(" 8 arrays")
    assert KIND.compare(units, None, units.delta(nothing)).summary.startswith("removed: Pipeline(")
    assert not added.same_meaning


def test_many_moved_arrays_are_cut_with_their_number() -> None:
    arrays = {f"w{n:02}": np.full(3, n + 1.0) for n in range(20)}
    _, comparison = compared(pickle.dumps(arrays), pickle.dumps({name: array * 2 for name, array in arrays.items()}))
    rows = comparison.details[0].rows
    assert len(rows) == 13
    assert rows[-1][0] == "… 8 more"
    assert comparison.summary == "model: 20 of 20 arrays moved (max 100 %)"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (np.array([3.0, 4.0]), np.array([3.0, 4.5]), ("2", 0.5, 0.1, 0.5, 0.5)),
        (np.zeros(2), np.array([0.0, 2.0]), ("2", 2.0, None, 2.0, 0.5)),
        (np.array([1, 2], "i4"), np.array([1, 4], "i8"), ("2", 2.0, 2 / math.sqrt(5), 2.0, 0.5)),
        (np.zeros((2, 3)), np.zeros((3, 2)), ("2x3 → 3x2", None, None, None, None)),
        (np.array([np.nan, 1.0]), np.array([np.nan, 2.0]), ("2", 1.0, 1.0, 1.0, 0.5)),
        (np.array([np.nan, 1.0]), np.array([5.0, 1.0]), ("2", 0.0, 0.0, 0.0, 0.5)),
        (np.array([1.0, 1.0]), np.array([np.inf, 1.0]), ("2", 0.0, 0.0, 0.0, 0.5)),
        (np.array(["a", "b"]), np.array(["a", "c"]), ("2", None, None, None, 0.5)),
        (np.array(["a", None], object), np.array(["a", 1], object), ("2", None, None, None, 0.5)),
        (np.array([3 + 4j]), np.array([0j]), ("1", 5.0, 1.0, 5.0, 0.0)),
        (np.array([True, False]), np.array([True, True]), ("2", 1.0, 1.0, 1.0, 0.5)),
        (np.array(2.0), np.array(3.0), ("scalar", 1.0, 0.5, 1.0, 0.0)),
    ],
)  # fmt: skip
def test_the_move_of_an_array(old: Any, new: Any, expected: tuple[Any, ...]) -> None:
    path, shape, *numbers = moved(old, new)
    assert path == "w"
    assert shape == expected[0]
    assert numbers[:4] == pytest.approx(expected[1:])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ([np.nan, 1.0], [np.nan, 2.0], "1 NaN"),
        ([np.nan, 1.0], [5.0, 1.0], "1 → 0 NaN"),
        ([1.0, 1.0, 1.0], [np.inf, -np.inf, np.nan], "0 → 1 NaN, 0 → 2 inf"),
    ],
)
def test_values_that_are_not_finite_are_counted(old: list[float], new: list[float], told: str) -> None:
    assert moved(np.array(old), np.array(new))[-1] == told


def test_nan_that_appears_is_in_the_summary() -> None:
    _, comparison = compared(pickle.dumps({"w": np.ones(3)}), pickle.dumps({"w": np.array([1.0, np.nan, 1.0])}))
    assert comparison.summary.endswith("NaN or infinity appeared in 1 array")
    assert comparison.counts["arrays_spoilt"] == 1


def test_the_move_of_records_counts_whole_records() -> None:
    kind = np.dtype([("a", "i8"), ("b", "f8")])
    old, new = np.array([(1, 0.5), (2, 0.5)], kind), np.array([(1, 0.5), (2, 1.5)], kind)
    assert moved(old, new)[1:] == pytest.approx(("2", 1.0, 1 / math.sqrt(5.5), 1.0, 0.5))


def test_large_arrays_are_compared_in_pieces_of_any_length() -> None:
    old = np.arange(300_000, dtype="f8")
    new = old.astype("f4")
    new[299_999] += 1
    row = moved(old, new)
    assert row[1] == "300000"
    assert row[2] == pytest.approx(1.0)
    assert row[5] == pytest.approx(1 - 1 / 300_000)


def test_units_from_a_cache_are_compared_without_their_arrays() -> None:
    old, new = (read(joblib_bytes(making.pipeline(c=c))) for c in (1.0, 0.5))
    plain_old, plain_new = Units(values(old)), Units(values(new))
    comparison = KIND.compare(plain_old, plain_new, plain_old.delta(plain_new))
    # n_iter_ too: the solver takes another number of steps
    assert comparison.summary.startswith("LogisticRegression: 1 parameter changed, ")
    assert "steps.clf.coef_" in [row[0] for row in comparison.details[0].rows]
    assert KIND.summary(plain_new)["class"] == "Pipeline(StandardScaler, LogisticRegression)"
    assert "verdict" not in KIND.summary(plain_new)
