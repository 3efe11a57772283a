"""Metric values on the fact log: late, sliced, pinned to data, and never mixed up with what was known when."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlver.errors import UnknownRevision, UsageError
from mlver.repo.facts import FactLog
from mlver.repo.metric_facts import MetricName, metric_values, slice_name
from mlver.repo.metric_files import named_values
from mlver.repo.subjects import get_number, put_number
from mlver.verbs.branch import switch
from mlver.verbs.metrics import add_metrics, diff_metrics, show_metrics
from mlver.verbs.undo import undo
from tests.kit import Bench


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.write("data/val/static.csv", "id,label\nP1,0\nP2,1\n")
    bench.write("config/pipeline.json", {"impute": "median"})
    bench.commit("v1")
    return bench


def values(bench: Bench, **question: object) -> dict[str, object]:
    shown = show_metrics(bench.repo, "HEAD", **question)  # type: ignore[arg-type]
    return {f"{v.name}{{{v.slice}}}": v.value for v in shown.values}


def test_values_of_slices_and_sample_sizes_are_recorded_and_the_commit_stays(bench: Bench) -> None:
    head = bench.repo.view.head
    given = {"accuracy": 0.958, "recall{clinic=C}": 1, "clinic=A": {"recall": 0.9, "n": 40}, "*": {"flag_rate": 0.3}}
    added = add_metrics(bench.repo, "HEAD", given, dataset="data/val/static.csv", n=120)
    sizes = {(v.name, v.slice): (v.value, v.n) for v in added.values}
    assert sizes == {
        ("accuracy", ""): (0.958, 120),
        ("recall", "clinic=C"): (1, 120),
        ("recall", "clinic=A"): (0.9, 40),
        ("flag_rate", ""): (0.3, 120),
    }
    assert {v.dataset_id for v in added.values} == {bench.repo.head_snapshot()["data/val/static.csv"].id}
    assert bench.reopen().view.head == head
    assert [v.fact for v in show_metrics(bench.repo).values] == [
        v.fact for v in sorted(added.values, key=lambda v: (v.name, v.slice))
    ]


def test_the_value_on_the_newest_labels_counts_whenever_it_was_recorded(bench: Bench) -> None:
    for labels, value in (("2024-05-06", 0.0), ("2024-05-13", 0.375), ("2024-05-08", 0.2)):
        add_metrics(bench.repo, "HEAD", {"recall": value}, as_of=at(labels), slice="clinic=C")
    assert values(bench) == {"recall{clinic=C}": 0.375}
    history = show_metrics(bench.repo, history=True)
    assert [v.value for v in history.values] == [0.0, 0.2, 0.375]
    assert history.history


def test_as_of_answers_with_what_was_known_then_and_unknown_is_said(bench: Bench) -> None:
    bench.clock.moment = at("2024-05-06")
    add_metrics(bench.repo, "HEAD", {"recall": 0.0}, slice="clinic=C", n=3)
    bench.clock.moment = at("2024-05-13")
    add_metrics(bench.repo, "HEAD", {"recall": 0.375}, slice="clinic=C", n=8)
    name = "recall{clinic=C}"
    assert values(bench, as_of=at("2024-04-22"), names=[name]) == {name: None}
    assert values(bench, as_of=at("2024-05-07"), names=[name]) == {name: 0.0}
    assert values(bench, names=["recall"]) == {name: 0.375}
    # a value recorded late about early labels was not known early
    add_metrics(bench.repo, "HEAD", {"recall": 0.1}, slice="clinic=A", as_of=at("2024-04-30"))
    assert values(bench, as_of=at("2024-05-07")) == {name: 0.0}


def test_a_dataset_is_pinned_as_it_lies_here_or_as_a_revision_has_it(bench: Bench) -> None:
    old = bench.repo.head_snapshot()["data/val/static.csv"].id
    bench.write("data/val/static.csv", "id,label\nP1,0\nP2,1\nP3,1\n")
    (here,) = add_metrics(bench.repo, "HEAD", {"recall": 0.8}, dataset="data/val/static.csv").values
    (there,) = add_metrics(bench.repo, "HEAD", {"recall": 0.9}, dataset="data/val/static.csv@HEAD").values
    assert (there.dataset, there.dataset_id) == ("data/val/static.csv", old)
    assert here.dataset_id not in (None, old)
    with pytest.raises(UnknownRevision, match=r"data/val/nothing\.csv"):
        add_metrics(bench.repo, "HEAD", {"recall": 1}, dataset="data/val/nothing.csv")


def test_two_commits_are_compared_worst_first_and_doubts_are_said(bench: Bench) -> None:
    old = bench.repo.resolve("HEAD")
    add_metrics(bench.repo, "HEAD", {"recall": 0.969, "missed": 1, "accuracy": 0.86}, dataset="data/val/static.csv")
    add_metrics(bench.repo, "HEAD", {"shift": 0.1, "unneeded": 10, "precision": 0.5})
    bench.write("data/val/static.csv", "id,label\nP1,0\nP2,1\nP3,1\n")
    bench.commit("v2")
    add_metrics(bench.repo, "HEAD", {"recall": 0.719, "missed": 9, "accuracy": 0.86}, dataset="data/val/static.csv")
    add_metrics(bench.repo, "HEAD", {"shift": 0.2, "unneeded": 0, "precision": None, "f1": 0.4})
    found = diff_metrics(bench.repo, str(old), "HEAD")
    assert [(d.name, d.verdict) for d in found.metrics] == [
        ("precision", "unknown"),
        ("accuracy", "incomparable"),
        ("missed", "incomparable"),
        ("recall", "incomparable"),
        ("shift", "changed"),
        ("f1", "new"),
        ("unneeded", "better"),
    ]
    assert {d.delta for d in found.metrics[1:4]} == {None}, "no difference of what was measured on other data"
    assert found.metrics[3].note == "not comparable: data/val/static.csv differs (v1 vs v2)"
    assert found.metrics[4].note is None
    back = {d.name: d.verdict for d in diff_metrics(bench.repo, "HEAD", str(old)).metrics}
    assert back["f1"] == "unknown"


def test_mlver_toml_says_which_way_is_better(bench: Bench) -> None:
    add_metrics(bench.repo, "HEAD", {"shift": 0.1})
    bench.write("mlver.toml", '[metrics.shift]\ndirection = "lower"\n')
    bench.commit("v2")
    add_metrics(bench.repo, "HEAD", {"shift": 0.2})
    assert [d.verdict for d in diff_metrics(bench.repo, "HEAD~1", "HEAD").metrics] == ["worse"]


def test_facts_survive_branches_and_undo_takes_one_back(bench: Bench) -> None:
    add_metrics(bench.repo, "HEAD", {"recall": 0.9})
    bench.write("config/pipeline.json", {"impute": "-1"})
    bench.commit("v2")
    switch(bench.repo, "exp", create=True)
    add_metrics(bench.repo, "main~1", {"recall": 0.8}, slice="clinic=C")
    switch(bench.repo, "main")
    assert len(show_metrics(bench.repo, "main~1").values) == 2
    add_metrics(bench.repo, "main~1", {"precision": 0.1})
    undo(bench.repo)
    assert [v.name for v in show_metrics(bench.reopen(), "main~1").values] == ["recall", "recall"]


def test_the_same_value_twice_is_one_fact(bench: Bench) -> None:
    moment = bench.clock.moment
    bench.repo.now = lambda: moment
    first = add_metrics(bench.repo, "HEAD", {"recall": 0.9}).values
    operation = bench.repo.state.id
    assert add_metrics(bench.repo, "HEAD", {"recall": 0.9}).values == first
    assert bench.repo.state.id == operation


def test_metrics_files_of_a_commit_are_read_too(bench: Bench) -> None:
    measured = {"recall": 0.9, "n": 120, "clinic=C": {"recall": 0.375, "n": 26, "note": "few"}, "by_clinic": {}}
    bench.write("metrics/static.json", measured)
    bench.write("metrics/broken.json", "{not json")
    bench.commit("v2")
    shown = show_metrics(bench.repo).values
    assert [(v.name, v.slice, v.value, v.n, v.path) for v in shown] == [
        ("recall", "", 0.9, 120, "metrics/static.json"),
        ("recall", "clinic=C", 0.375, 26, "metrics/static.json"),
    ]
    assert metric_values(bench.repo, bench.repo.resolve("HEAD")) == []
    bench.write("metrics/static.json", {"precision": 0.5})
    bench.commit("v3")
    deltas = diff_metrics(bench.repo, "HEAD~1", "HEAD").metrics
    assert [(d.name, d.slice, d.verdict) for d in deltas] == [
        ("recall", "", "gone"), ("recall", "clinic=C", "gone"), ("precision", "", "new"),
    ]  # fmt: skip
    assert diff_metrics(bench.repo, "HEAD~1", "HEAD", files=False).metrics == ()


def test_files_may_nest_slices_around_names_or_behind_them() -> None:
    around = named_values({"all.recall": 0.9, "all.n": 8, "clinic=C.recall": 0.4})
    behind = named_values({"recall.all": 0.9, "recall.clinic=C": 0.4, "accuracy": 1})
    assert around == [("recall", "", 0.9, 8), ("recall", "clinic=C", 0.4, None)]
    assert behind == [("recall", "", 0.9, None), ("recall", "clinic=C", 0.4, None), ("accuracy", "", 1, None)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"recall": "high"}, "recall"),
        ({"recall": True}, "recall"),
        ({"recall": [1]}, "recall"),
        ({"recall{clinic=C": 1}, "metric name"),
        ({"": 1}, "metric name"),
        ({"C": {"recall": {"deep": 1}}}, "nested"),
        ({"C": {"recall": 1, "n": 0.5}}, "sample size"),
        ({"recall{clinic=C}": 1, "clinic=C": {"recall": 2}}, "twice"),
        ({}, "no metric"),
    ],
)
def test_what_is_no_metric_is_refused_by_name_and_records_nothing(bench: Bench, given: dict, words: str) -> None:
    before = bench.repo.state.id
    with pytest.raises(UsageError, match=words):
        add_metrics(bench.repo, "HEAD", given)
    assert bench.reopen().state.id == before


@given(st.one_of(st.none(), st.integers(), st.floats(allow_nan=True, allow_infinity=True)))
def test_every_number_comes_back_from_a_fact(value: float | None) -> None:
    plain = put_number(value, "x")
    back = get_number(plain)
    assert back == value or (back is not None and math.isnan(back) and math.isnan(value))  # type: ignore[arg-type]
    assert plain is None or not isinstance(plain, float) or math.isfinite(plain)


def test_nan_and_numpy_numbers_survive_the_log(bench: Bench) -> None:
    given = {"a": float("nan"), "b": float("-inf"), "c": None, "d": np.float32(0.5), "e": np.int64(7)}
    add_metrics(bench.repo, "HEAD", given)
    log = FactLog(bench.reopen().store, bench.repo.view.facts)
    assert len(list(log.of())) == 5
    found = values(bench)
    assert math.isnan(found.pop("a{}"))  # type: ignore[arg-type]
    assert found == {"b{}": float("-inf"), "c{}": None, "d{}": 0.5, "e{}": 7}


def test_slices_have_one_spelling() -> None:
    assert slice_name(" b = 2, a=1 ,") == "a=1,b=2"
    assert [slice_name(text) for text in ("", "*", "all")] == ["", "", ""]
    assert MetricName.parse("recall{b=2, a=1}") == MetricName("recall", "a=1,b=2")
    assert MetricName.parse("recall").covers("recall", "a=1")
    assert not MetricName.parse("recall{*}").covers("recall", "a=1")


def test_a_value_of_a_file_stands_beside_the_one_recorded_with_its_dataset(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write("val.csv", "id,y\n1,0\n")
    bench.write("live.csv", "id,y\n2,0\n")
    bench.write("metrics/static.json", {"accuracy": 0.9, "clinic=C": {"recall": 1.0}})
    bench.commit("v1")
    bench.write("metrics/static.json", {"accuracy": 0.8, "clinic=C": {"recall": 0.9}})
    bench.commit("v2")
    add_metrics(bench.repo, "HEAD", {"accuracy": 0.8, "recall{clinic=C}": 0.9}, dataset="val.csv")
    add_metrics(bench.repo, "HEAD", {"recall{clinic=C}": 0.375}, dataset="live.csv")
    found = {(m.name, m.dataset): (m.old, m.new, m.verdict) for m in diff_metrics(bench.repo, "HEAD~1", "HEAD").metrics}
    assert found == {
        ("accuracy", "val.csv"): (0.9, 0.8, "worse"),
        ("recall", "val.csv"): (1.0, 0.9, "worse"),
        ("recall", "live.csv"): (None, 0.375, "new"),
    }
    back = {(m.name, m.dataset): (m.old, m.new) for m in diff_metrics(bench.repo, "HEAD", "HEAD~1").metrics}
    assert back["accuracy", "val.csv"] == (0.8, 0.9) and back["recall", "live.csv"] == (0.375, None)
    assert "metrics/static.json does not say" in str(diff_metrics(bench.repo, "HEAD~1", "HEAD").metrics[0].note)
