"""Curves: metrics by step, wide or long, as CSV or JSON lines; what is said of two runs."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import log_loss

from mlver.kinds.base import Spec, Unreadable
from mlver.kinds.metrics import MetricsKind
from tests.kinds.byte_source import as_dict, diff, source, units

METRICS = MetricsKind()


def wide(losses: list[float], **more: list[float]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["epoch", "val_loss", *more])
    writer.writerows([n, *row] for n, row in enumerate(zip(losses, *more.values(), strict=True), 1))
    return out.getvalue()


def long(losses: list[float]) -> str:
    rows: list[dict[str, Any]] = []
    for step, loss in enumerate(losses, 1):
        rows += [{"step": step, "key": "val_loss", "value": loss}, {"step": step, "key": "lr", "value": 0.1}]
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_a_point_goes_by_its_step_however_the_file_is_laid_out() -> None:
    assert as_dict(units(METRICS, "metrics/curve.csv", wide([0.5, 0.4]))) == {
        "epoch=1.val_loss": 0.5, "epoch=2.val_loss": 0.4,
    }  # fmt: skip
    assert as_dict(units(METRICS, "metrics/curve.jsonl", long([0.5, 0.4]))) == {
        "step=1.val_loss": 0.5, "step=1.lr": 0.1, "step=2.val_loss": 0.4, "step=2.lr": 0.1,
    }  # fmt: skip
    with_slices = [{"name": "recall", "slice": "C", "step": n, "value": n / 10} for n in (1, 2)]
    assert list(as_dict(units(METRICS, "m.json", json.dumps(with_slices)))) == ["step=1.recall.C", "step=2.recall.C"]


def test_a_step_of_a_metric_that_comes_once_is_no_curve() -> None:
    rows = [{"name": "recall", "value": 0.9, "step": 0}, {"name": "auc", "value": 0.8, "step": 0}]
    assert as_dict(units(METRICS, "m.json", json.dumps(rows))) == {
        "recall": 0.9, "recall.step": 0, "auc": 0.8, "auc.step": 0,
    }  # fmt: skip


def test_the_same_step_twice_is_named() -> None:
    with pytest.raises(Unreadable, match=r"duplicate metric step=1\.val_loss \(record 3\)"):
        units(METRICS, "m.jsonl", long([0.5]) + '{"step": 1, "key": "val_loss", "value": 2}\n')


def test_a_run_that_ends_worse_than_its_best_shows_it() -> None:
    delta, comparison = diff(METRICS, "m.csv", wide([0.5, 0.4, 0.35]), wide([0.5, 0.3, 0.45]))
    assert delta.changed == ["epoch=2.val_loss", "epoch=3.val_loss"]
    (curve,) = comparison.details
    assert curve.title == "curves"
    assert curve.rows == (("val_loss", 0.35, 0.45, 0.35, 0.3, 2, 0.15, "worse"),)
    assert comparison.summary == "val_loss ends at 0.45, was 0.35 (worse)"
    assert sum(comparison.counts.values()) == 2


def test_runs_of_another_length_are_compared_by_their_ends() -> None:
    _, comparison = diff(METRICS, "m.csv", wide([0.5, 0.4], recall=[0.8, 0.9]), wide([0.5, 0.4, 0.3], recall=[0.8] * 3))
    rows = {row[0]: row for row in comparison.details[0].rows}
    assert rows["recall"] == ("recall", 0.9, 0.8, 0.9, 0.8, 1, 0.0, "worse")
    assert rows["val_loss"][-1] == "better"
    assert [row[0] for row in comparison.details[0].rows] == ["recall", "val_loss"]


def test_what_is_no_curve_stays_in_the_list_of_metrics() -> None:
    old = json.dumps({"final": {"recall": 0.9}, "step=1": {"loss": 1.0}, "step=2": {"loss": 0.5}})
    _, comparison = diff(METRICS, "m.json", old, old.replace("0.9", "0.8").replace("0.5", "0.6"))
    assert [detail.title for detail in comparison.details] == ["curves", "metrics"]
    assert comparison.details[1].rows[0][0] == "final.recall"
    assert comparison.summary.startswith("1 worse, most: final.recall 0.9 -> 0.8")


def test_a_metric_without_a_direction_has_no_best() -> None:
    _, comparison = diff(
        METRICS, "m.jsonl", long([1, 2]), long([1, 2]).replace('"lr", "value": 0.1', '"lr", "value": 0.2')
    )
    assert comparison.details[0].rows == (("lr", 0.1, 0.2, None, None, None, None, "changed"),)


def test_the_curve_of_a_real_training_is_read() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    model = GradientBoostingClassifier(n_estimators=8, max_depth=1, random_state=0).fit(x, y)
    losses = [float(log_loss(y, p)) for p in model.staged_predict_proba(x)]
    found = units(METRICS, "metrics/curve.csv", wide(losses))
    assert [found.get(f"epoch={n}.val_loss") for n in range(1, 9)] == losses


def test_a_point_of_a_curve_can_be_written_back() -> None:
    before = source("m.jsonl", long([0.5, 0.4]))
    after = METRICS.edit(before, Spec(), {"step=2.val_loss": 0.25})
    assert after.decode() == long([0.5, 0.25])


@given(st.lists(st.floats(allow_nan=True), max_size=5), st.lists(st.floats(), max_size=5))
def test_any_two_curves_compare(old: list[float], new: list[float]) -> None:
    delta, comparison = diff(METRICS, "m.csv", wide(old), wide(new))
    assert comparison.same_meaning is not bool(delta)
    assert sum(comparison.counts.values()) == len(delta.added) + len(delta.removed) + len(delta.changed)
