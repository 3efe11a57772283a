"""What a value means, whether two may be compared, and how large a move is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlver.errors import Refused, UsageError
from mlver.objects.ids import BlobId, CommitId
from mlver.repo.comparable import doubt, obstacle
from mlver.repo.metric_facts import MetricValue, metric_values
from mlver.repo.metric_history import ENOUGH, spread
from mlver.repo.metric_policy import metric_policy
from mlver.repo.project import parse_project
from mlver.verbs.metric_grid import metrics_age
from mlver.verbs.metric_groups import group_metrics
from mlver.verbs.metric_list import define_metric, list_metrics
from mlver.verbs.metric_log import log_metric
from mlver.verbs.metrics import add_metrics, diff_metrics, show_metrics
from mlver.verbs.promote import promote
from tests.kit import Bench

VAL = "data/val/static.csv"
DEFINED = '[metrics.recall]\ndirection = "higher"\nunit = "share"\nformula = "recall@{}"\nowner = "cleo"\n'
WHEN = datetime(2024, 4, 1, tzinfo=UTC)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.write(VAL, "id,label\nP1,0\n")
    bench.write("mlver.toml", DEFINED.format(1))
    bench.commit("v1")
    return bench


def step(bench: Bench, name: str, value: float, **words: object) -> CommitId:
    bench.write("notes.txt", name)
    id = bench.commit(name)
    add_metrics(bench.repo, "HEAD", {"recall": value}, dataset=VAL, **words)  # type: ignore[arg-type]
    return id


def test_every_value_carries_the_definition_it_had(bench: Bench) -> None:
    (value,) = add_metrics(bench.repo, "HEAD", {"recall": 0.9}, dataset=VAL).values
    assert value.definition == metric_policy(bench.repo.project()).definition("recall", "")
    (plain,) = add_metrics(bench.repo, "HEAD", {"shift": 0.9}).values
    assert plain.definition is None
    bench.write("mlver.toml", DEFINED.format(2))
    (later,) = add_metrics(bench.repo, "HEAD", {"recall": 0.9}, dataset=VAL).values
    assert later.definition not in (None, value.definition)


def test_only_what_changes_the_meaning_changes_the_id() -> None:
    def id(text: str, slice: str = "young") -> object:
        return metric_policy(parse_project(text.encode())).definition("recall", slice)

    base = '[metrics.recall]\nformula = "f@1"\n[slices.young]\nwhere = "age < 30"\n'
    assert id(base) == id(base.replace("age < 30", " age  <  30 ")) == id(base + 'owner = "ana"\n')
    assert id(base) == id(base.replace('formula = "f@1"', 'formula = "f@1"\ndirection = "lower"\nproduct = true'))
    others = [base.replace("f@1", "f@2"), base.replace("30", "40"), base.replace("[slices", 'unit = "%"\n[slices')]
    others.append(base.replace("[slices", 'window = "7d"\n[slices'))
    assert len({id(base), *map(id, others)}) == 5
    assert id(base, "") != id(base) and id(base, "clinic=C") == id(base, "")
    assert id("[metrics.recall]\n", "") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[metrics.recall]\nformular = "x"\n', r"mlver\.toml:1: metrics\.recall: unknown entry 'formular'"),
        ("\n[metrics.recall]\nunit = 3\n", r"mlver\.toml:2: metrics\.recall\.unit"),
        ("[metrics.recall]\nproduct = 1\n", r"mlver\.toml:1: metrics\.recall\.product"),
        ('[slices.young]\nowner = "ana"\n', r"mlver\.toml:1: slices\.young\.where"),
    ],
)
def test_a_malformed_definition_is_named_and_nothing_recorded(bench: Bench, text: str, words: str) -> None:
    bench.write("mlver.toml", text)
    before = bench.repo.state.id
    with pytest.raises(UsageError, match=words):
        add_metrics(bench.repo, "HEAD", {"recall": 0.9})
    assert bench.repo.refresh() and bench.repo.state.id == before


def test_values_of_two_definitions_are_not_subtracted_and_who_changed_it_is_said(bench: Bench) -> None:
    step(bench, "one", 0.9)
    bench.write("mlver.toml", DEFINED.format(2))
    changed = bench.commit("new recall", by="ben")
    step(bench, "two", 0.7)
    (delta,) = diff_metrics(bench.repo, "HEAD~2", "HEAD").metrics
    assert (delta.verdict, delta.delta) == ("incomparable", None)
    assert delta.note is not None and delta.note.startswith(
        f"not comparable: recall was redefined: formula recall@1 → recall@2 ({changed.short} by ben, 2024-04-01)"
    )


def test_engineers_on_different_validation_data_are_named(bench: Bench) -> None:
    bench.repo.actor = "ben"
    step(bench, "one", 0.9)
    bench.write(VAL, "id,label\nP1,1\n")
    bench.repo.actor = "cleo"
    step(bench, "two", 0.95)
    result = diff_metrics(bench.repo, "HEAD~1", "HEAD")
    assert result.incomparable
    assert result.metrics[0].note == (
        f"not comparable: {VAL} differs (v1 vs v2); ben measured on v1, cleo on v2"
    )  # fmt: skip
    groups = group_metrics(bench.repo, ["author", "dataset"])
    assert [(group.by, group.values) for group in groups.groups] == [
        ({"author": "cleo", "dataset": f"{VAL} v2"}, 1),
        ({"author": "ben", "dataset": f"{VAL} v1"}, 1),
    ]
    assert groups.differ == (f"{VAL}: ben v1, cleo v2",)
    add_metrics(bench.repo, "HEAD", {"recall": 0.9}, dataset=VAL)
    bench.repo.actor = "ben"
    add_metrics(bench.repo, "HEAD", {"recall": 0.91}, dataset=VAL)
    assert group_metrics(bench.repo, ["author", "dataset"]).differ == ()
    assert [g.by for g in group_metrics(bench.repo, ["commit"], rev="HEAD").groups] == [
        {"commit": bench.repo.resolve("HEAD").short}
    ]
    with pytest.raises(UsageError, match="cannot group by 'clinic'"):
        group_metrics(bench.repo, ["clinic"])


def test_an_estimate_is_never_ranked_against_what_was_measured(bench: Bench) -> None:
    step(bench, "one", 0.9)
    step(bench, "two", 0.7, estimate=True)
    (delta,) = diff_metrics(bench.repo, "HEAD~1", "HEAD").metrics
    assert (delta.verdict, delta.delta) == ("incomparable", None)
    assert "new is an estimate" in str(delta.note)
    assert metric_values(bench.repo, bench.repo.resolve("HEAD")) == [], "nobody takes it for measured by accident"
    assert [value.estimate for value in show_metrics(bench.repo).values] == [True]


def test_windows_are_kept_apart_and_never_mixed(bench: Bench) -> None:
    step(bench, "one", 0.9, window="7d")
    step(bench, "two", 0.7, window="30d")
    (delta,) = diff_metrics(bench.repo, "HEAD~1", "HEAD").metrics
    assert delta.note == "not comparable: the window differs (7d vs 30d)"
    add_metrics(bench.repo, "HEAD", {"recall": 0.8}, dataset=VAL, window="7d")
    found = {(m.old, m.new): m.verdict for m in diff_metrics(bench.repo, "HEAD~1", "HEAD").metrics}
    assert found == {(0.9, 0.8): "worse", (None, 0.7): "new"}


def test_of_many_metrics_the_ones_that_truly_moved_come_first(bench: Bench) -> None:
    widths = {f"score_{i:03}": 0.001 * (i + 1) for i in range(60)}  # each wobbles in its own width
    shifted = {"score_001", "score_002", "score_003"}  # by less than the wildest wobbles anyway
    for round in range(6):
        noise = {name: 0.5 + width * ((-1) ** round) * (round % 3) for name, width in widths.items()}
        bench.write("notes.txt", str(round))
        bench.commit(f"run {round}")
        add_metrics(bench.repo, "HEAD", noise)
    bench.write("notes.txt", "shifted")
    bench.commit("shifted")
    moved = {name: noise[name] - width * (12 if name in shifted else 1) for name, width in widths.items()}
    add_metrics(bench.repo, "HEAD", moved)
    bench.write("mlver.toml", "".join(f'[metrics.{name}]\ndirection = "higher"\n' for name in widths))
    result = diff_metrics(bench.repo, "HEAD~1", "HEAD", top=3)
    assert {metric.name for metric in result.metrics} == shifted
    assert result.left > 50 and all(metric.usual and metric.usual > 4 for metric in result.metrics)


def test_without_a_past_the_relative_size_decides(bench: Bench) -> None:
    add_metrics(bench.repo, "HEAD", {"loss": 100.0, "err": 0.1})
    bench.write("notes.txt", "two")
    bench.commit("two")
    add_metrics(bench.repo, "HEAD", {"loss": 110.0, "err": 0.2})
    assert [(m.name, m.usual) for m in diff_metrics(bench.repo, "HEAD~1", "HEAD").metrics] == [
        ("err", None), ("loss", None),
    ]  # fmt: skip


@given(st.lists(st.floats(-1e6, 1e6), min_size=ENOUGH, max_size=12), st.floats(-1e3, 1e3))
def test_a_spread_does_not_depend_on_order_nor_on_one_wild_value(values: list[float], wild: float) -> None:
    found = spread(values)
    assert found is None or found > 0
    assert spread(values[::-1]) == found
    assert spread(values[: ENOUGH - 1]) is None
    steady = spread([0.95, 0.96, 0.95, 0.94, 0.96, 0.95, 0.95 + wild])
    assert steady is not None and steady < 0.05


def value(**words: object) -> MetricValue:
    commit = CommitId.of(b"c")
    base = MetricValue(commit, "recall", "", 0.9, "v.csv", BlobId.of(b"1"), 10, WHEN, WHEN, "ana")
    return replace(base, **words)  # type: ignore[arg-type]


def test_what_one_side_does_not_say_is_a_doubt_and_no_obstacle() -> None:
    definition = metric_policy(parse_project(b'[metrics.recall]\nformula = "f"\n')).definition("recall", "")
    assert obstacle(value(), value(dataset_id=None)) is None
    assert obstacle(value(), value(definition=definition)) is None
    assert "before it was defined" in str(doubt(value(), value(definition=definition)))
    assert obstacle(value(), value(dataset_id=BlobId.of(b"2"))) == (
        f"v.csv differs ({BlobId.of(b'1').short} vs {BlobId.of(b'2').short})"
    )
    assert obstacle(value(), value(value=0.1)) is None and doubt(value(), value()) is None


def test_definitions_owners_and_counts_are_listed(bench: Bench) -> None:
    more = "[metrics.missed]\nproduct = true\n[slices.young]\nwhere = 'age < 30'\n"
    bench.write("mlver.toml", DEFINED.format(1) + more)
    step(bench, "one", 0.9)
    add_metrics(bench.repo, "HEAD", {"recall{young}": 0.5, "shift": 1})
    result = list_metrics(bench.repo)
    assert [(m.name, m.values, m.direction) for m in result.metrics] == [
        ("missed", 0, "lower"), ("recall", 2, "higher"), ("shift", 1, None),
    ]  # fmt: skip
    recall = result.metrics[1]
    assert recall.definition is not None and recall.definition.owner == "cleo"
    assert (recall.last, recall.slices) == (0.5, ("", "young"))
    assert [s.predicate for s in result.slices] == ["age < 30"]


def test_a_definition_is_written_once_and_reads_back(bench: Bench) -> None:
    before = (bench.root / "mlver.toml").read_text()
    odd = 'a "quoted"\\ formula\twith\nlines \x7f'
    made = define_metric(bench.repo, "f 1", direction="higher", formula=odd, owner="Ana <a@b.example>", product=True)
    assert made.formula == " ".join(odd.split()) and made.product
    assert (bench.root / "mlver.toml").read_text().startswith(before)
    for wrong in ({"name": "recall"}, {"name": "r{a=1}"}, {"name": "x", "direction": "up"}):
        text = (bench.root / "mlver.toml").read_text()
        with pytest.raises((UsageError, Refused)):
            define_metric(bench.repo, **wrong)  # type: ignore[arg-type]
        assert (bench.root / "mlver.toml").read_text() == text


def test_the_log_tells_how_late_labels_were(bench: Bench) -> None:
    promote(bench.repo, "prod")
    since = bench.repo.state.operation.time
    add_metrics(bench.repo, "HEAD", {"recall": 0.9})
    for days, share in ((14, 0.0), (16, 0.2), (21, 0.375)):
        moment = since.replace(day=1 + days)
        bench.clock.moment = moment
        add_metrics(bench.repo, "HEAD", {"recall{clinic=C}": share}, as_of=moment, n=days)
    result = log_metric(bench.repo, "recall{clinic=C}")
    assert [round(item.delay / 86_400) for item in result.values if item.delay] == [21, 16, 14]
    assert all(item.live and item.served == since for item in result.values)
    assert result.median_delay == pytest.approx(16 * 86_400)
    assert [item.value.slice for item in log_metric(bench.repo, "recall", limit=2).values] == ["clinic=C"] * 2
    assert log_metric(bench.repo, "recall", limit=2).more
    assert [i.value.value for i in log_metric(bench.repo, "recall", as_of=since.replace(day=16)).values] == [0.0, 0.9]
    assert log_metric(bench.repo, "nothing").values == ()


def test_age_is_counted_from_the_model_to_the_data(bench: Bench) -> None:
    bench.write("models/m.joblib", b"one")
    model = bench.commit("model")
    bench.clock.moment = bench.clock.moment.replace(day=22)
    bench.write("data/live.csv", "id\n1\n")
    bench.commit("live data")
    add_metrics(bench.repo, str(model), {"recall": 0.8}, dataset="data/live.csv")
    rows = metrics_age(bench.repo, "recall", on=["data/live.csv"], revs=[str(model)]).rows
    assert [(round(row.days), row.cell.value, row.version) for row in rows] == [(21, 0.8, "v1")]
