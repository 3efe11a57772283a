"""Data of training beside data that judges: rows in both, columns that tell the label, rows from the future."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlver.errors import UsageError
from mlver.repo.leakage_facts import leakages
from mlver.verbs.rules_leakage import Leak, find_leakage
from tests.kit import Bench

TRAIN, VAL = "data/train.csv", "data/val.csv"
HEAD = "id,clinic,a,b,c,label"


def row(number: int, name: str | None = None) -> str:
    return f"{name or f'P{number}'},{'ABC'[number % 3]},{number * 1.5},{number * number},{number % 7},{number % 2}"


def table(*rows: str, head: str = HEAD) -> str:
    return "\n".join([head, *rows]) + "\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "clinic")
    bench.write(TRAIN, table(*map(row, range(100))))
    bench.write(VAL, table(*map(row, range(100, 140))))
    bench.commit("v1")
    return bench


def leaks(bench: Bench, **options: Any) -> dict[str, Leak]:
    return {leak.sort: leak for leak in find_leakage(bench.repo, TRAIN, VAL, **options).leaks}


def test_data_that_share_nothing_leak_nothing_and_what_was_not_looked_for_is_said(bench: Bench) -> None:
    result = find_leakage(bench.repo, TRAIN, VAL)
    assert (result.leaks, result.label, result.train_rows, result.rows) == ((), "label", 100, 40)
    assert result.unchecked == ("order in time: no column is one of times (--time)",)


def test_seven_planted_rows_are_found_by_name_and_by_what_they_say(bench: Bench) -> None:
    bench.write(VAL, table(*map(row, range(93, 140))))
    found = leaks(bench, limit=3)
    assert (found["key"].count, found["key"].of, found["key"].keys) == (7, 47, ("P93", "P94", "P95"))
    assert found["rows"].count == 7


def test_rows_under_another_name_are_found_whatever_their_label_and_spelling(bench: Bench) -> None:
    twin = row(4, "Q1").replace("6.0,", "6.00,").removesuffix("0") + "1"
    bench.write(VAL, table(*map(row, range(100, 140)), twin))
    found = leaks(bench)
    assert set(found) == {"rows"} and found["rows"].keys == ("Q1",)


def test_a_copy_of_the_label_is_found_under_any_spelling_of_its_values(bench: Bench) -> None:
    spelled = [f"{row(n)},{('benign', 'malignant')[n % 2]},{n // 2}" for n in range(100)]
    bench.write(TRAIN, table(*spelled, head=HEAD + ",diagnosis,visit"))
    (leak,) = find_leakage(bench.repo, TRAIN, VAL).leaks
    assert (leak.sort, leak.column, leak.text) == ("label", "diagnosis", "diagnosis tells label")


def test_of_a_label_of_many_values_only_its_equal_is_a_copy(bench: Bench) -> None:
    bench.write(TRAIN, table(*(f"{row(n)},{n * 3},{n * 3}.0" for n in range(100)), head=HEAD + ",price,cost"))
    found = find_leakage(bench.repo, TRAIN, VAL, label="price").leaks
    assert [leak.column for leak in found] == ["cost"]


def test_rows_of_training_from_the_time_of_judging_are_found(bench: Bench) -> None:
    bench.write(TRAIN, table(*(f"{row(n)},2024-04-{n // 5 + 1:02}" for n in range(100)), head=HEAD + ",day"))
    bench.write(VAL, table(*(f"{row(n)},2024-04-20" for n in range(100, 140)), head=HEAD + ",day"))
    result = find_leakage(bench.repo, TRAIN, VAL)
    (leak,) = result.leaks
    assert (leak.sort, leak.count, leak.keys) == ("later", 5, ("P95", "P96", "P97", "P98", "P99"))
    assert result.time == "day" and "2024-04-20" in leak.text


def test_the_answer_is_kept_for_both_contents(bench: Bench) -> None:
    bench.write(VAL, table(*map(row, range(99, 140))))
    result = find_leakage(bench.repo, f"{TRAIN}@HEAD", VAL)
    (kept,) = leakages(bench.repo)
    assert (kept.train_id, kept.data_id) == (result.train_id, result.data_id)
    assert (kept.found, kept.label, kept.rows) == ({"key": 1, "rows": 1}, "label", 41)
    find_leakage(bench.repo, TRAIN, VAL, record=False)
    assert len(list(leakages(bench.repo))) == 1


def test_tables_named_otherwise_are_compared_by_content_alone(bench: Bench) -> None:
    bench.write(VAL, table(*(row(n, f"{n}") for n in range(95, 140)), head=HEAD.replace("id", "nr", 1)))
    result = find_leakage(bench.repo, TRAIN, VAL)
    assert [(leak.sort, leak.count) for leak in result.leaks] == [("rows", 5)]
    assert result.unchecked[0].startswith("rows by name: ")


def test_what_cannot_be_compared_is_said_in_words(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"data/train.csv has no column ill"):
        find_leakage(bench.repo, TRAIN, VAL, label="ill")
    with pytest.raises(UsageError, match=r"data/train.csv has no column when"):
        find_leakage(bench.repo, TRAIN, VAL, time="when")
    bench.write("data/x.csv", b"\xff\xfe\x00broken")
    with pytest.raises(UsageError, match=r"data/x.csv is no table of rows"):
        find_leakage(bench.repo, TRAIN, "data/x.csv")
    bench.write(VAL, table("P1,x", head="id,clinic"))
    result = find_leakage(bench.repo, TRAIN, VAL, time="clinic")
    assert [leak.sort for leak in result.leaks] == ["key"]
    assert [text.split(":")[0] for text in result.unchecked] == ["rows by content"]
