"""XGBoost and LightGBM: models written by the libraries themselves, alone and inside of pickles."""

from __future__ import annotations

import io
import json
import pickle
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier

from mlver.kinds.base import Unreadable
from mlver.kinds.models.ubjson import parse_ubjson
from tests.kinds.model.making import KIND, cancer, compared, joblib_bytes, read, values

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    xgboost = pytest.importorskip("xgboost")
    lightgbm = pytest.importorskip("lightgbm")


@cache
def boosted(trees: int = 8, rate: float = 0.3, **more: Any) -> Any:
    x, y = cancer()
    return xgboost.XGBClassifier(n_estimators=trees, learning_rate=rate, max_depth=3, n_jobs=1, **more).fit(x, y)


@cache
def light(trees: int = 8, rate: float = 0.1) -> Any:
    x, y = cancer()
    return lightgbm.LGBMClassifier(n_estimators=trees, learning_rate=rate, num_leaves=7, n_jobs=1, verbose=-1).fit(x, y)


@cache
def saved(form: str, trees: int = 8, rate: float = 0.3) -> bytes:
    return bytes(boosted(trees, rate).get_booster().save_raw(form))


@cache
def text(trees: int = 8, rate: float = 0.1) -> bytes:
    made: str = light(trees, rate).booster_.model_to_string()
    return made.encode()


def document(data: bytes) -> Any:
    return read(data, "models/m.json")


def test_one_model_has_the_same_units_as_json_and_as_ubjson() -> None:
    one, other = document(saved("json")), read(saved("ubj"), "models/m.ubj")
    assert values(one) == values(other)
    assert one.get("objective.name") == "binary:logistic"
    assert one.get("learner_model_param.num_feature") == 30
    assert one.get("trees_per_round") == 1
    assert len([key for key in values(one) if key.startswith("trees.")]) == 8
    summary = KIND.summary(one)
    assert (summary["class"], summary["trees"], summary["verdict"]) == ("XGBoost", 8, "plain data")
    assert summary["library"] == f"XGBoost {xgboost.__version__}"
    assert KIND.summary(other)["format"] == "xgboost ubj"


def test_a_tree_has_as_many_leaves_as_xgboost_says() -> None:
    units = document(saved("json"))
    frame = boosted().get_booster().trees_to_dataframe()
    leaves = frame[frame.Feature == "Leaf"].groupby("Tree").size()
    assert [units.get(f"trees.{n}")["leaves"] for n in range(8)] == leaves.tolist()


def test_other_training_parameters_show_in_the_trees() -> None:
    delta, comparison = compared(saved("ubj"), saved("ubj", 10, 0.1))
    assert comparison.summary == "XGBoost: trees 8 → 10, all changed"
    assert set(delta.added) == {"trees.8", "trees.9"}
    assert comparison.counts["trees_changed"] == 8


def test_more_rounds_of_the_same_training_keep_the_first_trees() -> None:
    _, comparison = compared(saved("ubj"), saved("ubj", 10))
    assert comparison.summary == "XGBoost: trees 8 → 10, the first 8 as before"


def test_the_importance_of_features_is_that_of_xgboost() -> None:
    total = boosted().get_booster().get_score(importance_type="total_gain")
    whole = sum(total.values())
    shares = document(saved("json")).loaded.importance()
    assert set(shares) == set(total)
    for name, gain in total.items():
        assert shares[name] == pytest.approx(gain / whole, rel=1e-4)


def test_how_importance_moved_is_told_most_moved_first() -> None:
    _, comparison = compared(saved("ubj"), saved("ubj", 10, 0.05))
    (table,) = (detail for detail in comparison.details if detail.title == "feature importance")
    moves = [abs(after - before) for _, before, after, _ in table.rows]
    assert moves == sorted(moves, reverse=True)
    assert moves[0] >= 0.005


def test_a_pickled_classifier_shows_what_is_in_its_booster() -> None:
    units = read(joblib_bytes(boosted()))
    assert units.get("learning_rate") == 0.3
    assert units.get("_Booster.config.gradient_booster.tree_train_param.learning_rate") == 0.3
    assert units.get("_Booster.trees.3") == document(saved("json")).get("trees.3")
    summary = KIND.summary(units)
    assert (summary["class"], summary["trees"], summary["verdict"]) == ("XGBClassifier", 8, "unknown")
    _, comparison = compared(joblib_bytes(boosted()), joblib_bytes(boosted(10, 0.1)))
    assert comparison.summary.startswith("XGBClassifier: trees 8 → 10, all changed, ")


