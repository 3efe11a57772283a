"""Conditions on metrics: read strictly, judged by what is known, unknown is never met."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlver.errors import UsageError
from mlver.objects.ids import BlobId, CommitId
from mlver.repo.conditions import BROKEN, MET, UNKNOWN, judge, overall, parse_condition
from mlver.repo.intervals import newcombe, wilson
from mlver.repo.metric_facts import MetricValue

NOW = datetime(2024, 4, 22, tzinfo=UTC)
COMMIT = CommitId(b"\1" * 32)
STATIC, LATER = BlobId(b"\2" * 32), BlobId(b"\3" * 32)


def value(name, number, slice="", *, n=None, dataset="val.csv", id=STATIC):
    return MetricValue(COMMIT, name, slice, number, dataset, id, n, NOW, NOW, by="ana")


def one(text, values, baseline=()):
    (verdict,) = judge(parse_condition(text), values, baseline)
    return verdict


@pytest.mark.parametrize(
    "text, number, state",
    [
        ("recall >= 0.95", 0.95, MET),
        ("recall > 0.95", 0.95, BROKEN),
        ("recall>=95%", 0.952, MET),
        ("recall < .5", 0.6, BROKEN),
        ("missed == 0", 0, MET),
        ("missed != 0", 0, BROKEN),
        ("loss <= 1e-3", 0.002, BROKEN),
        ("low-point >= -2", -1, MET),
    ],
)
def test_a_value_is_compared_with_a_number(text, number, state) -> None:
    name = parse_condition(text).name
    assert one(text, [value(name, number)]).state == state


def test_what_is_not_known_is_unknown_and_never_met() -> None:
    assert one("recall >= 0", []).why == "never measured"
    assert one("recall >= 0", [value("recall", None)]).state == UNKNOWN
    assert one("recall >= 0", [value("recall", math.nan)]).state == UNKNOWN
    assert one("recall >= 0 n >= 30", [value("recall", 1, n=8)]).why == "n = 8, wants 30"
    assert one("recall >= 0 n >= 30", [value("recall", 1)]).why == "n was not recorded"
    assert one("low(recall) >= 0", [value("recall", 1)]).state == UNKNOWN
    assert one("low(loss) >= 0", [value("loss", 3, n=10)]).state == UNKNOWN
    assert overall([]) == UNKNOWN
    assert overall(judge(parse_condition("a > 0"), [value("a", 1)])) == MET


def test_a_star_means_each_slice() -> None:
    values = [value("recall", 0.9), value("recall", 0.97, "clinic=A"), value("recall", 0.3, "clinic=C")]
    values.append(value("recall", 0.1, "age=old,clinic=C"))
    clinics = judge(parse_condition("recall{clinic=*} >= 0.95"), values)
    assert {v.slice: v.state for v in clinics} == {"clinic=A": MET, "clinic=C": BROKEN}
    assert {v.slice for v in judge(parse_condition("recall{*} >= 0.95"), values)} == {
        "clinic=A",
        "clinic=C",
        "age=old,clinic=C",
    }
    assert one("recall{ clinic = C } >= 0.95", values).slice == "clinic=C"


def test_a_dataset_narrows_it_down() -> None:
    values = [value("acc", 0.9), value("acc", 0.5, dataset="live.csv")]
    assert one("acc > 0.8 on val.csv", values).state == MET
    assert [v.state for v in judge(parse_condition("acc > 0.8"), values)] == [MET, BROKEN]
    assert one("acc > 0.8 on other.csv", values).why == "never measured on other.csv"


@pytest.mark.parametrize(
    "text, state",
    [
        ("acc >= baseline", BROKEN),
        ("acc >= baseline - 0.01", MET),
        ("acc >= baseline - 0.5%", BROKEN),
        ("acc >= baseline - 2%", MET),
        ("acc >= baseline * 0.98", MET),
        ("delta(acc) >= -0.01", MET),
        ("delta(acc) > -0.01", BROKEN),
        ("low(delta(acc)) > -0.1", MET),
        ("low(delta(acc)) > 0", BROKEN),
    ],
)
def test_a_value_is_compared_with_the_baseline(text, state) -> None:
    assert one(text, [value("acc", 0.948, n=500)], [value("acc", 0.958, n=500)]).state == state


def test_a_baseline_on_another_version_of_the_data_says_nothing() -> None:
    verdict = one("acc >= baseline", [value("acc", 0.9)], [value("acc", 0.1, id=LATER)])
    assert (verdict.state, verdict.why) == (UNKNOWN, "the baseline was measured on another version of val.csv")
    assert one("acc >= baseline", [value("acc", 0.9)]).state == UNKNOWN


def test_a_small_difference_of_two_rates_is_no_proof() -> None:
    """100 of 1,000 against 104: refused; against 150: passed."""
    before = [value("rate", 0.100, n=1000)]
    assert one("low(delta(rate)) > 0", [value("rate", 0.104, n=1000)], before).state == BROKEN
    assert one("low(delta(rate)) > 0", [value("rate", 0.150, n=1000)], before).state == MET


@pytest.mark.parametrize(
    "text",
    ["", "recall", "recall >=", "recall >= high", ">= 1", "recall{C >= 1", "low(recall >= 1", "recall) >= 1",
     "low(delta(recall) >= 1", "recall >= 1; drop", "recall >= 1 n > 3", "recall >= baseline ^ 2", "a b >= 1"],
)  # fmt: skip
def test_what_is_no_condition_is_refused_with_its_place(text) -> None:
    with pytest.raises(UsageError, match=r"mlver\.toml:3: not a condition"):
        parse_condition(text, "mlver.toml:3")


def test_intervals_agree_with_published_figures() -> None:
    # Newcombe (1998), table II: 81/263 by the score method; and his example 56/70 - 48/80 by method 10
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert newcombe(56 / 70, 70, 48 / 80, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert wilson(3 / 8, 8) == pytest.approx((0.137, 0.694), abs=1e-3)


@given(st.integers(0, 200), st.integers(1, 200))
def test_an_interval_holds_its_share_and_stays_within_bounds(hits, n) -> None:
    share = min(hits, n) / n
    low, high = wilson(share, n)
    assert 0 <= low <= share + 1e-9 and share - 1e-9 <= high <= 1


@pytest.mark.parametrize("text", ["recall >= " + "9" * 5000, "recall >= 0.9 n >= " + "9" * 5000, "x" + " " * 5000])
def test_a_condition_of_thousands_of_characters_is_refused_at_once(text: str) -> None:
    with pytest.raises(UsageError, match="not a condition"):
        parse_condition(text)
