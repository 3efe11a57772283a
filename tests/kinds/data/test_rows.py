"""Rows that came, went and changed: against a plain comparison of dicts, and where it is easy to be wrong."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlver.kinds.base import MISSING, Units, Unreadable, same
from mlver.kinds.tables.align import align
from mlver.kinds.tables.units import TableUnits
from tests.kinds.data.tables import KIND, change, changed_cells, csv, nothing, parquet, read

FLOATS = st.one_of(st.none(), st.sampled_from([0.0, -0.0, 1.0, 1.5, math.nan, math.inf, 1e300]), st.floats())
TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "é", "日本", "a|b", "x" * 70]), st.text(max_size=12))
INTEGERS = st.one_of(st.none(), st.integers(-3, 3))
KEYS = st.one_of(st.integers(-5, 20), st.integers(-(2**62), 2**62))
SCHEMA = pa.schema([("id", pa.int64()), ("x", pa.float64()), ("s", pa.string()), ("n", pa.int64()), ("b", pa.bool_())])


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    ids = draw(st.lists(KEYS, unique=True, max_size=12))
    booleans = st.one_of(st.none(), st.booleans())
    return [{"id": i, "x": draw(FLOATS), "s": draw(TEXTS), "n": draw(INTEGERS), "b": draw(booleans)} for i in ids]


def table(values: list[dict[str, Any]]) -> pa.Table:
    columns = [pa.array([row[f.name] for row in values], f.type, from_pandas=False) for f in SCHEMA]
    return pa.table(columns, schema=SCHEMA)


@settings(max_examples=150)
@given(rows(), rows(), st.integers(0, 5), st.randoms(use_true_random=False))
def test_a_keyed_delta_is_the_difference_of_two_dicts(
    old: list[dict[str, Any]], new: list[dict[str, Any]], kept: int, pick: random.Random
) -> None:
    new = [row for row in new if row["id"] not in {r["id"] for r in old[:kept]}] + old[:kept]
    pick.shuffle(new)
    a, b = TableUnits(table(old), ("id",)), TableUnits(table(new), ("id",))
    delta = a.delta(b)
    before, after = ({str(row["id"]): row for row in side} for side in (old, new))
    assert list(delta.added) == [key for key in after if key not in before]
    assert list(delta.removed) == [key for key in before if key not in after]
    assert list(delta.changed) == [k for k in after if k in before and not same(before[k], after[k])]
    cells = Counter(
        name for key in delta.changed for name in SCHEMA.names if not same(before[key][name], after[key][name])
    )
    assert changed_cells(delta) == dict(cells)
    for key in (*delta.changed, *delta.added):
        assert same(b.get(key), after[key])
    for key in delta.changed:
        assert same(a.get(key), before[key])
    assert list(b.keys()) == [f"columns.{name}" for name in SCHEMA.names] + list(after)


@settings(max_examples=100)
@given(st.lists(st.tuples(TEXTS, st.sampled_from([0.0, 1.0, math.nan])), max_size=10), st.data())
def test_without_a_key_rows_are_counted(old: list[tuple[Any, Any]], data: st.DataObject) -> None:
    new = data.draw(st.lists(st.sampled_from([*old, ("new", 1.0), (None, 0.0)]), max_size=12))

    def units(values: list[tuple[Any, Any]]) -> TableUnits:
        texts, floats = [v[0] for v in values], [v[1] for v in values]
        return TableUnits(
            pa.table({"x": pa.array(floats, pa.float64(), from_pandas=False), "s": pa.array(texts, pa.string())})
        )

    a, b = units(old), units(new)
    delta = a.delta(b)
    counts = Counter(map(repr, new)), Counter(map(repr, old))
    assert not delta.changed
    assert len(delta.added) == (counts[0] - counts[1]).total()
    assert len(delta.removed) == (counts[1] - counts[0]).total()
    assert Counter(repr((b.get(k)["s"], b.get(k)["x"])) for k in delta.added) == counts[0] - counts[1]
    assert Counter(repr((a.get(k)["s"], a.get(k)["x"])) for k in delta.removed) == counts[1] - counts[0]
    assert len(set(b.keys())) == len(b)
    by_map = Units({k: a.get(k) for k in a.keys()}).delta(Units({k: b.get(k) for k in b.keys()}))  # noqa: SIM118
    assert set(by_map.added) == set(delta.added) and set(by_map.removed) == set(delta.removed)


@given(st.lists(st.integers(0, 9), unique=True), st.lists(st.integers(0, 9), unique=True))
def test_rows_align_even_when_names_share_64_bits(old: list[int], new: list[int]) -> None:
    def lanes(values: list[int]) -> np.ndarray:
        return np.array([[v // 4 for v in values], values], dtype=np.uint64).reshape(2, -1)

    found = align(lanes(old), lanes(new))
    assert [(old[i], new[j]) for i, j in zip(found.old, found.new, strict=True)] == [(v, v) for v in new if v in old]
    assert [old[i] for i in found.removed] == [v for v in old if v not in new]
    assert [new[i] for i in found.added] == [v for v in new if v not in old]


@pytest.mark.parametrize(
    "trap", [(math.nan, None), (None, math.nan), (0.0, None), (math.nan, 0.0), (1.0, 1.0000000001)]
)
def test_nan_null_and_zero_are_different_cells(trap: tuple[Any, Any]) -> None:
    old, new = (pa.table({"id": [1], "x": pa.array([x], pa.float64(), from_pandas=False)}) for x in trap)
    delta, _ = change(read("t.parquet", parquet(old)), read("t.parquet", parquet(new)))
    assert list(delta.changed) == ["1"] and changed_cells(delta) == {"x": 1}


def test_the_spelling_of_numbers_is_nothing() -> None:
    old = read("t.csv", "id,x,y\n1,1.50,1000\n2,0.1,-0.0\n3,0.30000000000000004,7\n")
    new = read("t.csv", "id,x,y\n3,3.0000000000000004e-1,7.0\n1,1.5,1e3\n2,0.1000,0\n")
    delta, comparison = change(old, new)
    assert nothing(delta) and comparison.same_meaning and "written differently" in comparison.summary


def test_a_column_that_turns_to_float_changes_its_type_and_only_the_cells_that_moved() -> None:
    old = pa.table({"id": ["a", "b", "c"], "n": [1, 2, 3]})
    new = pa.table({"id": ["a", "b", "c"], "n": pa.array([1.0, None, 3.0])})
    delta, comparison = change(read("t.parquet", parquet(old)), read("t.parquet", parquet(new)))
    assert list(delta.changed) == ["columns.n", "b"]
    assert comparison.summary == "1 cell changed in n (1 row), n int64 -> float64"
    schema = next(detail for detail in comparison.details if detail.title == "schema")
    assert schema.rows == (("n", "type", "int64", "float64"),)


def test_one_bad_cell_does_not_change_a_column_of_numbers() -> None:
    old = [{"id": f"k{n}", "v": n, "w": n / 4, "on": "true", "day": "2024-01-02"} for n in range(20)]
    new = [dict(row) for row in old]
    new[3] |= {"v": "n/k", "w": "none", "on": "maybe", "day": "someday"}
    a, b = read("t.csv", csv(old)), read("t.csv", csv(new))
    delta, comparison = change(a, b)
    assert [key for key in delta.changed if not key.startswith("columns.")] == ["k3"]
    assert changed_cells(delta) == {"v": 1, "w": 1, "on": 1, "day": 1}
    assert comparison.counts["cells_changed"] == 4
    back, _ = change(b, a)
    assert changed_cells(back) == changed_cells(delta)


def test_short_floats_and_their_text_are_the_same_numbers() -> None:
    short = pa.table({"id": ["a", "b", "c"], "x": pa.array([0.1, 2.0, None], pa.float32())})
    delta, _ = change(read("t.parquet", parquet(short)), read("t.csv", "id,x\na,0.1\nb,2\nc,7\n"))
    assert list(delta.changed) == ["columns.x", "c"]


def test_keys_that_turn_to_text_still_match() -> None:
    old, new = read("t.csv", "id,x\n1,1\n2,2\n", ("id",)), read("t.csv", "id,x\n1,1\n2,5\nN3,3\n", ("id",))
    delta, _ = change(old, new)
    assert list(delta.added) == ["N3"] and list(delta.changed) == ["columns.id", "2"]
    assert old.get("2")["x"] == 2 and new.get("2")["x"] == 5


def test_a_new_column_is_said_once_and_leaves_the_rows_alone() -> None:
    old = read("t.csv", "id,x\na,1\nb,2\n")
    new = read("t.csv", "id,y,x\nb,7,3\na,8,1\n")
    delta, comparison = change(old, new)
    assert list(delta.added) == ["columns.y"] and list(delta.changed) == ["b"] and not delta.removed
    assert comparison.summary == "1 cell changed in x (1 row), +column y"
    assert change(new, old)[1].summary == "1 cell changed in x (1 row), -column y"


def test_a_new_column_leaves_rows_without_a_key_alone() -> None:
    old, new = read("t.csv", "x,s\n1,a\n1,b\n"), read("t.csv", "x,s,y\n1,b,0\n1,a,0\n2,c,0\n")
    delta, comparison = change(old, new)
    assert len(delta.added) == 2 and not delta.removed
    assert comparison.summary == "+1 row, +column y; no key, whole rows compared"
    assert new.get(delta.added[1]) == {"x": 2, "s": "c", "y": 0}


def test_a_first_column_that_no_longer_names_rows_falls_back_to_whole_rows() -> None:
    old, new = read("t.csv", "id,x\n1,1\n2,2\n"), read("t.csv", "id,x\n1,1\n2,2\n2,2\n")
    assert old.key == ("id",) and new.key == ()
    delta, comparison = change(old, new)
    assert len(delta.added) == 1 and not delta.removed and delta.added[0].endswith("#2")
    assert new.get(delta.added[0]) == {"id": 2, "x": 2} and "no key" in comparison.summary


def test_a_key_that_moved_to_the_second_column_is_still_the_key() -> None:
    old, new = read("t.csv", "id,x\na,1\nb,2\n"), read("t.csv", "row,id,x\n0,b,2\n1,a,5\n")
    delta, _ = change(old, new)
    assert delta.pair is not None and delta.pair.key == ("id",)
    assert list(delta.changed) == ["a"] and new.get("a")["x"] == 5


def test_key_columns_are_found_or_stated() -> None:
    assert read("t.csv", "id,x\na,1\nb,1\n").key == ("id",)
    assert read("t.csv", "x,id\n1.5,a\n2.5,b\n").key == ()
    assert read("t.csv", "id,x\na,1\n,2\n").key == ()
    assert read("t.csv", "id,x\na,1\na,2\n").key == ()
    assert read("t.csv", "x,id\n1.5,a\n2.5,b\n", ("x",)).get("2.5") == {"x": 2.5, "id": "b"}


def test_several_key_columns_make_one_name() -> None:
    units = read("t.csv", "a,b,x\n1,p|q,1\n1,r\\,2\n2,r\\,3\n", ("b", "a"))
    assert list(units.keys())[3:] == ["p\\|q|1", "r\\\\|1", "r\\\\|2"]
    assert [units.get(key)["x"] for key in list(units.keys())[3:]] == [1, 2, 3]
    assert units.get("r|1") is MISSING and units.get("1") is MISSING


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (("patient_id",), "duplicate key patient_id=P0404 (2 rows)"),
        (("patient_id", "day"), "duplicate key patient_id|day=P0404|1 (2 rows)"),
        (("clinic",), "duplicate key clinic=A (4 rows)"),
        (("ward",), "no key column ward"),
        (("seen",), "key column seen has no value in 3 rows"),
    ],
)
def test_a_stated_key_that_does_not_tell_rows_apart_is_named(key: tuple[str, ...], reason: str) -> None:
    text = "patient_id,day,clinic,seen\nP0404,1,A,\nP0404,1,A,1\nP0405,1,A,\nP0406,2,A,\n"
    with pytest.raises(Unreadable) as caught:
        read("t.csv", text, key)
    assert str(caught.value) == reason


def test_many_duplicate_keys_are_counted() -> None:
    with pytest.raises(Unreadable, match=r"duplicate key id=1 \(2 rows\) and 1 more"):
        read("t.csv", "id\n1\n2\n1\n2\n2\n3\n", ("id",))


def test_keys_of_a_delta_are_a_sequence() -> None:
    old, new = read("t.csv", "id,x\na,1\n"), read("t.csv", "id,y\na,1\nb,1\nc,1\n")
    added = old.delta(new).added
    assert len(added) == 3 and list(added) == ["columns.y", "b", "c"]
    assert added[0] == "columns.y" and added[-1] == "c" and list(added[1:]) == ["b", "c"]
    assert added[::2] == ["columns.y", "c"] and added[:2] == ["columns.y", "b"] and "c" in added
    with pytest.raises(IndexError):
        added[3]


def test_any_units_can_be_compared_with_a_table() -> None:
    units = read("t.csv", "id,x\na,1\n")
    assert list(Units({}).delta(units).added) == ["columns.id", "columns.x", "a"]
    assert list(units.delta(Units({})).removed) == ["columns.id", "columns.x", "a"]


def test_a_table_that_appears_or_goes_is_counted() -> None:
    units = read("t.csv", "id,x\na,1\nb,2\n")
    assert KIND.compare(None, units, Units({}).delta(units)).summary == "+2 rows, 2 columns"
    gone = KIND.compare(units, None, units.delta(Units({})))
    assert gone.summary == "-2 rows, 2 columns" and gone.counts["rows_removed"] == 2


def test_a_row_reads_as_one_line() -> None:
    row = {"id": "P1", "clinic": "C", "radius": 13.54321987, "note": None, "label": 1}
    assert KIND.text("P1", row) == "clinic=C note=null label=1 radius=13.5432"
    assert KIND.text("columns.x", "int64") == "int64"
    long = KIND.text("0", {f"column {n}": n for n in range(100)})
    assert long.endswith(" …") and len(long) < 165


def test_a_hundred_thousand_rows_are_compared_exactly() -> None:
    rng = np.random.default_rng(7)
    size = 100_000
    columns: dict[str, Any] = {
        "id": np.arange(size) * 3,
        "name": [f"customer {n}" for n in rng.integers(0, size, size)],
        "x": rng.normal(size=size),
        "n": rng.integers(0, 9, size),
    }
    old = pa.table(columns)
    edited = rng.choice(size, 300, replace=False)
    x = columns["x"].copy()
    x[edited] += 1
    keep = np.ones(size, dtype=bool)
    keep[rng.choice(np.setdiff1d(np.arange(size), edited), 50, replace=False)] = False
    shuffled = rng.permutation(np.flatnonzero(keep))
    new = pa.table(columns | {"x": x}).take(shuffled)
    delta, comparison = change(TableUnits(old), TableUnits(new))
    assert sorted(map(int, delta.changed)) == sorted((edited * 3).tolist())
    assert comparison.counts["rows_removed"] == 50 and changed_cells(delta) == {"x": 300}
    assert delta.pair is not None and len(delta.added) == 0
    rowwise, _ = change(TableUnits(old.select(["x", "name", "n"])), TableUnits(new.select(["x", "name", "n"])))
    assert len(rowwise.added) == 300 and len(rowwise.removed) == 350