def test_several_classes_and_parallel_trees_are_read() -> None:
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    made = xgboost.XGBClassifier(n_estimators=2, num_parallel_tree=2, max_depth=2, n_jobs=1).fit(x, y)
    units = document(bytes(made.get_booster().save_raw("json")))
    assert units.get("trees_per_round") == 6
    assert units.get("trees.2")["group"] == 1
    assert KIND.summary(units)["trees"] == 12


@pytest.mark.parametrize("booster", ["dart", "gblinear"])
def test_other_boosters_are_read(booster: str) -> None:
    x, y = cancer()
    data = xgboost.DMatrix(x.to_numpy(), y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gblinear is on its way out
        made = xgboost.train({"booster": booster, "objective": "binary:logistic", "nthread": 1}, data, 3)
    raw = bytes(made.save_raw("ubj"))
    units = read(raw, "models/m.ubj")
    assert values(units) == values(document(bytes(made.save_raw("json"))))
    assert units.get("gradient_booster.name") == booster
    assert KIND.summary(units).get("trees") == (3 if booster == "dart" else None)


def test_the_old_binary_format_is_named() -> None:
    for head in (b"binf\0\0\0\0", b"bs64\t"):
        with pytest.raises(Unreadable, match="old binary format"):
            read(head + bytes(20), "models/m.bin")


def test_a_lightgbm_model_shows_its_parameters_and_trees() -> None:
    units = read(text(), "models/m.txt")
    assert units.get("parameters.learning_rate") == 0.1
    assert units.get("parameters.num_leaves") == 7
    assert units.get("objective") == "binary sigmoid:1"
    assert units.get("trees.0")["leaves"] == 7
    summary = KIND.summary(units)
    assert (summary["class"], summary["trees"], summary["verdict"]) == ("LightGBM", 8, "plain data")


def test_two_lightgbm_models_differ_in_what_was_set() -> None:
    delta, comparison = compared(text(), text(10, 0.05))
    assert comparison.summary == "LightGBM: trees 8 → 10, all changed, 2 parameters changed"
    assert {"parameters.learning_rate", "parameters.num_iterations"} <= set(delta.changed)


def test_lines_that_end_otherwise_are_the_same_model() -> None:
    assert values(read(text().replace(b"\n", b"\r\n"), "m.txt")) == values(read(text(), "m.txt"))


def test_the_importance_of_features_is_that_of_lightgbm() -> None:
    booster = light().booster_
    gains = booster.feature_importance("gain")
    shares = read(text(), "m.txt").loaded.importance()
    for name, gain in zip(booster.feature_name(), gains, strict=True):
        assert shares.get(name, 0.0) == pytest.approx(gain / gains.sum(), rel=1e-4)


def test_a_pickled_lightgbm_model_shows_its_trees() -> None:
    units = read(joblib_bytes(light()))
    assert units.get("_Booster.trees.2") == read(text(), "m.txt").get("trees.2")
    assert KIND.summary(units)["trees"] == 8


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (text()[: text().index(b"\n", 2000) + 1], "end of trees"),
        (text().replace(b"Tree=3", b"Tree=4"), "numbered"),
        (text().replace(b"num_class=1\n", b"num_class=1\nnum_class=2\n", 1), "twice"),
        (text().replace(b"tree_sizes=", b"tree_sizes=9 "), "more or fewer trees"),
        (text().partition(b"end of parameters")[0], "end of parameters"),
        (text().replace(b"objective", b"\xff"), "UTF-8"),
    ],
)
def test_a_broken_lightgbm_model_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(data, "models/m.txt")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tree: tree.update(left_children="x"), None),
        (lambda tree: tree.update(left_children=["x"]), "left_children are not numbers"),
        (lambda tree: tree.update(left_children=[[1], [2]]), "left_children are not numbers"),
        (lambda tree: tree.update(split_conditions=[1 << 4000]), "split_conditions are not numbers"),
        (lambda tree: tree.update(parents=[1.5]), "parents are not numbers"),
    ],
)
def test_a_broken_tree_is_refused(change: Any, reason: str | None) -> None:
    thing = json.loads(saved("json"))
    change(thing["learner"]["gradient_booster"]["model"]["trees"][2])
    with pytest.raises(Unreadable, match=reason or "not numbers"):
        document(json.dumps(thing).encode())


