"""Metrics: values by name and slice, which way is better, and what got worse."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyClassifier
from sklearn.metrics import classification_report

from mlver.kinds.base import Unreadable
from mlver.kinds.metrics import MetricsKind, direction
from tests.kinds.byte_source import as_dict, diff, units

METRICS = MetricsKind()
GOOD = {
    "*": {"n": 80, "accuracy": 0.863, "recall": 0.969, "missed": 1},
    "C": {"n": 26, "recall": 1.0, "flag_rate": 0.654},
}
BAD = {
    "C": {"n": 26, "recall": 0.375, "flag_rate": 0.115},
    "*": {"n": 80, "accuracy": 0.887, "recall": 0.719, "missed": 9},
}


def test_slices_are_named_as_the_file_nests_them() -> None:
    assert as_dict(units(METRICS, "metrics/w3.json", json.dumps(GOOD)))["C.recall"] == 1.0
    assert as_dict(units(METRICS, "m.json", '{"accuracy": 0.9}')) == {"accuracy": 0.9}
    wrapped = {"model": "triage", "metrics": {"accuracy": 0.9}}
    assert as_dict(units(METRICS, "m.json", json.dumps(wrapped))) == {"accuracy": 0.9, "model": "triage"}


def test_what_got_worse_comes_first_the_most_first() -> None:
    delta, comparison = diff(METRICS, "metrics.json", json.dumps(GOOD), json.dumps(BAD))
    rows = comparison.details[0].rows
    assert [(row[0], row[4]) for row in rows] == [
        ("*.missed", "worse"), ("C.recall", "worse"), ("*.recall", "worse"), ("*.accuracy", "better"),
        ("C.flag_rate", "changed"),
    ]  # fmt: skip
    assert rows[1] == ("C.recall", 1.0, 0.375, -0.625, "worse")
    assert rows[3][3] == 0.024
    assert comparison.summary == "3 worse, 1 better, 1 changed, most: *.missed 1 -> 9"
    assert comparison.counts["worse"] == 3
    assert set(delta.changed) == {row[0] for row in rows}


def test_a_declared_direction_counts_more_than_the_name() -> None:
    declared = {"flag_rate": "higher", "*.missed": "higher", "recall": "none"}
    _, comparison = diff(METRICS, "m.json", json.dumps(GOOD), json.dumps(BAD), direction=declared)
    verdicts = {row[0]: row[4] for row in comparison.details[0].rows}
    assert verdicts["C.flag_rate"] == "worse"
    assert verdicts["*.missed"] == "better"
    assert verdicts["C.recall"] == "changed"


def test_key_order_and_format_never_count() -> None:
    _, comparison = diff(METRICS, "m.json", json.dumps(GOOD), json.dumps(dict(reversed(GOOD.items())), indent=2))
    assert (comparison.summary, comparison.same_meaning) == ("same values", True)


@pytest.mark.parametrize(("before", "after", "changed"), [
    ("NaN", "NaN", False), ("NaN", "0.5", True), ("0.5", "NaN", True), ("Infinity", "Infinity", False),
    ("Infinity", "-Infinity", True), ("1", "1.0", False), ('"NaN"', "NaN", False), ("1" * 400, "1.5", True),
])  # fmt: skip
def test_values_that_are_no_number_are_compared(before: str, after: str, changed: bool) -> None:
    delta, comparison = diff(METRICS, "m.json", f'{{"recall": {before}}}', f'{{"recall": {after}}}')
    assert bool(delta) is changed
    assert comparison.same_meaning is not changed


def test_a_metric_that_became_nan_is_not_called_better_or_worse_but_comes_first() -> None:
    _, comparison = diff(METRICS, "m.json", '{"acc": 1, "auc": 0.9}', '{"acc": 0, "auc": NaN}')
    assert [(row[0], row[4]) for row in comparison.details[0].rows] == [("auc", "changed"), ("acc", "worse")]


def test_lists_of_measurements_go_by_name_slice_and_dataset() -> None:
    records = [
        {"name": "recall", "value": 0.9, "slice": {"clinic": "C"}, "dataset": "data/w3.csv", "n": 26},
        {"metric": "recall", "value": 0.95, "n": 80},
        {"name": "auc", "value": "9e-1", "slice": "B"},
    ]
    expected = {
        'recall.clinic=C."data/w3.csv"': 0.9, 'recall.clinic=C."data/w3.csv".n': 26,
        "recall": 0.95, "recall.n": 80, "auc.B": 0.9,
    }  # fmt: skip
    assert as_dict(units(METRICS, "m.json", json.dumps(records))) == expected
    lines = "".join(json.dumps(record) + "\n" for record in reversed(records))
    assert as_dict(units(METRICS, "m.jsonl", lines)) == expected
    with pytest.raises(Unreadable, match=r"duplicate metric recall \(record 4\)"):
        units(METRICS, "m.json", json.dumps([*records, {"name": "recall", "value": 1}]))


def test_csv_and_training_curves_are_read() -> None:
    assert as_dict(units(METRICS, "m.csv", "metric,value,slice\nrecall,0.9,\nrecall,1,C\n")) == {
        "recall": 0.9,
        "recall.C": 1,
    }
    assert as_dict(units(METRICS, "m.csv", "epoch,loss\n1,0.5\n2,0.25\n")) == {
        "epoch=1.loss": 0.5,
        "epoch=2.loss": 0.25,
    }
    assert as_dict(units(METRICS, "m.json", "[0.1, 0.2]")) == {".": [0.1, 0.2]}


def test_scikit_learns_own_report_is_read() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    report = classification_report(y, DummyClassifier().fit(x, y).predict(x), output_dict=True, zero_division=0)
    found = units(METRICS, "report.json", json.dumps(report))
    assert found.get("accuracy") == report["accuracy"]
    assert found.get("macro avg.f1-score") == report["macro avg"]["f1-score"]
    assert direction("macro avg.f1-score") == "higher"
    assert direction("1.support") is None


HIGHER = """
    accuracy val/roc_auc testAUC C.recall F1 f1_macro r2 R2_score ndcg@10 recall_at_5 mAP neg_log_loss hit_rate tpr
    neg_mean_squared_error true_positive_rate test_score score clinic=C.recall missing.accuracy