def test_a_booster_in_a_pickle_that_is_broken_stays_bytes() -> None:
    made = boosted()
    data = pickle.dumps(made)
    at = data.index(b"{L\0\0\0\0\0\0\0\x06Config")
    broken = bytearray(data)
    broken[at + 1] = ord("X")
    units = read(bytes(broken))
    assert "digest" in units.get("_Booster.handle")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"Z", None), (b"T", True), (b"F", False), (b"i\xff", -1), (b"U\xff", 255), (b"I\xff\xfe", -2),
        (b"l\0\1\0\0", 65536), (b"L\0\0\0\0\0\0\0\2", 2), (b"d\x3f\xc0\0\0", 1.5), (b"D\x3f\xf8" + bytes(6), 1.5),
        (b"SU\3abc", "abc"), (b"Cx", "x"), (b"[i\1NTZ]", [1, True, None]), (b"[#U\2i\1i\2", [1, 2]),
        (b"{U\1aT}", {"a": True}), (b"{#U\1U\1ai\1", {"a": 1}), (b"{$T#U\1U\1a", {"a": True}), (b"[]", []), (b"{}", {}),
    ],
)  # fmt: skip
def test_each_form_of_ubjson(data: bytes, expected: Any) -> None:
    assert parse_ubjson(data) == expected


def test_typed_arrays_stay_as_they_are() -> None:
    array = parse_ubjson(b"[$I#U\2\0\1\xff\xff")
    assert array.numpy().tolist() == [1, -1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[" * 5000, "nested"),
        (b"{U\1a" * 5000, "nested"),
        (b"[$T#L\x7f" + b"\xff" * 7, "too many values"),
        (b"[$N#L\0\0\0\0\0\0\1\0", "too many values"),
        (b"[$d#L\x7f" + b"\xff" * 7, "truncated"),
        (b"SL\x7f" + b"\xff" * 7, "truncated"),
        (b"SL\xff" + b"\xff" * 7, "negative"),
        (b"{U\1aTU\1aF}", "twice"),
        (b"[$i\1]", "without a count"),
        (b"HU\x0212", "beyond 64 bits"),
        (b"x", "begins no value"),
        (b"{x", "begins no length"),
        (b"TT", "after the end"),
        (b"SU\2\xff\xff", "UTF-8"),
        (b"", "truncated"),
        (b"[", "truncated"),
        (b"{L", "truncated"),
    ],
)
def test_ubjson_that_lies_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        parse_ubjson(data)


def test_ubjson_that_is_no_model_is_refused() -> None:
    with pytest.raises(Unreadable, match="no XGBoost model"):
        read(b"{U\1aT}", "models/m.ubj")


def test_files_are_recognised_by_their_first_bytes(tmp_path: Path) -> None:
    assert KIND.recognises("booster", saved("ubj")[:4096]) > 50
    assert KIND.recognises("models/m.txt", text()[:4096]) > 50
    assert KIND.recognises("m.ubj", b"") > 50


@pytest.mark.parametrize("kind", [GradientBoostingClassifier, RandomForestClassifier, HistGradientBoostingClassifier])
def test_ensembles_of_scikit_learn_are_told_as_trees(kind: Any) -> None:
    x, y = cancer()
    setting = "max_iter" if kind is HistGradientBoostingClassifier else "n_estimators"
    first, more = (kind(**{setting: count}, random_state=0).fit(x, y) for count in (4, 6))
    delta, comparison = compared(joblib_bytes(first), joblib_bytes(more))
    assert comparison.summary.startswith(f"{kind.__name__}: trees 4 → 6, the first 4 as before")
    assert setting in delta.changed
    assert not [key for key in delta.added if "tree_" in key]
    assert comparison.counts["trees_changed"] == 0


def test_the_importance_of_features_is_that_of_scikit_learn() -> None:
    x, y = cancer()
    made = RandomForestClassifier(5, random_state=0).fit(x, y)
    shares = read(joblib_bytes(made)).loaded.importance()
    for name, share in zip(x.columns, made.feature_importances_, strict=True):
        assert shares.get(name, 0.0) == pytest.approx(share)


def test_one_changed_leaf_is_one_changed_tree() -> None:
    made = RandomForestClassifier(5, random_state=0).fit(*cancer())
    before = joblib_bytes(made)
    stream = io.BytesIO(before)
    again = joblib.load(stream)
    again.estimators_[3].tree_.value[0] += 0.25
    delta, comparison = compared(before, joblib_bytes(again))
    assert delta.changed == ["estimators_.3"]
    assert comparison.summary == "RandomForestClassifier: 1 of 5 trees changed"
    assert KIND.text("estimators_.3", read(before).get("estimators_.3")).startswith("tree of ")
    assert np.isfinite(again.estimators_[3].tree_.value).all()