"""
LOWER = """
    loss val_loss testLoss MSELoss logloss rmse MAE error_rate missed unneeded false_negatives fpr latency_p99
    latencyP99 brier_score accuracy_drop perplexity *.missed psi calibration_error recall.false_positives
"""
NEITHER = "n support flag_rate malignant threshold seed anomaly_score dropout epoch=1 '' . *"


@pytest.mark.parametrize(("way", "names"), [("higher", HIGHER), ("lower", LOWER), (None, NEITHER)])
def test_well_known_names_tell_which_way_is_better(way: str | None, names: str) -> None:
    assert {name: direction(name) for name in names.split()} == dict.fromkeys(names.split(), way)


numbers = st.integers() | st.floats() | st.booleans() | st.none() | st.text(max_size=4)
tables = st.dictionaries(
    st.sampled_from(["recall", "loss", "n", "*", "metrics"]), numbers | st.lists(numbers, max_size=2)
)


@given(tables, tables)
def test_any_two_documents_compare(old: dict[str, Any], new: dict[str, Any]) -> None:
    delta, comparison = diff(METRICS, "m.json", json.dumps(old), json.dumps(new))
    assert comparison.same_meaning is not bool(delta)
    assert sum(comparison.counts.values()) == len(delta.added) + len(delta.removed) + len(delta.changed)
    for detail in comparison.details:
        for _, was, is_, difference, _ in detail.rows:
            assert math.isnan(difference) or was == is_ or (difference > 0) == (is_ > was) or difference == 0
